"""What type checkers must accept and infer of ``dubhooks.fastapi``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.routing import Route
from typing_extensions import assert_type

import dubhooks
import dubhooks.fastapi
from dubhooks import asgi, postbacks
from dubhooks.fastapi import openapi, router, verified, webhook
from dubhooks.webhooks import LeadCreated, SaleCreated, UnknownEvent, WebhookEvent

app = FastAPI()
hooks = dubhooks.Webhooks(os.environ["DUB_WEBHOOK_SECRET"])
partner_hooks = dubhooks.Postbacks(os.environ["DUB_POSTBACK_SECRET"])

app.include_router(dubhooks.fastapi.router(hooks, path="/webhooks/dub"))
assert_type(router(partner_hooks, read_timeout=5), APIRouter)
assert_type(router(hooks, read_timeout=timedelta(seconds=5)), APIRouter)
Route("/webhooks/dub", asgi.app(hooks))
Route("/webhooks/dub", asgi.app(hooks, read_timeout=timedelta(seconds=5)))


class Session:
    """A user's database session."""


def get_db() -> Iterator[Session]:
    yield Session()


class Receipt(BaseModel):
    sale: str


@app.post("/webhooks/dub/{tenant}")
@dubhooks.fastapi.webhook(hooks, SaleCreated)
async def sale(event: SaleCreated, tenant: str, db: Annotated[Session, Depends(get_db)]) -> None:
    assert_type(event.data.sale.amount, int)


@app.post("/sync")
@webhook(hooks, SaleCreated)
def sync_sale(event: SaleCreated, request: Request, tasks: BackgroundTasks) -> Receipt:
    return Receipt(sale=event.id)


@app.post("/two", openapi_extra=openapi(SaleCreated, LeadCreated))
@webhook(hooks, SaleCreated, LeadCreated, dedupe="natural", read_timeout=timedelta(seconds=5))
async def two(event: SaleCreated | LeadCreated, response: Response) -> JSONResponse | None:
    assert_type(event.data.customer.id, str)
    return None


@app.post("/all")
@webhook(hooks)
def every(event: WebhookEvent) -> dict[str, str]:
    return {"id": event.id}


@app.post("/named")
@webhook(hooks, "invoice.refunded", dedupe="natural")
def named(event: UnknownEvent, tenant: str) -> None:
    assert_type(event.data, Any)


@app.post("/verified")
async def only_verified(
    event: Annotated[SaleCreated, Depends(verified(hooks, SaleCreated))],
) -> None: ...


async def dependencies(request: Request) -> None:
    assert_type(await verified(hooks, SaleCreated)(request), SaleCreated)
    assert_type(await verified(hooks)(request), WebhookEvent)
    named = verified(hooks, "invoice.refunded", read_timeout=timedelta(seconds=5))
    assert_type(await named(request), UnknownEvent)
    assert_type(await verified(partner_hooks)(request), postbacks.PostbackEvent)


assert_type(openapi(SaleCreated), dict[str, Any])
