"""Flask: several receivers in one application, and what is refused when it starts."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from flask import Blueprint, Flask, request
from flask.typing import ResponseReturnValue

import dubhooks.flask
from dubhooks import MemoryStore, Postbacks, Webhooks
from dubhooks.testing import make_event
from dubhooks.webhooks import PayoutConfirmed, SaleCreated
from tests.support.adapters.clients import WsgiClient
from tests.support.adapters.flask_apps import PATH, deliver
from tests.support.adapters.situations import (
    BODY,
    PAYOUT,
    PAYOUT_REQUEST,
    SALE_REQUEST,
    SECRET,
    Request,
    signed,
)


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


# -- what a handler must take ---------------------------------------------------------------------


def decorate(handler: Any) -> Any:
    """Decorate a handler of sales."""
    return dubhooks.flask.webhook(Webhooks(SECRET), SaleCreated)(handler)


def anything(*args: Any, **names: Any) -> None:
    """Take everything."""


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
    app = Flask(__name__)
    app.post(PATH)(decorate(handler))
    assert SALE_REQUEST.send(WsgiClient(app)).status == 200


# -- the same payout under another event id -------------------------------------------------------


def test_a_payout_that_is_sent_under_two_ids() -> None:
    """``dedupe="natural"`` pays it once; the event's id alone does not tell."""
    paid: list[str] = []

    def pay(event: PayoutConfirmed) -> None:
        paid.append(event.data.id)

    again = Request(make_event(PayoutConfirmed, data__id=PAYOUT.data.id).to_json())
    assert again.body != PAYOUT_REQUEST.body
    for dedupe, times in (("natural", 1), ("id", 2)):
        app, hooks = Flask(__name__), Webhooks(SECRET, store=MemoryStore())
        route: Any = dubhooks.flask.webhook(hooks, PayoutConfirmed, dedupe=dedupe)  # type: ignore[call-overload]
        app.post(PATH)(route(pay))
        client = WsgiClient(app)
        assert [request.send(client).status for request in (PAYOUT_REQUEST, again)] == [200, 200]
        assert paid == [PAYOUT.data.id] * times
        paid.clear()


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
