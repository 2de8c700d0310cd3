"""What type checkers must refuse of ``dubhooks.testing``."""

from __future__ import annotations

from fastapi import FastAPI
from flask import Flask

import dubhooks
from dubhooks import testing
from dubhooks.events._base import Event
from dubhooks.testing import make_event, make_unknown_event
from dubhooks.webhooks import SaleCreated, SaleData

store = testing.RecordingStore()
hooks = dubhooks.Webhooks("whsec_x", store=store)
sale = make_event(SaleCreated)
client = testing.WSGIClient(Flask("shop"), "whsec_x")

testing.WSGIClient(hooks, "whsec_x")  # expect-error
testing.WSGIClient(FastAPI(), "whsec_x")  # expect-error
testing.WSGIClient(Flask("shop"))  # expect-error
testing.WSGIClient(Flask("shop"), None)  # expect-error
testing.ASGIClient(Flask("shop"), "whsec_x")  # expect-error
testing.ASGIClient("shop:app", "whsec_x")  # expect-error
testing.SignedClient("whsec_x", "/dub")  # expect-error
client.deliver("text")  # expect-error
client.deliver({"id": "evt_1"})  # expect-error
client.deliver_twice(sale, sale)  # expect-error
client.adeliver("text")  # expect-error
testing.DjangoClient(5)  # expect-error
client.assert_handled_once(sale.to_json())  # expect-error
client.deliver(sale).status = 200  # expect-error
if client.deliver(sale).outcome == "handeld":  # expect-error
    pass
store.count("complete")  # expect-error
store.calls_of(sale.id)  # expect-error


def any_of(cls: type[Event]) -> None:
    make_event(cls)  # expect-error


postback: dubhooks.postbacks.SaleCreated = make_event(SaleCreated)  # expect-error
make_event("sale.created")  # expect-error
make_event(sale)  # expect-error
make_event(dubhooks.UnknownEvent)  # expect-error
make_event(SaleData)  # expect-error
make_event(int)  # expect-error
make_event()  # expect-error
make_unknown_event()  # expect-error
make_unknown_event(SaleCreated)  # expect-error
make_event(SaleCreated, seed="1")  # expect-error
make_event(SaleCreated, 5)  # expect-error
