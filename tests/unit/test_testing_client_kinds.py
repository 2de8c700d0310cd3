"""Signed clients: what is special about WSGI, about ASGI, about Django, and every mistake."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

import dubhooks
from dubhooks import ConfigurationError
from dubhooks.testing import ASGIClient, DjangoClient, WSGIClient, make_event
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import SECRET
from tests.support.shops import SALE, Shop

WSGI_APP, ASGI_APP = dubhooks.wsgi.app(Shop().hooks), dubhooks.asgi.app(Shop().hooks)
MISTAKES: list[tuple[Callable[[Any], object], list[Any], str]] = [
    (lambda it: ASGIClient(ASGI_APP, it).deliver(SALE), ["", None, [], "'quoted'"], "secret"),
    (
        lambda it: WSGIClient(it, SECRET),
        [Shop().hooks, ASGI_APP, "shop:app", lambda: None],
        r"\(environ, start_response\); pass the app",
    ),
    (
        lambda it: ASGIClient(it, SECRET),
        [Shop().hooks, WSGI_APP, "shop:app", lambda: None],
        r"\(scope, receive, send\); .* dubhooks.asgi",
    ),
    (WSGIClient(WSGI_APP, SECRET).deliver, [{"id": "evt_1"}, "text", None], "raw request bytes"),
    (WSGIClient(WSGI_APP, SECRET).tamper, ["text", None], "raw request bytes"),
    (
        lambda it: WSGIClient(WSGI_APP, SECRET).deliver(SALE, headers=it),
        ["X-A: 1", {"X-A": 5}, {"X-A": "€"}, 7],
        "headers",
    ),
]


class TestMistakes:
    """Wrong uses say what to do instead."""

    @pytest.mark.parametrize(("use", "given", "message"), MISTAKES)
    def test_wrong_argument(self, use: Callable[[Any], object], given: Any, message: str) -> None:
        """A secret, application, event or headers that are none are refused at once."""
        for one in given:
            with pytest.raises(ConfigurationError, match=message):
                use(one)


class App:
    """An ASGI application that notes what it is called with, and may raise."""

    def __init__(self, before: Exception | None = None, after: Exception | None = None) -> None:
        self.scopes: list[Any] = []
        self.loops: list[asyncio.AbstractEventLoop] = []
        self.before, self.after = before, after

    async def __call__(self, scope: Any, _: Any, send: Any) -> None:
        """Answer."""
        self.scopes.append(scope)
        self.loops.append(asyncio.get_running_loop())
        if self.before:
            raise self.before
        await send({"type": "http.response.start", "status": 418, "headers": [(b"X-A", b"\xe9")]})
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        await send({"type": "http.response.body", "body": b"two"})
        if self.after:
            raise self.after


class TestASGI:
    """What servers do for ASGI applications, and where these run."""

    def test_raises_before_and_after_its_answer(self, caplog: pytest.LogCaptureFixture) -> None:
        """Before, the answer is a 500; after, it is the answer. Both are logged."""
        apps = App(before=ZeroDivisionError()), App(after=ZeroDivisionError())
        assert [ASGIClient(app, SECRET).deliver(SALE).status for app in apps] == [500, 418]
        raised = [one.exc_info[0] for one in caplog.records if one.exc_info]
        assert raised == [ZeroDivisionError] * 2

    def test_sync_deliveries_share_one_loop(self) -> None:
        """What an application keeps on its loop works for the next delivery; the loop is closed."""
        app = App()
        client = ASGIClient(app, SECRET)
        client.deliver_twice(SALE)
        assert app.loops[0] is app.loops[1]
        del client
        gc.collect()
        assert app.loops[0].is_closed()

    def test_async_deliveries_are_on_the_loop_of_the_test(self) -> None:
        """An async test awaits, and the application runs beside it, for several at a time."""
        app, sales = App(), [make_event(SaleCreated) for _ in range(3)]
        client = ASGIClient(app, SECRET)

        async def test() -> None:
            delivered = await asyncio.gather(*map(client.adeliver, sales))
            assert [one.event_id for one in delivered] == [sale.id for sale in sales]
            assert set(app.loops) == {asyncio.get_running_loop()}
            with pytest.raises(ConfigurationError, match=r"await client\.adeliver\(event\)"):
                client.deliver(SALE)

        asyncio.run(test())
        assert len(client.deliveries) == 3


class TestDjango:
    """What is special about Django."""

    @pytest.fixture(autouse=True)
    def shop(self) -> Iterator[Shop]:
        """Mount a shop in the project of the settings."""
        pytest.importorskip("rest_framework")
        from django.http import HttpResponse
        from django.test import override_settings
        from django.urls import path

        import_module("tests.support.adapters.django_setup")  # configures Django
        shop = Shop()
        urls = (
            path("dub", dubhooks.django.view(shop.hooks)),
            path("own", lambda _: HttpResponse("fine")),
        )
        with override_settings(ROOT_URLCONF=urls):
            yield shop

    @pytest.mark.parametrize("secret", [SECRET, [SECRET, "whsec_old"], lambda: SECRET])
    def test_secret_of_the_project(self, secret: Any) -> None:
        """The secret is that of the setting DUBHOOKS, in each of its forms."""
        from django.test import override_settings

        with override_settings(DUBHOOKS={"WEBHOOK_SECRET": secret}):
            assert DjangoClient(path="/dub").deliver(SALE).outcome == "handled"

    def test_project_without_a_secret(self) -> None:
        """A project without one is told so."""
        from django.test import override_settings

        with (
            override_settings(DUBHOOKS={}),
            pytest.raises(ConfigurationError, match="is DUB_WEBHOOK_SECRET"),
        ):
            DjangoClient(path="/dub").deliver(SALE)

    def test_transaction_of_a_test(self, shop: Shop) -> None:
        """A delivery inside the transaction of a test works in it and leaves it open."""
        from django.contrib.auth.models import User
        from django.db import connection, transaction

        shop.hooks = dubhooks.Webhooks(SECRET)
        with transaction.atomic():
            User.objects.create(username="ada")
            assert DjangoClient(SECRET, "/dub").deliver(SALE).outcome == "handled"
            assert connection.in_atomic_block
            assert User.objects.filter(username="ada").exists()
            transaction.set_rollback(True)
        connection.close()

    def test_checks_are_on(self) -> None:
        """A view of one's own meets the CSRF check, as it does in production."""
        delivered = DjangoClient(SECRET, "/own").deliver(SALE)
        assert (delivered.status, delivered.outcome) == (403, None)
