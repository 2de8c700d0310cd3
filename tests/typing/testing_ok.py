"""What type checkers must accept and infer of ``dubhooks.testing``."""

from __future__ import annotations

from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from typing_extensions import assert_type

import dubhooks
from dubhooks.testing import (
    ASGIClient,
    ClientFactory,
    Delivered,
    DjangoClient,
    RecordingStore,
    SignedClient,
    StoreCall,
    WSGIClient,
    make_event,
    make_unknown_event,
)
from dubhooks.webhooks import KnownWebhookEvent, PayoutConfirmed, SaleCreated, UnknownEvent

store = RecordingStore()
hooks = dubhooks.Webhooks("whsec_x", store=store)
sale = make_event(SaleCreated)

assert_type(sale, SaleCreated)
assert_type(make_event(SaleCreated, {"data.sale.amount": 1900}, seed=1), SaleCreated)
assert_type(make_event(SaleCreated, {"+data.new": 1}, data__sale__amount=5), SaleCreated)
assert_type(make_event(dubhooks.postbacks.SaleCreated), dubhooks.postbacks.SaleCreated)
assert_type(make_event(PayoutConfirmed, event="external_payout.confirmed"), PayoutConfirmed)
assert_type(make_unknown_event("sale.create"), UnknownEvent)
assert_type(make_unknown_event("sale.create", {"a": [1]}, seed=1, id="e"), UnknownEvent)
make_unknown_event("sale.create", data=None)


def any_of(cls: type[KnownWebhookEvent]) -> KnownWebhookEvent:
    return make_event(cls)


for client in (
    WSGIClient(Flask("shop"), "whsec_x"),
    WSGIClient(dubhooks.wsgi.app(hooks), ["whsec_new", "whsec_old"], "/dub"),
    ASGIClient(FastAPI(), "whsec_x"),
    ASGIClient(Starlette(), "whsec_x"),
    ASGIClient(dubhooks.asgi.app(hooks), b"whsec_x", path="/dub"),
    DjangoClient(lambda: "whsec_x"),
    DjangoClient(path="/dub"),
):
    assert_type(client.deliver(sale), Delivered)
    assert_type(client.deliver(b"{}", headers={"Host": "shop.example"}), Delivered)
    assert_type(client.deliver_twice(sale), tuple[Delivered, Delivered])
    assert_type(client.tamper(sale).status, int)
    assert_type(client.without_signature(sale).code, str | None)
    assert_type(client.deliveries, list[Delivered])
    client.assert_handled_once(sale)
    assert_type(client.deliver(sale).headers, dict[str, str])

delivered = WSGIClient(Flask("shop"), "whsec_x").deliver(sale)
print(delivered.outcome == "handled", delivered.outcome is None)

assert_type(store.calls, list[StoreCall])
assert_type(store.calls_of(sale), list[StoreCall])
store.assert_completed_once(sale)


def test_sale(dub_client: ClientFactory, dub_store: RecordingStore) -> None:
    assert_type(dub_client(Flask("shop")), SignedClient)
    assert_type(dub_client(FastAPI(), path="/dub", secret="pbsec_x"), SignedClient)
    assert_type(dub_client(path="/webhooks/dub/"), SignedClient)
    dubhooks.Postbacks("pbsec_x", store=dub_store)


async def test_async(dub_client: ClientFactory) -> None:
    client = dub_client(FastAPI())
    assert_type(await client.adeliver(sale, headers=[("X-A", "1")]), Delivered)
    assert_type(await client.adeliver_twice(sale), tuple[Delivered, Delivered])
    assert_type(await client.atamper(sale), Delivered)
    assert_type(await client.awithout_signature(sale), Delivered)
