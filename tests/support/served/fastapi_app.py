"""The FastAPI application that the server tests run: it notes in a file what its handlers do."""

from datetime import timedelta

from fastapi import FastAPI

import dubhooks
from dubhooks.fastapi import router, webhook
from dubhooks.webhooks import LeadCreated, SaleCreated
from tests.support.served import LEASE, SECRET, note, wait, wait_async

app = FastAPI()
store = dubhooks.SQLiteStore("claims.db")
hooks = dubhooks.Webhooks(SECRET, store=store, lease=LEASE, max_age=timedelta(days=30))


@hooks.on(SaleCreated)
async def record_sale(event: SaleCreated) -> None:
    """Note a sale."""
    note(f"sale {event.id}")


app.include_router(router(hooks))


@app.post("/sync")
@webhook(hooks, SaleCreated)
def sync(event: SaleCreated) -> None:
    """Note a sale, in a thread."""
    note(f"sale {event.id}")


@app.post("/slow-sync")
@webhook(hooks, LeadCreated)
def slow_sync(event: LeadCreated) -> None:
    """Wait in a thread."""
    wait()


@app.post("/slow-async")
@webhook(hooks, LeadCreated)
async def slow_async(event: LeadCreated) -> None:
    """Wait on the event loop."""
    await wait_async()
