"""Flask: routes and what they take, the handlers of ``on`` behind them, and async ones."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from flask import Blueprint, Flask, request
from flask.typing import ResponseReturnValue

import dubhooks.flask
from dubhooks import Postbacks, Webhooks
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.flask_apps import PATH, app_with, deliver
from tests.support.adapters.situations import BODY, SECRET, signed


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
    assert view.__wrapped__ is handler  # type: ignore[attr-defined]


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


def test_several_receivers_in_one_application() -> None:
    """Both families fit into one application; a second of one family is given an endpoint."""
    app = Flask(__name__)
    app.add_url_rule("/ours", view_func=dubhooks.flask.view(Webhooks(SECRET)))
    app.add_url_rule("/partners", view_func=dubhooks.flask.view(Postbacks(SECRET)))
    other = dubhooks.flask.view(Webhooks("whsec_other"))
    with pytest.raises(AssertionError, match="dubhooks_webhook"):
        app.add_url_rule("/other", view_func=other)
    app.add_url_rule("/others", view_func=other, endpoint="others")
    assert [deliver(app, path).status for path in ("/ours", "/others")] == [200, 401]


def test_a_view_as_a_cloud_function() -> None:
    """It takes the request, which functions-framework passes, and needs no rule of its own."""
    seen: list[str] = []
    hooks = Webhooks(SECRET)
    hooks.on(SaleCreated)(lambda event: seen.append(event.id))
    function = dubhooks.flask.view(hooks)
    app = Flask(__name__)

    @app.route("/<path:path>", methods=["GET", "POST"])
    def run(path: str) -> ResponseReturnValue:
        return function(request)

    assert deliver(app).body == b'{"outcome":"handled"}'
    assert deliver(app, method="GET").status == 405
    assert len(seen) == 1


def injecting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Be a decorator that passes something more, in front."""

    @wraps(function)
    def wrapper(*args: Any, **names: Any) -> Any:
        return function("session", *args, **names)

    return wrapper


@injecting
def with_session(session: str, event: SaleCreated) -> None:
    """Take a session first, which a decorator passes."""
    assert session == "session"


@pytest.mark.parametrize("handler", [anything, with_session, lambda event: None])
def test_handlers_that_work(handler: Any) -> None:
    """What may take the event is accepted."""
    assert deliver(app_with(handler)).status == 200


@pytest.mark.parametrize("on", [Flask, Blueprint])
def test_the_decorators_in_the_wrong_order(on: type[Flask | Blueprint]) -> None:
    """``@webhook`` above ``@app.post`` is skipped by Flask, and fails closed: no event, 500."""
    app = Flask(__name__)
    routes = app if on is Flask else Blueprint("dub", __name__)
    runs: list[str] = []

    @dubhooks.flask.webhook(Webhooks(SECRET), SaleCreated)
    @routes.post(PATH)
    def take(event: SaleCreated) -> str:
        runs.append(event.id)
        return "never verified"

    if isinstance(routes, Blueprint):
        app.register_blueprint(routes)
    assert deliver(app).status == 500
    app.testing = True
    with pytest.raises(TypeError, match=r"take\(\) missing 1 required .* argument: 'event'"):
        app.test_client().post(PATH, data=BODY, headers=signed(BODY))
    assert runs == []
