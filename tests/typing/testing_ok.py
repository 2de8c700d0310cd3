"""What type checkers must accept and infer of ``dubhooks.testing``."""

from __future__ import annotations

from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from typing_extensions import assert_type

import dubhooks
from dubhooks import testing
from dubhooks.testing import make_event, make_unknown_event
from dubhooks.webhooks import KnownWebhookEvent, PayoutConfirmed, SaleCreated, UnknownEvent

store = testing.RecordingStore()
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
    testing.WSGIClient(Flask("shop"), "whsec_x"),
    testing.WSGIClient(dubhooks.wsgi.app(hooks), ["whsec_new", "whsec_old"], "/dub"),
    testing.ASGIClient(FastAPI(), "whsec_x"),
    testing.ASGIClient(Starlette(), "whsec_x"),
    testing.ASGIClient(dubhooks.asgi.app(hooks), b"whsec_x", path="/dub"),
    testing.DjangoClient(lambda: "whsec_x"),
    testing.DjangoClient(path="/dub"),
):
    assert_type(client.deliver(sale), testing.Delivered)
    assert_type(client.deliver(b"{}", headers={"Host": "shop.example"}), testing.Delivered)
    assert_type(client.deliver_twice(sale), tuple[testing.Delivered, testing.Delivered])
    assert_type(client.tamper(sale).status, int)
    assert_type(client.without_signature(sale).code, str | None)
    assert_type(client.deliveries, list[testing.Delivered])
    client.assert_handled_once(sale)
    assert_type(client.deliver(sale).headers, dict[str, str])

delivered = testing.WSGIClient(Flask("shop"), "whsec_x").deliver(sale)
print(delivered.outcome == "handled", delivered.outcome is None)

assert_type(store.calls, list[testing.StoreCall])
assert_type(store.calls_of(sale), list[testing.StoreCall])
store.assert_completed_once(sale)


def test_sale(dub_client: testing.ClientFactory, dub_store: testing.RecordingStore) -> None:
    assert_type(dub_client(Flask("shop")), testing.SignedClient)
    assert_type(dub_client(FastAPI(), path="/dub", secret="pbsec_x"), testing.SignedClient)
    assert_type(dub_client(path="/webhooks/dub/"), testing.SignedClient)
    dubhooks.Postbacks("pbsec_x", store=dub_store)


async def test_async(dub_client: testing.ClientFactory) -> None:
    client = dub_client(FastAPI())
    assert_type(await client.adeliver(sale, headers=[("X-A", "1")]), testing.Delivered)
    assert_type(await client.adeliver_twice(sale), tuple[testing.Delivered, testing.Delivered])
    assert_type(await client.atamper(sale), testing.Delivered)
    assert_type(await client.awithout_signature(sale), testing.Delivered)
