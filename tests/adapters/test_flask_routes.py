"""Flask: several routes of one receiver, the handlers of ``on`` behind them, and async ones."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from flask import Flask, current_app
from flask.typing import ResponseReturnValue

import dubhooks.flask
from dubhooks import MemoryStore, Webhooks
from dubhooks.testing import make_event
from dubhooks.webhooks import LeadCreated, SaleCreated
from tests.support.adapters.behaviour import LINK, PAYOUT_REQUEST, SALE_REQUEST, SECRET
from tests.support.adapters.clients import WsgiClient
from tests.support.adapters.flask_apps import PATH, app_with, deliver

LEAD = make_event(LeadCreated).to_json()


def test_a_route_falls_back_to_registered_handlers() -> None:
    """An event that the route does not take goes to ``on``, and our own reply is sent."""
    hooks = Webhooks(SECRET, store=MemoryStore())
    seen: list[str] = []

    @hooks.on(LeadCreated)
    def lead(event: LeadCreated) -> Any:
        seen.append(event.event)
        return current_app.response_class("not sent", 202)

    @hooks.on(SaleCreated)
    def other_sale(event: SaleCreated) -> None:
        raise AssertionError(event.id)  # the route wins

    def sale(event: SaleCreated) -> str:
        seen.append(event.event)
        return "own"

    app = app_with(sale, hooks)
    assert deliver(app).body == b"own"
    response = deliver(app, body=LEAD)
    assert (response.status, response.body) == (202, b'{"outcome":"handled"}')
    assert deliver(app, body=LEAD).body == b'{"outcome":"duplicate"}'
    assert seen == ["sale.created", "lead.created"]


def test_a_route_falls_back_to_on_unhandled() -> None:
    """It is told about what neither the route nor ``on`` takes; a payout stays 501."""
    hooks = Webhooks(SECRET)
    told: list[str] = []
    hooks.on_unhandled(lambda event: told.append(event.event))
    client = WsgiClient(app_with(lambda event: None, hooks))
    assert SALE_REQUEST.send(client).body == b'{"outcome":"handled"}'
    assert LINK.send(client).body == b'{"outcome":"ignored"}'
    assert PAYOUT_REQUEST.send(client).status == 501
    assert told == ["link.clicked", "payout.confirmed"]


def test_an_event_at_the_wrong_one_of_two_urls(caplog: pytest.LogCaptureFixture) -> None:
    """Dub sends all events to one URL: the log says once which route got it, and which takes it."""
    app = Flask(__name__)
    hooks = Webhooks(SECRET, store=MemoryStore())

    @app.post("/sales")
    @dubhooks.flask.webhook(hooks, SaleCreated)
    def take_sale(event: SaleCreated) -> None: ...

    @app.post("/leads")
    @dubhooks.flask.webhook(hooks, LeadCreated)
    def take_lead(event: LeadCreated) -> None: ...

    app.add_url_rule("/all", view_func=dubhooks.flask.view(hooks))
    for _ in range(2):
        assert deliver(app, "/leads").body == b'{"outcome":"ignored"}'
        assert deliver(app, "/all").body == b'{"outcome":"ignored"}'
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(lines) == 2
    assert "sale.created came to the route test_an_event" in lines[0]
    assert "take_lead, which does not take it, while the route" in lines[0]
    assert "take_sale does" in lines[0]
    assert "sale.created came to a route of the handlers of on()" in lines[1]
    assert deliver(app, "/sales").body == b'{"outcome":"handled"}'
    assert deliver(app, "/leads", body=LEAD).body == b'{"outcome":"handled"}'
    assert PAYOUT_REQUEST.send(WsgiClient(app, "/leads")).status == 501


def test_two_routes_at_one_url(caplog: pytest.LogCaptureFixture) -> None:
    """Flask calls the first of them for everything, and the log names the one that it hides."""
    app = Flask(__name__)
    hooks = Webhooks(SECRET)

    @app.post(PATH)
    @dubhooks.flask.webhook(hooks, SaleCreated)
    def first(event: SaleCreated) -> None: ...

    @app.post(PATH)
    @dubhooks.flask.webhook(hooks, LeadCreated)
    def second(event: LeadCreated) -> None:
        raise AssertionError

    assert deliver(app).body == b'{"outcome":"handled"}'
    assert deliver(app, body=LEAD).body == b'{"outcome":"ignored"}'
    assert "first, which does not take it, while the route" in caplog.text
    assert "name both on one route, or use on()" in caplog.text


def test_two_events_on_one_route() -> None:
    """What the warning advises: the handler is told apart by class."""
    app = Flask(__name__)
    seen: list[type] = []

    @app.post(PATH)
    @dubhooks.flask.webhook(Webhooks(SECRET), SaleCreated, LeadCreated)
    def take(event: SaleCreated | LeadCreated) -> None:
        seen.append(type(event))

    assert deliver(app).status == deliver(app, body=LEAD).status == 200
    assert seen == [SaleCreated, LeadCreated]


@pytest.mark.parametrize("mount", ["view", "webhook"])
def test_what_nobody_takes_is_logged_once(mount: str, caplog: pytest.LogCaptureFixture) -> None:
    """A receiver whose handlers were never imported, and an event without one, are named."""
    hooks, app = Webhooks(SECRET), Flask(__name__)
    if mount == "view":
        app.add_url_rule(PATH, view_func=dubhooks.flask.view(hooks))
    else:
        app.post(PATH)(dubhooks.flask.webhook(hooks, LeadCreated)(lambda event: None))
    for _ in range(2):
        assert LINK.send(WsgiClient(app)).body == b'{"outcome":"ignored"}'
    words = "no handler is registered: every event is ignored"
    assert caplog.text.count(words if mount == "view" else "no handler for link.clicked") == 1


def test_a_name_without_a_model() -> None:
    """A route takes an event by its name, as ``on`` does."""
    app = Flask(__name__)
    seen: list[str] = []

    @app.post(PATH)
    @dubhooks.flask.webhook(Webhooks(SECRET), "invoice.refunded")
    def refund(event: dubhooks.UnknownEvent) -> None:
        seen.append(event.event)

    body = dubhooks.testing.make_unknown_event("invoice.refunded", {}).to_json()
    assert deliver(app, body=body).body == b'{"outcome":"handled"}'
    assert seen == ["invoice.refunded"]


# -- what the view looks like ---------------------------------------------------------------------


def with_parts(event: SaleCreated, tenant: str, *, page: int = 1) -> str:
    """Take parts of the URL."""
    return f"{tenant} {page}"


def anything(*args: Any, **names: Any) -> None:
    """Take everything."""


@pytest.mark.parametrize(
    ("handler", "names"),
    [(with_parts, ["tenant", "page"]), (anything, ["args", "names"]), (lambda event: None, [])],
)
def test_the_view_hides_the_event(handler: Callable[..., Any], names: list[str]) -> None:
    """Who inspects the view sees what a caller may pass: the parts of the URL, no event."""
    view = dubhooks.flask.webhook(Webhooks(SECRET), SaleCreated)(handler)
    assert list(inspect.signature(view).parameters) == names
    assert view.__name__ == handler.__name__
    assert view.__doc__ == handler.__doc__


# -- async handlers -------------------------------------------------------------------------------


def plainly_decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    """Be the usual decorator, which does not know of coroutines."""

    @wraps(function)
    def wrapper(*args: Any, **names: Any) -> Any:
        return function(*args, **names)

    return wrapper


@pytest.mark.parametrize(("status", "times"), [(201, 1), (503, 2)])
def test_a_plain_decorator_around_an_async_handler(status: int, times: int) -> None:
    """Its awaitable is awaited, and what that gives is the answer and is judged."""
    runs: list[str] = []

    @plainly_decorated
    async def take(event: SaleCreated) -> ResponseReturnValue:
        runs.append(event.id)
        return "own", status

    app = app_with(take)
    assert [deliver(app).status for _ in range(2)] == [status, 503 if status == 503 else 200]
    assert len(runs) == times


GEVENT = """
from gevent import monkey

monkey.patch_all()
import asyncio, logging, sys

import gevent
from flask import Flask

import dubhooks, dubhooks.flask
from dubhooks.testing import WSGIClient, make_event
from dubhooks.webhooks import SaleCreated

logging.basicConfig(stream=sys.stdout)
hooks = dubhooks.Webhooks("whsec_marker0123456789abcdef", store=dubhooks.MemoryStore())


statuses = []


async def sale(event):
    while len(statuses) < 2:  # the others
        await asyncio.sleep(0.01)


def deliver():
    statuses.append(client.deliver(make_event(SaleCreated)).status)


app = Flask("app")
if sys.argv[1] == "view":
    hooks.on(SaleCreated)(sale)
    app.add_url_rule("/webhooks/dub", view_func=dubhooks.flask.view(hooks))
else:
    if sys.argv[1] == "plain":
        handler = lambda event: sale(event)
    else:
        handler = sale
    app.post("/webhooks/dub", endpoint="x")(dubhooks.flask.webhook(hooks, SaleCreated)(handler))
client = WSGIClient(app, "whsec_marker0123456789abcdef")
gevent.joinall([gevent.spawn(deliver) for _ in range(3)])
print(statuses)
"""


@pytest.mark.parametrize("mount", ["view", "webhook", "plain"])
def test_async_handlers_under_gevent(mount: str) -> None:
    """The first of several at once runs; the others say that gevent cannot, and what to do."""
    command = [sys.executable, "-c", GEVENT, mount]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.splitlines()[-1] == "[500, 500, 200]"
    assert "under gevent the greenlets of a thread share its event loop" in ran.stdout
    assert "You cannot use AsyncToSync" not in ran.stdout
