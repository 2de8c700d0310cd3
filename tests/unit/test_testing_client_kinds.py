"""Signed clients: what is special about WSGI, about ASGI, about Django, and every mistake."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

import dubhooks
from dubhooks import ConfigurationError
from dubhooks.testing import ASGIClient, DjangoClient, RecordingStore, WSGIClient, make_event
from dubhooks.testing.clients import client_for
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import SECRET
from tests.support.shops import SALE, HandlerFailed, Shop, answering


class TestMistakes:
    """Wrong uses say what to do instead."""

    @pytest.mark.parametrize("path", ["webhooks/dub", "https://x/dub", "/wébhooks", None, b"/"])
    def test_path(self, path: Any) -> None:
        """A path that is none is refused."""
        with pytest.raises(ConfigurationError, match="path must be"):
            WSGIClient(answering("200 OK"), SECRET, path)

    @pytest.mark.parametrize("secret", ["", None, [], "'quoted'"])
    def test_secret(self, secret: Any) -> None:
        """A secret that cannot sign is refused at once."""
        with pytest.raises(ConfigurationError, match="secret"):
            ASGIClient(dubhooks.asgi.app(Shop().hooks), secret)

    def test_receiver(self) -> None:
        """A receiver is not an application."""
        for make in (WSGIClient, ASGIClient):
            with pytest.raises(ConfigurationError, match=r"mount it, .* dubhooks\.wsgi\.app"):
                make(Shop().hooks, SECRET)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="no WSGI or ASGI application: this is a rec"):
            client_for(Shop().hooks, SECRET, None)  # type: ignore[arg-type]

    def test_the_other_kind(self) -> None:
        """An application of the other kind names the right client."""
        with pytest.raises(ConfigurationError, match="this is one for ASGIClient"):
            WSGIClient(dubhooks.asgi.app(Shop().hooks), SECRET)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="this is one for WSGIClient"):
            ASGIClient(dubhooks.wsgi.app(Shop().hooks), SECRET)  # type: ignore[arg-type]

    @pytest.mark.parametrize("app", ["shop:app", 7])
    def test_not_callable(self, app: Any) -> None:
        """The name of an application is not one."""
        with pytest.raises(ConfigurationError, match=r"it cannot be called \((str|int)\): pass"):
            client_for(app, SECRET, None)

    @pytest.mark.parametrize("app", [lambda: None, lambda *_: None, Shop, print])
    def test_factory(self, app: Any) -> None:
        """What cannot be told apart is not guessed."""
        with pytest.raises(ConfigurationError, match="if this makes an application, call it"):
            client_for(app, SECRET, None)

    @pytest.mark.parametrize("event", [{"id": "evt_1"}, "text", None])
    def test_event(self, event: Any) -> None:
        """Something that is neither an event nor bytes is refused."""
        client = WSGIClient(dubhooks.wsgi.app(Shop().hooks), SECRET)
        for deliver in (client.deliver, client.tamper, client.without_signature):
            with pytest.raises(ConfigurationError, match="raw request bytes"):
                deliver(event)
        assert client.deliveries == []

    @pytest.mark.parametrize("headers", ["X-A: 1", {"X-A": 5}, {"X-A": "€"}, 7])
    def test_headers(self, headers: Any) -> None:
        """Headers that no server could be sent are refused."""
        with pytest.raises(ConfigurationError, match="headers"):
            WSGIClient(dubhooks.wsgi.app(Shop().hooks), SECRET).deliver(SALE, headers=headers)


class TestWSGI:
    """What servers do for WSGI applications."""

    def test_environ(self) -> None:
        """The environment is what PEP 3333 asks for: the standard library's validator agrees."""
        from wsgiref.validate import validator

        seen: list[Any] = []

        @validator
        def application(environ: Any, start_response: Any) -> list[bytes]:
            seen.append(environ)
            assert environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])) == SALE.to_json()
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"ok"]

        client = WSGIClient(application, SECRET, "/w%C3%A9b/a%2Fb?tenant=1")
        assert client.deliver(SALE, headers={"Host": "shop.example"}).body == b"ok"
        assert seen[0]["PATH_INFO"] == "/w\xc3\xa9b/a/b"
        assert seen[0]["QUERY_STRING"] == "tenant=1"
        assert seen[0]["HTTP_HOST"] == "shop.example"
        assert seen[0]["wsgi.url_scheme"] == "https"

    def test_streamed(self, caplog: pytest.LogCaptureFixture) -> None:
        """Late beginnings, written pieces, repeated headers, error streams, and closing work."""
        closed: list[bool] = []

        class Pieces:
            def __init__(self, environ: Any, start_response: Any) -> None:
                self._environ, self._start = environ, start_response

            def __iter__(self) -> Iterator[bytes]:
                write = self._start("202 Accepted", [("Set-Cookie", "a"), ("set-cookie", "b")])
                write(b"one ")
                self._environ["wsgi.errors"].writelines(["a warning\n", "\n"])
                self._environ["wsgi.errors"].flush()
                yield b"two"

            def close(self) -> None:
                closed.append(True)

        def application(environ: Any, start_response: Any) -> Pieces:
            return Pieces(environ, start_response)

        delivered = WSGIClient(application, SECRET).deliver(SALE)
        assert (delivered.status, delivered.body) == (202, b"one two")
        assert delivered.headers == {"set-cookie": "a, b"}
        assert closed == [True]
        assert [record.message for record in caplog.records] == ["a warning"]

    def test_no_answer(self, caplog: pytest.LogCaptureFixture) -> None:
        """An application that never begins a response is answered for."""
        assert WSGIClient(lambda _, __: [], SECRET).deliver(SALE).status == 500
        assert "the application raised" in caplog.text

    def test_interrupts_pass(self) -> None:
        """What is meant to stop the test run is not taken for an answer."""

        def application(_: Any, __: Any) -> list[bytes]:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            WSGIClient(application, SECRET).deliver(SALE)


class TestDetection:
    """``client_for``, which the pytest fixture uses."""

    def test_kinds(self) -> None:
        """WSGI and ASGI are told apart, plain, wrapped and without async def."""
        shop = Shop()
        asgi_app: Any = dubhooks.asgi.app(shop.hooks)

        async def function(scope: Any, receive: Any, send: Any) -> None:
            await asgi_app(scope, receive, send)

        for app in (
            asgi_app,
            function,
            lambda scope, receive, send: asgi_app(scope, receive, send),
        ):
            client = client_for(app, SECRET, "/dub")
            assert isinstance(client, ASGIClient)
            assert client.deliver(make_event(SaleCreated)).outcome == "handled"
        client = client_for(dubhooks.wsgi.app(shop.hooks), SECRET, None)
        assert isinstance(client, WSGIClient)
        assert len(shop.amounts) == 3

    def test_arguments_that_do_not_show(self) -> None:
        """A client of a kind takes what cannot be told apart."""
        app = dubhooks.wsgi.app(Shop().hooks)
        assert WSGIClient(lambda *args: app(*args), SECRET).deliver(SALE).outcome == "handled"


class TestDjango:
    """What is special about Django."""

    @pytest.fixture(autouse=True)
    def project(self) -> Iterator[Shop]:
        """Mount a shop in the project of the settings."""
        pytest.importorskip("django")
        pytest.importorskip("rest_framework")
        from django.test import override_settings
        from django.urls import path

        import_module("tests.support.adapters.django_setup")  # configures Django

        shop = Shop()
        urls = (path("dub", dubhooks.django.view(shop.hooks)),)
        with override_settings(ROOT_URLCONF=urls):
            yield shop

    def test_its_application(self) -> None:
        """Django's WSGI application, or none, stands for Django, and is called as Django wants."""
        from django.core.handlers.wsgi import WSGIHandler

        for app in (None, WSGIHandler()):
            client = client_for(app, SECRET, "/dub")
            assert isinstance(client, DjangoClient)
            assert client.deliver(make_event(SaleCreated)).outcome == "handled"

    def test_async_views(self) -> None:
        """An async view is served to a sync test."""
        from django.http import HttpRequest
        from django.test import override_settings
        from django.urls import path

        hooks = dubhooks.Webhooks(SECRET, store=RecordingStore())
        amounts: list[float] = []

        async def sale(_: HttpRequest, event: SaleCreated) -> None:
            amounts.append(event.data.sale.amount)

        urls = (path("dub", dubhooks.django.webhook(hooks, SaleCreated)(sale)),)
        with override_settings(ROOT_URLCONF=urls):
            client = DjangoClient(SECRET, "/dub")
            client.deliver_twice(SALE)
        client.assert_handled_once(SALE)
        assert amounts == [SALE.data.sale.amount]

    def test_connections_stay_open(self, project: Shop) -> None:
        """A delivery inside the transaction of a test leaves it open, as Django's own client."""
        from django.contrib.auth.models import User
        from django.db import connection, transaction

        project.hooks = dubhooks.Webhooks(SECRET)
        with transaction.atomic():
            User.objects.create(username="ada")
            assert DjangoClient(SECRET, "/dub").deliver(SALE).outcome == "handled"
            assert connection.in_atomic_block
            assert User.objects.filter(username="ada").exists()
            transaction.set_rollback(True)
        connection.close()

    def test_exceptions_that_get_out(self, caplog: pytest.LogCaptureFixture) -> None:
        """The setting that lets exceptions through Django changes no answer."""
        from django.test import override_settings
        from django.urls import path

        urls = (path("dub", dubhooks.django.view(Shop(HandlerFailed()).hooks)),)
        with override_settings(ROOT_URLCONF=urls, DEBUG_PROPAGATE_EXCEPTIONS=True):
            both = DjangoClient(SECRET, "/dub").deliver_twice(SALE)
        assert [one.status for one in both] == [500, 200]
        assert "HandlerFailed" in caplog.text

    def test_checks_are_on(self) -> None:
        """A view of one's own meets the CSRF check, as it does in production."""
        from django.http import HttpResponse
        from django.test import override_settings
        from django.urls import path

        urls = (path("own", lambda _: HttpResponse("fine")),)
        with override_settings(ROOT_URLCONF=urls):
            delivered = DjangoClient(SECRET, "/own").deliver(SALE)
        assert (delivered.status, delivered.outcome) == (403, None)

    def test_settings_that_cannot_work(self) -> None:
        """A middleware that does not exist shows when the client is made."""
        from django.test import override_settings

        with override_settings(MIDDLEWARE=["no.such.middleware"]), pytest.raises(ImportError):
            DjangoClient(SECRET)

    def test_sets_django_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A project that nobody has set up is set up, as a server does, and never twice."""
        import django
        from django.apps import apps

        calls: list[bool] = []
        monkeypatch.setattr(django, "setup", lambda: calls.append(True))
        DjangoClient(SECRET)
        assert calls == []
        monkeypatch.setattr(apps, "ready", False)
        DjangoClient(SECRET)
        assert calls == [True]

    def test_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without Django a client needs an application."""
        monkeypatch.setitem(sys.modules, "django", None)
        with pytest.raises(ConfigurationError, match="pass the app to deliver to"):
            client_for(None, SECRET, None)
