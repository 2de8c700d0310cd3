"""Flask: several receivers in one application, and what is refused when it starts."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from flask import Flask, request
from flask.typing import ResponseReturnValue
from flask.views import MethodView

import dubhooks.flask
from dubhooks import ConfigurationError, MemoryStore, Postbacks, Webhooks
from dubhooks.testing import make_event
from dubhooks.webhooks import PayoutConfirmed, SaleCreated, WebhookEvent
from tests.support.adapters.clients import WsgiClient
from tests.support.adapters.flask_apps import PATH, deliver
from tests.support.adapters.situations import PAYOUT, PAYOUT_REQUEST, SALE_REQUEST, SECRET, Request
from tests.support.receiving import AsyncMemoryStore


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


def test_every_application_of_a_factory_has_the_same_endpoints() -> None:
    """``url_for`` finds them, however many receivers this process has made before."""

    def create_app() -> Flask:
        app = Flask(__name__)
        app.add_url_rule("/dub", view_func=dubhooks.flask.view(Webhooks(SECRET)))
        app.add_url_rule("/partners", view_func=dubhooks.flask.view(Postbacks(SECRET)))
        return app

    for app in (create_app(), create_app(), create_app()):
        with app.test_request_context():
            assert app.url_for("dubhooks_webhook") == "/dub"
            assert app.url_for("dubhooks_postback") == "/partners"


def test_one_view_at_two_urls() -> None:
    """The same view may stand in several rules, as Flask lets every view."""
    app = Flask(__name__)
    view = dubhooks.flask.view(Webhooks(SECRET))
    app.add_url_rule("/old", view_func=view)
    app.add_url_rule("/new", view_func=view)
    assert [deliver(app, path).status for path in ("/old", "/new")] == [200, 200]


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


@pytest.mark.parametrize("mount", [dubhooks.flask.view, dubhooks.flask.webhook])
def test_an_async_store(mount: Callable[..., Any]) -> None:
    """A store that needs an event loop is refused when the application starts."""
    with pytest.raises(ConfigurationError, match=r"AsyncMemoryStore needs.*sync store"):
        mount(Webhooks(SECRET, store=AsyncMemoryStore()))


# -- what a handler must take ---------------------------------------------------------------------


def decorate(handler: Any) -> Any:
    """Decorate a handler of sales."""
    return dubhooks.flask.webhook(Webhooks(SECRET), SaleCreated)(handler)


def test_a_method_of_a_view_class() -> None:
    """Nobody would pass its ``self``, so it is refused where it is decorated."""

    class Hook(MethodView):
        def post(self, event: SaleCreated) -> str:
            return event.id

    with pytest.raises(ConfigurationError, match=r"Hook\.post is a method"):
        decorate(Hook.post)


def test_the_method_of_an_object() -> None:
    """A bound method has its ``self``, so it works."""
    seen: list[str] = []

    class Ledger:
        def record(self, event: SaleCreated, tenant: str) -> None:
            seen.append(tenant)

    app = Flask(__name__)
    route = dubhooks.flask.webhook(Webhooks(SECRET), SaleCreated)
    app.post("/webhooks/<tenant>")(route(Ledger().record))
    assert SALE_REQUEST.send(WsgiClient(app)).status == 200
    assert seen == ["dub"]


def unknown_name(event: Nobody | Knows) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Have an annotation that only a type checker can resolve."""


def wider(event: WebhookEvent) -> None:
    """Take every event."""


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


@pytest.mark.parametrize(
    "handler", [unknown_name, wider, anything, with_session, lambda event: None]
)
def test_handlers_that_work(handler: Any) -> None:
    """What may take the event is accepted."""
    app = Flask(__name__)
    app.post(PATH)(decorate(handler))
    assert SALE_REQUEST.send(WsgiClient(app)).status == 200


# -- the same payout under another event id -------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_payout_that_is_sent_under_two_ids(is_async: bool) -> None:
    """``dedupe="natural"`` pays it once; the event's id alone does not tell."""
    paid: list[str] = []

    def pay(event: PayoutConfirmed) -> None:
        paid.append(event.data.id)

    async def pay_async(event: PayoutConfirmed) -> None:
        pay(event)

    again = Request(make_event(PayoutConfirmed, data__id=PAYOUT.data.id).to_json())
    assert again.body != PAYOUT_REQUEST.body
    for dedupe, times in (("natural", 1), ("id", 2)):
        app, hooks = Flask(__name__), Webhooks(SECRET, store=MemoryStore())
        route: Any = dubhooks.flask.webhook(hooks, PayoutConfirmed, dedupe=dedupe)  # type: ignore[call-overload]
        app.post(PATH)(route(pay_async if is_async else pay))
        client = WsgiClient(app)
        assert [request.send(client).status for request in (PAYOUT_REQUEST, again)] == [200, 200]
        assert paid == [PAYOUT.data.id] * times
        paid.clear()


def test_a_dedupe_that_cannot_work() -> None:
    """It is refused where the handler is decorated."""
    with pytest.raises(ConfigurationError, match="needs a store"):
        dubhooks.flask.webhook(Webhooks(SECRET), PayoutConfirmed, dedupe="natural")
    with pytest.raises(ConfigurationError, match='"id" or "natural"'):
        dubhooks.flask.webhook(Webhooks(SECRET), PayoutConfirmed, dedupe="both")  # type: ignore[call-overload]
