"""What type checkers must accept and infer of ``dubhooks.fastapi``."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterator
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
from dubhooks.webhooks import (
    CommissionCreated,
    LeadCreated,
    LinkClicked,
    LinkCreated,
    PayoutConfirmed,
    SaleCreated,
    UnknownEvent,
    WebhookEvent,
)

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
@webhook(hooks, SaleCreated, LeadCreated, read_timeout=5)
async def two(event: SaleCreated | LeadCreated, response: Response) -> JSONResponse | None:
    assert_type(event.data.customer.id, str)
    return None


@app.post("/three")
@webhook(hooks, SaleCreated, LeadCreated, PayoutConfirmed)
async def three(event: SaleCreated | LeadCreated | PayoutConfirmed) -> None: ...


@app.post("/natural")
@webhook(hooks, PayoutConfirmed, dedupe="natural", read_timeout=timedelta(seconds=5))
async def natural(event: PayoutConfirmed) -> None:
    assert_type(event.data.amount, int)


@app.post("/five")
@webhook(
    hooks,
    SaleCreated,
    LeadCreated,
    PayoutConfirmed,
    LinkClicked,
    LinkCreated,
    read_timeout=timedelta(seconds=5),
)
async def five(
    event: SaleCreated | LeadCreated | PayoutConfirmed | LinkClicked | LinkCreated,
) -> None: ...


@app.post("/all")
@webhook(hooks)
def every(event: WebhookEvent) -> dict[str, str]:
    return {"id": event.id}


@app.post("/wider")
@webhook(hooks, SaleCreated, CommissionCreated)
def wider(event: WebhookEvent, *, limit: int = 5) -> None: ...


@app.post("/postback")
@webhook(partner_hooks, postbacks.SaleCreated)
async def postback(event: postbacks.SaleCreated) -> None: ...


@app.post("/postbacks")
@webhook(partner_hooks)
async def any_postback(event: postbacks.PostbackEvent) -> None: ...


@app.post("/named")
@webhook(hooks, "invoice.refunded", dedupe="natural")
def named(event: UnknownEvent, tenant: str) -> None:
    assert_type(event.data, Any)


@app.post("/verified")
async def only_verified(
    event: Annotated[SaleCreated, Depends(verified(hooks, SaleCreated))],
) -> None: ...


assert_type(verified(hooks, SaleCreated), Callable[..., Coroutine[Any, Any, SaleCreated]])
assert_type(
    verified(hooks, SaleCreated, LeadCreated),
    Callable[..., Coroutine[Any, Any, SaleCreated | LeadCreated]],
)
assert_type(verified(hooks), Callable[..., Coroutine[Any, Any, WebhookEvent]])
assert_type(
    verified(hooks, "invoice.refunded", read_timeout=timedelta(seconds=5)),
    Callable[..., Coroutine[Any, Any, UnknownEvent]],
)
assert_type(verified(partner_hooks), Callable[..., Coroutine[Any, Any, postbacks.PostbackEvent]])
assert_type(openapi(SaleCreated), dict[str, Any])
