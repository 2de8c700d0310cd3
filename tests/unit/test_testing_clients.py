"""Signed clients: every kind of application, every way to deliver, and what answers prove."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import Any

import pytest

import dubhooks
from dubhooks import Webhooks, webhooks
from dubhooks.testing import (
    ASGIClient,
    Delivered,
    DjangoClient,
    RecordingStore,
    SignedClient,
    WSGIClient,
    make_event,
)
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import SECRET
from tests.support.shops import PATH, SALE, HandlerFailed, Shop, answering


def wsgi(shop: Shop) -> SignedClient:
    """Return a client for plain WSGI."""
    return WSGIClient(dubhooks.wsgi.app(shop.hooks), SECRET)


def asgi(shop: Shop) -> SignedClient:
    """Return a client for plain ASGI."""
    return ASGIClient(dubhooks.asgi.app(shop.hooks), SECRET)


def flask(shop: Shop, *, testing: bool = False) -> SignedClient:
    """Return a client for a Flask app."""
    app = pytest.importorskip("flask").Flask("shop")
    app.testing = testing
    app.add_url_rule(PATH, view_func=dubhooks.flask.view(shop.hooks), methods=["POST"])
    return WSGIClient(app, SECRET)


def flask_testing(shop: Shop) -> SignedClient:
    """Return a client for a Flask app in test mode, which lets exceptions out."""
    return flask(shop, testing=True)


def fastapi(shop: Shop) -> SignedClient:
    """Return a client for a FastAPI app."""
    app = pytest.importorskip("fastapi").FastAPI()
    app.include_router(dubhooks.fastapi.router(shop.hooks, path=PATH))
    return ASGIClient(app, SECRET)


class Awaited:
    """A client whose ways to deliver are those for async tests, each on a loop of its own."""

    def __init__(self, client: SignedClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        if not hasattr(self._client, f"a{name}"):
            return getattr(self._client, name)

        def run(*arguments: Any, **options: Any) -> Any:
            return asyncio.run(getattr(self._client, f"a{name}")(*arguments, **options))

        return run


@pytest.fixture(
    params=[
        *[(make, False) for make in (wsgi, asgi, flask, flask_testing, fastapi, "django")],
        *[(make, True) for make in (wsgi, asgi, flask, "django")],
    ],
    ids=lambda param: f"{getattr(param[0], '__name__', param[0])}{'-async' * param[1]}",
)
def client_of(request: pytest.FixtureRequest) -> Iterator[Callable[[Shop], Any]]:
    """Return what makes a client for a shop, for every framework in turn."""
    make, is_async = request.param
    with ExitStack() as settings:

        def client(shop: Shop) -> Any:
            made = django(shop, settings) if make == "django" else make(shop)
            return Awaited(made) if is_async else made

        yield client


def django(shop: Shop, settings: ExitStack) -> SignedClient:
    """Return a client for a Django project."""
    pytest.importorskip("rest_framework")
    from django.test import override_settings
    from django.urls import path

    import_module("tests.support.adapters.django_setup")  # configures Django
    urls = (path("webhooks/dub/", dubhooks.django.view(shop.hooks)),)
    project = {"ROOT_URLCONF": urls, "ALLOWED_HOSTS": ["testserver"]}
    settings.enter_context(override_settings(**project, SECURE_SSL_REDIRECT=True))
    return DjangoClient(SECRET)


def told(*deliveries: Delivered) -> list[tuple[int, str | None, str | None]]:
    """Return what the answers say."""
    return [(one.status, one.outcome, one.code) for one in deliveries]


def fault_of(client: SignedClient, event: Any = SALE) -> str:
    """Return what the assertion says about an event, without the id."""
    with pytest.raises(AssertionError) as failed:
        client.assert_handled_once(event)
    event_id, _, fault = str(failed.value).partition(" ")
    assert event_id == event.id
    return fault


class TestEveryFramework:
    """The same interface and the same answers everywhere."""

    def test_deliver(self, client_of: Callable[[Shop], Any]) -> None:
        """A delivery is verified, handled, and answered with dubhooks' own reply; once."""
        shop = Shop()
        client = client_of(shop)
        delivered, again = client.deliver_twice(SALE)
        assert told(delivered, again) == [(200, "handled", None), (200, "duplicate", None)]
        assert client.deliveries == [delivered, again]
        assert json.loads(delivered.body) == {"outcome": "handled"}
        assert delivered.headers["content-type"] == "application/json"
        assert delivered.event_id == SALE.id
        assert shop.amounts == [SALE.data.sale.amount]
        client.assert_handled_once(SALE)

    def test_refused(self, client_of: Callable[[Shop], Any]) -> None:
        """A changed body and a missing signature are refused, whatever was handled before."""
        shop = Shop()
        client = client_of(shop)
        assert told(client.tamper(SALE), client.without_signature(SALE)) == [
            (401, "unauthorized", "signature_mismatch"),
            (401, "unauthorized", "signature_missing"),
        ]
        assert (shop.amounts, shop.store.calls) == ([], [])
        assert "does the app have the client's secret" in fault_of(client)
        client.deliver(SALE)
        client.assert_handled_once(SALE)

    def test_handler_raises(
        self, client_of: Callable[[Shop], Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        """What a handler raises is a 500 and in the log, and the next delivery is handled."""
        shop = Shop(HandlerFailed("out of stock"))
        client = client_of(shop)
        assert client.deliver(SALE).status == 500
        assert "HandlerFailed: out of stock" in caplog.text
        assert "the log has what" in fault_of(client)
        assert client.deliver(SALE).outcome == "handled"
        client.assert_handled_once(SALE)

    def test_any_bytes(self, client_of: Callable[[Shop], Any]) -> None:
        """Bytes are delivered as they are; their event can be asserted on too."""
        client = client_of(Shop())
        assert client.deliver(SALE.to_json() + b"\n").outcome == "handled"
        client.assert_handled_once(SALE)
        assert told(*client.deliver_twice(b"\xff")) == [(400, "malformed", "invalid_json")] * 2
        assert told(client.deliver(b"")) == [(400, "malformed", "body_empty")]

    def test_headers(self, client_of: Callable[[Shop], Any]) -> None:
        """Headers of a test come on top of those of Dub, or in their place."""
        client = client_of(Shop())
        first = client.deliver(SALE, headers={"Content-Encoding": "gzip"})
        assert told(first) == [(415, "compressed", "body_compressed")]
        second = client.deliver(SALE, headers=[(b"dub-SIGNATURE", b"\xe9")])
        assert told(second) == [(401, "unauthorized", "signature_malformed")]


class TestAssertHandledOnce:
    """What a client's answers prove."""

    def test_without_a_store(self) -> None:
        """A receiver without a store handles a repeated delivery again."""
        client = wsgi(Shop(store=None))
        client.deliver_twice(SALE)
        assert "was handled 2 times: 200 handled, 200 handled" in fault_of(client)

    def test_done_before(self) -> None:
        """A duplicate of somebody else's delivery was not handled by this client."""
        shop = Shop()
        wsgi(shop).deliver(SALE)
        client = wsgi(shop)
        client.deliver(SALE)
        assert "make a new event for every test" in fault_of(client)

    def test_nothing_mounted(self) -> None:
        """A 404 makes one look at the path."""
        client = WSGIClient(answering("404 Not Found"), SECRET, "/webhooks/dbu")
        client.deliver(SALE)
        assert fault_of(client).endswith("/webhooks/dbu: 404; is the receiver mounted there?")

    @pytest.mark.parametrize(
        "body", [b"thanks", b'{"outcome":"fine"}', b"[]", b'{"outcome":"handled","id":1}']
    )
    def test_an_answer_that_is_not_ours(self, body: bytes) -> None:
        """A 2xx that anything can have sent proves nothing."""
        client = WSGIClient(answering("200 OK", body), SECRET)
        assert told(client.deliver(SALE)) == [(200, None, None)]
        assert "may not have been handled: 200 is not an answer of dubhooks" in fault_of(client)
        client.deliver(SALE)
        assert "was handled 2 times" in fault_of(client)

    def test_a_route_that_answers_itself(self) -> None:
        """An own answer and a duplicate after it are one run of a route's handler."""
        app = pytest.importorskip("flask").Flask("shop")
        hooks = Webhooks(SECRET, store=RecordingStore())

        @dubhooks.flask.webhook(hooks, SaleCreated)
        def sale(_: SaleCreated) -> tuple[str, int]:
            return "thanks", 202

        app.add_url_rule(PATH, view_func=sale, methods=["POST"])
        client = WSGIClient(app, SECRET)
        assert told(*client.deliver_twice(SALE)) == [(202, None, None), (200, "duplicate", None)]
        client.assert_handled_once(SALE)


class TestTamper:
    """A tampered body is what an attacker would send."""

    @pytest.mark.parametrize("name", sorted(webhooks.family.classes))
    def test_one_byte_differs(self, name: str) -> None:
        """Every event stays an event with the same id, and differs from it in one byte."""
        cls: Any = webhooks.family.classes[name]
        event = make_event(cls, event=name)
        sent = body_of(lambda client: client.tamper(event))
        body = event.to_json()
        assert sum(a != b for a, b in zip(sent, body, strict=True)) == 1
        parsed = webhooks.parse(sent)
        assert (parsed.id, type(parsed)) == (event.id, type(event))

    @pytest.mark.parametrize("body", [b"\x00", b"{}", b'{"createdAt":"soon"}'])
    def test_other_bytes(self, body: bytes) -> None:
        """Of any other body the last byte differs."""
        sent = body_of(lambda client: client.tamper(body))
        assert (sent[:-1], len(sent)) == (body[:-1], len(body))
        assert sent != body


def body_of(deliver: Callable[[SignedClient], object]) -> bytes:
    """Return the body that an application gets."""
    bodies: list[bytes] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        bodies.append(environ["wsgi.input"].read())
        start_response("204 No Content", [])
        return []

    deliver(WSGIClient(application, SECRET))
    return bodies[0]
