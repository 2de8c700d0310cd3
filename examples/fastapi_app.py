"""FastAPI: sales into a ledger, once each, and link clicks to a log.

DUB_WEBHOOK_SECRET=whsec_... uvicorn fastapi_app:app
"""

import logging
import os
import sqlite3
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI

import dubhooks
from dubhooks.fastapi import openapi, router, webhook
from dubhooks.webhooks import LinkClicked, SaleCreated

app = FastAPI()
hooks = dubhooks.Webhooks(
    os.environ["DUB_WEBHOOK_SECRET"],
    store=dubhooks.SQLiteStore("dubhooks.db"),
)


# One endpoint for every event: a handler per event, mounted as a router.


@hooks.on(LinkClicked)
async def log_click(event: LinkClicked) -> None:
    """Log a click."""
    logging.getLogger("uvicorn.error").info("%s was clicked", event.data.link.short_link)


app.include_router(router(hooks, path="/webhooks/dub"))


# Or a route of its own, with whatever FastAPI offers beside the event.


def get_ledger() -> Iterator[sqlite3.Connection]:
    """Open the ledger for one delivery."""
    # A sync handler runs in another thread than its dependencies.
    ledger = sqlite3.connect("ledger.db", check_same_thread=False)
    ledger.execute("CREATE TABLE IF NOT EXISTS sales (shop TEXT, event_id TEXT, cents INTEGER)")
    try:
        yield ledger
    finally:
        ledger.close()


@app.post("/webhooks/dub/{shop}", openapi_extra=openapi(SaleCreated))
@webhook(hooks, SaleCreated)
def record_sale(
    event: SaleCreated, shop: str, ledger: Annotated[sqlite3.Connection, Depends(get_ledger)]
) -> None:
    """Write a sale into the ledger."""
    # Committed here: a commit after the yield would come after the event is marked as done.
    with ledger:
        row = (shop, event.id, event.data.sale.amount)
        ledger.execute("INSERT INTO sales VALUES (?, ?, ?)", row)
