"""The mistakes that every framework allows: each is named, and none is called a wrong signature."""

from __future__ import annotations

import base64
import importlib
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings
from django.urls import path
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Route

import dubhooks.django
import dubhooks.fastapi
import dubhooks.flask
from dubhooks import ConfigurationError, Webhooks, asgi, aws_lambda, wsgi
from dubhooks._headers import headers_in_environ
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.behaviour import BODY, SECRET, signed
from tests.support.adapters.clients import AsgiClient, Response, Watched, WsgiClient
from tests.support.adapters.django_setup import MIDDLEWARE
from tests.support.receiving import AsyncMemoryStore

PATH = "/webhooks/dub"


class Served:
    """An application, and what it answers and says."""

    def __init__(self, app: Any, *urls: Any, is_asgi: bool = False) -> None:
        """``urls``: those of a project of Django's."""
        self.app = app
        self._is_asgi = is_asgi
        self._settings = {
            "ROOT_URLCONF": urls,
            "MIDDLEWARE": [one for one in MIDDLEWARE if "LoginRequired" not in one],
        }
        self._watched = Watched(None)

    @property
    def raised(self) -> list[Exception]:
        """What reached the server."""
        return self._watched.raised

    def post(self) -> Response:
        """Deliver a sale."""
        with override_settings(**self._settings):
            app = self.app() if isinstance(self.app, type) else self.app
            if self._is_asgi:
                self._watched.app = app
                return AsgiClient(self._watched).post(BODY, signed(BODY))
            return WsgiClient(app, PATH).post(BODY, signed(BODY))


def flask_app(view: Any) -> Served:
    """Serve a view of Flask's."""
    app = Flask(__name__)
    app.add_url_rule(PATH, view_func=view, methods=["POST"])
    return Served(app)


def fastapi_app(hooks: Webhooks) -> Served:
    """Serve a router of FastAPI's."""
    app = FastAPI()
    app.include_router(dubhooks.fastapi.router(hooks))
    return Served(app, is_asgi=True)


def starlette_app(endpoint: Any) -> Served:
    """Serve a route of Starlette's."""
    return Served(Starlette(routes=[Route(PATH, endpoint, methods=["POST"])]), is_asgi=True)


def django_app(view: Any, *, is_asgi: bool = False) -> Served:
    """Serve a view of Django's."""
    return Served(ASGIHandler if is_asgi else WSGIHandler, path(PATH[1:], view), is_asgi=is_asgi)


def lambda_app(hooks: Webhooks) -> Served:
    """Serve a function of Lambda's, behind a gateway that is an application of WSGI's."""
    function = aws_lambda.handler(hooks)

    def gateway(environ: Any, start_response: Any) -> Any:
        event = {
            "httpMethod": "POST",
            "headers": dict(headers_in_environ(environ)),
            "body": base64.b64encode(environ["wsgi.input"].read()).decode(),
            "isBase64Encoded": True,
        }
        answer = function(event, None)
        start_response(wsgi.status_line(answer["statusCode"]), list(answer["headers"].items()))
        return [answer["body"].encode()]

    return Served(gateway)


SYNC: dict[str, Callable[[Webhooks], Served]] = {
    "wsgi": lambda hooks: Served(wsgi.app(hooks)),
    "flask": lambda hooks: flask_app(dubhooks.flask.view(hooks)),
    "django": lambda hooks: django_app(dubhooks.django.view(hooks)),
    "lambda": lambda_app,
}
ASYNC: dict[str, Callable[[Webhooks], Served]] = {
    "asgi": lambda hooks: Served(asgi.app(hooks), is_asgi=True),
    "fastapi": fastapi_app,
    "starlette": lambda hooks: starlette_app(asgi.app(hooks)),
    "django-asgi": lambda hooks: django_app(dubhooks.django.view(hooks), is_asgi=True),
}
EVERYWHERE = SYNC | ASYNC


def is_named(served: Served, words: str, log: str) -> bool:
    """Tell whether log or traceback name the mistake, and neither speaks of a mismatch."""
    said = log + "".join(map(str, served.raised))
    return words in said and "mismatch" not in said


@pytest.mark.parametrize("secret", [None, ""])
@pytest.mark.parametrize("framework", EVERYWHERE)
def test_a_secret_that_is_not_set(
    framework: str, secret: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the secret comes from the configuration and is not there, that is what is said."""
    hooks = Webhooks(lambda: secret)  # type: ignore[arg-type,return-value]
    served = EVERYWHERE[framework](hooks)
    assert served.post().status == 503
    assert is_named(served, "DUB_WEBHOOK_SECRET", caplog.text)


def consuming_wsgi(app: Any) -> Any:
    """Return an application with middleware around it that reads the body."""

    def application(environ: Any, start_response: Any) -> Any:
        environ["wsgi.input"].read(len(BODY))
        return app(environ, start_response)

    return application


def consuming_asgi(app: Any) -> Any:
    """Return an application with middleware around it that reads the body."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass

        messages = [{"type": "http.request", "body": b"", "more_body": False}]

        async def nothing() -> Any:
            return messages.pop() if messages else await receive()

        await app(scope, nothing, send)

    return application


@pytest.mark.parametrize("framework", EVERYWHERE)
def test_a_body_that_was_read_before(framework: str, caplog: pytest.LogCaptureFixture) -> None:
    """A body that middleware has consumed is answered 400 and called that."""
    served = EVERYWHERE[framework](Webhooks(SECRET))
    consuming = consuming_asgi if framework in ASYNC else consuming_wsgi
    inner = served.app
    if isinstance(inner, type):
        served.app = lambda *arguments: consuming(inner())(*arguments)
    else:
        served.app = consuming(inner)
    response = served.post()
    assert (response.status, b"body_empty" in response.body) == (400, True)
    assert is_named(served, "read", caplog.text)
    assert "middleware" in caplog.text


@pytest.mark.parametrize("framework", SYNC)
def test_a_store_for_an_event_loop_where_there_is_none(
    framework: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A store with coroutines is refused by name where there is no event loop."""
    hooks = Webhooks(SECRET, store=AsyncMemoryStore())
    hooks.on(SaleCreated)(lambda event: None)
    said = ""
    try:
        assert SYNC[framework](hooks).post().status == 500
    except ConfigurationError as error:  # when it is mounted, where there is never a loop
        said = str(error)
    assert "AsyncMemoryStore needs an event loop" in said + caplog.text


# -- what decorators refuse -----------------------------------------------------------------------

DECORATORS: dict[str, Any] = {
    "flask": dubhooks.flask.webhook,
    "fastapi": dubhooks.fastapi.webhook,
    "django": dubhooks.django.webhook,
}


class Shop:
    """A class whose method is decorated."""

    def take(self, event: SaleCreated, other: SaleCreated) -> None:
        """Handle a sale."""


def generator(event: SaleCreated, other: SaleCreated) -> Any:
    """Yield, so that calling it runs nothing."""
    yield event, other


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (lambda: None, "has no event parameter"),
        (lambda *, event: None, "has no event parameter"),
        (generator, "generator yields"),
        (Shop.take, r"Shop\.take is a method, and nobody passes its self: decorate a function"),
        ("take", "must be callable"),
    ],
)
@pytest.mark.parametrize("framework", DECORATORS)
def test_a_handler_that_cannot_work(framework: str, handler: Any, why: str) -> None:
    """A handler that could not be called is refused where it is decorated, everywhere alike."""
    with pytest.raises(ConfigurationError, match=why):
        DECORATORS[framework](Webhooks(SECRET), SaleCreated)(handler)


@pytest.mark.parametrize("framework", DECORATORS)
def test_a_decorator_without_its_arguments(framework: str) -> None:
    """``@webhook`` right above a function, and an event of the other family, say what is wrong."""
    webhook = DECORATORS[framework]
    for given in (generator, SaleCreated, None, SECRET):
        with pytest.raises(ConfigurationError, match=r"the receiver comes first: @webhook\(hooks"):
            webhook(given)
    with pytest.raises(ConfigurationError, match=r"not a webhook event: .* dubhooks\.webhooks"):
        webhook(Webhooks(SECRET), dubhooks.postbacks.SaleCreated)
    with pytest.raises(ConfigurationError, match="needs a store"):
        webhook(Webhooks(SECRET), SaleCreated, dedupe="natural")


@pytest.mark.parametrize("framework", ["flask", "fastapi"])
def test_a_framework_that_is_not_installed(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the module says which extra to install."""
    monkeypatch.setitem(sys.modules, framework, None)
    monkeypatch.delitem(sys.modules, f"dubhooks.{framework}")
    with pytest.raises(ImportError, match=rf"install dubhooks\[{framework}\]"):
        importlib.import_module(f"dubhooks.{framework}")
