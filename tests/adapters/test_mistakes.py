"""The mistakes that every framework allows: each is named, and none is called a wrong signature."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path
from fastapi import FastAPI
from flask import Flask, request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import dubhooks.django
import dubhooks.fastapi
import dubhooks.flask
from dubhooks import ConfigurationError, Webhooks, asgi, aws_lambda, wsgi
from dubhooks._headers import headers_in_environ
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.behaviour import BODY, SECRET, signed
from tests.support.adapters.clients import AsgiClient, Response, WsgiClient
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
        self.raised: list[Exception] = []

    def post(self) -> Response:
        """Deliver a sale."""
        with override_settings(**self._settings):
            app = self.app() if isinstance(self.app, type) else self.app
            if self._is_asgi:
                return AsgiClient(self._watched(app)).post(BODY, signed(BODY))
            return WsgiClient(app, PATH).post(BODY, signed(BODY))

    def _watched(self, app: Any) -> Any:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            try:
                await app(scope, receive, send)
            except Exception as error:
                self.raised.append(error)
                raise

        return application


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


Taking = Callable[[Any, Any], Any]
"""What a view of the user's own does with a body and headers."""


def own_flask(take: Taking, *, parses: bool) -> Served:
    """Serve a view of Flask's."""

    async def own() -> str:
        take(request.get_json() if parses else request.get_data(), request.headers)
        return "ok"

    return flask_app(own)


def own_starlette(take: Taking, *, parses: bool) -> Served:
    """Serve a route of Starlette's."""

    async def own(request: Request) -> PlainTextResponse:
        take(await request.json() if parses else await request.body(), request.headers)
        return PlainTextResponse("ok")

    return starlette_app(own)


def own_fastapi(take: Taking, *, parses: bool) -> Served:
    """Serve a route of FastAPI's."""
    app = FastAPI()

    async def parsed(payload: dict[str, Any], request: Request) -> str:
        take(payload, request.headers)
        return "ok"

    async def raw(request: Request) -> str:
        take(await request.body(), request.headers)
        return "ok"

    # Postponed annotations name what FastAPI must resolve.
    app.post(PATH)(parsed if parses else raw)
    return Served(app, is_asgi=True)


def own_django(take: Taking, *, parses: bool) -> Served:
    """Serve an async view of Django's."""

    async def own(request: HttpRequest) -> HttpResponse:
        take(json.loads(request.body) if parses else request.body, request.headers)
        return HttpResponse("ok")

    own.csrf_exempt = True  # type: ignore[attr-defined]
    for alias in connections:
        transaction.non_atomic_requests(using=alias)(own)
    return django_app(own, is_asgi=True)


OWN: dict[str, Any] = {
    "flask": own_flask,
    "starlette": own_starlette,
    "fastapi": own_fastapi,
    "django": own_django,
}


@pytest.mark.parametrize("framework", OWN)
def test_a_parsed_body(framework: str, caplog: pytest.LogCaptureFixture) -> None:
    """Who gives a receiver parsed JSON is told that it takes the raw bytes."""
    served = OWN[framework](Webhooks(SECRET).handle, parses=True)
    with suppress(ConfigurationError):
        assert served.post().status == 500
    assert is_named(served, "must be the raw request bytes, not dict", caplog.text)


@pytest.mark.parametrize("framework", OWN)
def test_an_async_handler_in_a_sync_call(framework: str, caplog: pytest.LogCaptureFixture) -> None:
    """Who calls ``handle`` on an event loop is told to await ``ahandle``."""
    hooks = Webhooks(SECRET)

    @hooks.on(SaleCreated)
    async def sale(event: SaleCreated) -> None:
        raise AssertionError(event.id)

    served = OWN[framework](hooks.handle, parses=False)
    with suppress(ConfigurationError):
        assert served.post().status == 500
    assert is_named(served, "await ahandle()", caplog.text)
