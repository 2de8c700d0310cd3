"""Flask: several receivers in one application, and what is refused when it starts."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from flask import Flask

import dubhooks.flask
from dubhooks import ConfigurationError, MemoryStore, Postbacks, Webhooks
from dubhooks.testing import make_event
from dubhooks.webhooks import LeadCreated, PayoutConfirmed, SaleCreated, WebhookEvent
from tests.support.adapters.clients import WsgiClient
from tests.support.adapters.flask_apps import PATH, deliver
from tests.support.adapters.situations import PAYOUT, PAYOUT_REQUEST, SALE_REQUEST, SECRET, Request


def test_several_receivers_in_one_application() -> None:
    """Each receiver has an endpoint of its own, so their views fit into one application."""
    app = Flask(__name__)
    receivers = [Webhooks(SECRET), Webhooks(SECRET), Webhooks("whsec_other")]
    for number, hooks in enumerate(receivers):
        app.add_url_rule(f"/{number}", view_func=dubhooks.flask.view(hooks))
    app.add_url_rule("/partners", view_func=dubhooks.flask.view(Postbacks(SECRET)))
    assert [deliver(app, f"/{number}").status for number in range(3)] == [200, 200, 401]


def test_a_receiver_keeps_its_endpoint() -> None:
    """An application factory gets the same name every time, for ``url_for``."""
    hooks = Webhooks(SECRET)
    names = {dubhooks.flask.view(hooks).__name__ for _ in range(3)}
    assert len(names) == 1
    assert names.pop().startswith("dubhooks_webhook")


def test_an_endpoint_of_the_user_s_own() -> None:
    """``endpoint=`` names it, whatever other receivers there are."""
    app = Flask(__name__)
    for name in ("one", "two"):
        view = dubhooks.flask.view(Webhooks(SECRET))
        app.add_url_rule(f"/{name}", view_func=view, endpoint=name)
    with app.test_request_context():
        assert app.url_for("two") == "/two"


class Later(MemoryStore):
    """A memory store whose methods are coroutines."""

    async def claim(self, *args: Any, **options: Any) -> Any:  # type: ignore[override]
        """Claim."""
        return super().claim(*args, **options)

    async def complete(self, *args: Any, **options: Any) -> Any:  # type: ignore[override]
        """Complete."""
        return super().complete(*args, **options)

    async def release(self, *args: Any) -> Any:  # type: ignore[override]
        """Release."""
        return super().release(*args)

    async def forget(self, key: str) -> Any:  # type: ignore[override]
        """Forget."""
        return super().forget(key)


@pytest.mark.parametrize("mount", [dubhooks.flask.view, dubhooks.flask.webhook])
def test_an_async_store(mount: Callable[..., Any]) -> None:
    """A store that needs an event loop is refused when the application starts."""
    with pytest.raises(ConfigurationError, match=r"Later needs an event loop.*sync store"):
        mount(Webhooks(SECRET, store=Later()))


# -- what a handler must take ---------------------------------------------------------------------


def decorate(handler: Any) -> Any:
    """Decorate a handler of sales."""
    return dubhooks.flask.webhook(Webhooks(SECRET), SaleCreated)(handler)


def other_event(event: LeadCreated) -> None:
    """Take another event."""


def other_family(event: dubhooks.postbacks.SaleCreated) -> None:
    """Take a postback."""


def swapped(tenant: str, event: SaleCreated) -> None:
    """Take the event second."""


@pytest.mark.parametrize("handler", [other_event, other_family, swapped])
def test_a_handler_of_another_event(handler: Any) -> None:
    """A handler that does not take the event is refused where it is decorated."""
    words = f"first parameter of {handler.__name__} is the event and takes SaleCreated"
    with pytest.raises(ConfigurationError, match=words):
        decorate(handler)


def test_a_catch_all_that_takes_one_event() -> None:
    """Without a class the handler gets every event, so it must take every event."""
    with pytest.raises(ConfigurationError, match="every webhook event"):
        dubhooks.flask.webhook(Webhooks(SECRET))(other_event)  # type: ignore[arg-type]


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
