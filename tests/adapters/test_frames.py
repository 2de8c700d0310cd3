"""No variable of ours shows a body, a signature or a secret, whatever the door is."""

from __future__ import annotations

import asyncio
import base64
import io
import logging
import subprocess
import sys
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Annotated, Any

import pytest
from django.core.signals import got_request_exception as django_exception
from django.db import connections
from django.test import RequestFactory
from django.urls import path as django_path
from fastapi import FastAPI, Header
from fastapi import Request as FastAPIRequest
from flask import Flask, got_request_exception
from starlette.applications import Starlette
from starlette.routing import Route

import dubhooks.django
import dubhooks.fastapi
import dubhooks.flask
from dubhooks import (
    ConfigurationError,
    MemoryStore,
    SQLiteStore,
    Webhooks,
    asgi,
    aws_lambda,
    sign,
    wsgi,
)
from dubhooks.django import DjangoStore
from dubhooks.testing import make_event
from dubhooks.webhooks import LinkCreated
from tests.support.adapters.clients import AsgiClient, Client, Watched, WsgiClient
from tests.support.adapters.django_setup import WITHOUT_LOGIN, DjangoClient
from tests.support.adapters.handlers import of_kind
from tests.support.adapters.situations import SECRET, signed
from tests.support.frames import variables_that_show
from tests.support.receiving import AsyncMemoryStore

PATH = "/webhooks/dub"
PASSWORD = "link-password-77"
BODY = make_event(LinkCreated, data__password=PASSWORD).to_json()
MARKS = (PASSWORD, base64.b64encode(BODY).decode()[:40], sign(BODY, SECRET), SECRET)
LAMBDA_EVENT = {
    "httpMethod": "POST",
    "headers": dict(signed(BODY)),
    "body": base64.b64encode(BODY).decode(),
    "isBase64Encoded": True,
}

Log = pytest.LogCaptureFixture
Handler = Callable[..., Any]


def fail(*_: Any) -> None:
    """Be a handler that raises."""
    raise LookupError("boom")


def fail_with_parameters(
    event: LinkCreated, request: FastAPIRequest, dub_signature: Annotated[str, Header()]
) -> None:
    """Be a handler that takes what shows the signature."""
    del request, dub_signature
    fail(event)


def raised_by(app: Any) -> BaseException:
    """Deliver a link to an application of ASGI; return what reaches the server."""
    watched = Watched(app)
    assert AsgiClient(watched).post(BODY, signed(BODY)).status == 500
    return watched.raised[0]


def told_by(signal: Any, client: Client) -> BaseException:
    """Deliver a link; return what a framework tells error trackers about."""
    told: list[Any] = []

    def tell(*_: Any, **__: Any) -> None:
        told.append(sys.exc_info()[1])

    signal.connect(tell)
    try:
        assert client.post(BODY, signed(BODY)).status == 500
    finally:
        signal.disconnect(tell)
    error: BaseException = told[0]
    return error


def logged(log: Log, status: int) -> BaseException:
    """Return the error of the one line that has a traceback."""
    assert status == 500
    (record,) = [record for record in log.records if record.exc_info is not None]
    assert record.exc_info is not None
    assert record.exc_info[1] is not None
    return record.exc_info[1]


def through_flask_view(hooks: Webhooks, _: Log, __: Handler) -> BaseException:
    """Deliver to a view."""
    app = Flask(__name__)
    app.add_url_rule(PATH, view_func=dubhooks.flask.view(hooks))
    return told_by(got_request_exception, WsgiClient(app))


def through_flask_webhook(hooks: Webhooks, _: Log, handler: Handler) -> BaseException:
    """Deliver to a decorated view."""
    app = Flask(__name__)
    app.post(PATH)(dubhooks.flask.webhook(hooks, LinkCreated)(handler))
    return told_by(got_request_exception, WsgiClient(app))


def through_router(hooks: Webhooks, _: Log, __: Handler) -> BaseException:
    """Deliver to a router."""
    app = FastAPI()
    app.include_router(dubhooks.fastapi.router(hooks))
    return raised_by(app)


def through_fastapi_webhook(hooks: Webhooks, _: Log, handler: Handler) -> BaseException:
    """Deliver to a decorated route."""
    app = FastAPI()
    taking = of_kind(fail_with_parameters, is_async=iscoroutinefunction(handler))
    app.post(PATH)(dubhooks.fastapi.webhook(hooks, LinkCreated)(taking))
    return raised_by(app)


def through_django(hooks: Webhooks, view: Any = None, *, asgi: bool = False) -> BaseException:
    """Deliver to a view, of the receiver by itself unless one is given."""
    view = view or dubhooks.django.view(hooks)
    client = DjangoClient(django_path(PATH[1:], view), asgi=asgi, MIDDLEWARE=WITHOUT_LOGIN)
    return told_by(django_exception, client)


def decorated(hooks: Webhooks, handler: Handler) -> Any:
    """Return a view of Django's that the decorator makes."""
    return dubhooks.django.webhook(hooks, LinkCreated)(handler)


DOORS: dict[str, Callable[[Webhooks, Log, Handler], BaseException]] = {
    "flask.view": through_flask_view,
    "flask.webhook": through_flask_webhook,
    "fastapi.router": through_router,
    "fastapi.webhook": through_fastapi_webhook,
    "starlette": lambda hooks, *_: raised_by(Starlette(routes=[Route(PATH, asgi.app(hooks))])),
    "asgi.app": lambda hooks, log, _: logged(
        log, AsgiClient(asgi.app(hooks)).post(BODY, signed(BODY)).status
    ),
    "wsgi.app": lambda hooks, log, _: logged(
        log, WsgiClient(wsgi.app(hooks)).post(BODY, signed(BODY)).status
    ),
    "django.view": lambda hooks, *_: through_django(hooks),
    "django.view, asgi": lambda hooks, *_: through_django(hooks, asgi=True),
    "django.webhook": lambda hooks, _, run: through_django(hooks, decorated(hooks, run)),
    "django.webhook, asgi": lambda hooks, _, run: through_django(
        hooks, decorated(hooks, run), asgi=True
    ),
    "aws_lambda.handler": lambda hooks, log, _: logged(
        log, aws_lambda.handler(hooks)(LAMBDA_EVENT, None)["statusCode"]
    ),
}
STORES: dict[str, Callable[[Any], Any]] = {
    "no store": lambda _: None,
    "memory": lambda _: MemoryStore(),
    "sqlite": lambda path: SQLiteStore(path / "claims.db"),
    "django": lambda _: DjangoStore(),
    "async": lambda _: AsyncMemoryStore(),
}
ONLY_FOR = {"django": ("django",), "async": ("asgi", "fastapi", "starlette")}
"""Stores that not every door can have, and a word in the name of those that can."""
CASES = [
    (door, store)
    for door in DOORS
    for store in STORES
    if any(word in door for word in ONLY_FOR.get(store, ("",)))
]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(("door", "store"), CASES)
def test_a_handler_fails(door: str, is_async: bool, store: str, tmp_path: Any, caplog: Log) -> None:
    """What the handler raised carries no frame of ours that shows the payload or the secret."""
    caplog.set_level(logging.ERROR, "dubhooks")
    claims, handler = STORES[store](tmp_path), of_kind(fail, is_async=is_async)
    hooks = Webhooks(SECRET, store=claims)
    hooks.on(LinkCreated)(handler)
    error = DOORS[door](hooks, caplog, handler)
    if isinstance(claims, SQLiteStore):
        claims.close()
    connections.close_all()
    assert isinstance(error, LookupError)
    assert variables_that_show(error, *MARKS) == []


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"httpMethod": None}, id="no method"),
        pytest.param({"headers": [sign(BODY, SECRET)]}, id="headers"),
        pytest.param({"body": BODY.decode()}, id="no base64"),
        pytest.param({"body": {"password": PASSWORD}}, id="parsed"),
    ],
)
def test_an_invocation_that_is_no_request(members: dict[str, Any]) -> None:
    """The error that leaves the function of Lambda shows nothing of the event."""
    with pytest.raises(ConfigurationError) as raised:
        aws_lambda.handler(Webhooks(SECRET))(LAMBDA_EVENT | members, None)
    assert variables_that_show(raised.value, *MARKS) == []


def test_a_server_that_fails_while_the_body_comes() -> None:
    """What its ``receive`` raises passes no frame of ours that shows what has come so far."""
    messages = [{"type": "http.request", "body": BODY, "more_body": True}]

    async def receive() -> Any:
        if not messages:
            raise LookupError("boom")
        return messages.pop()

    async def send(message: Any) -> None:
        raise AssertionError(message)

    headers = [(name.lower().encode(), value.encode()) for name, value in signed(BODY)]
    scope = {"type": "http", "method": "POST", "headers": headers}
    serving: Any = asgi.app(Webhooks(SECRET))(scope, receive, send)
    with pytest.raises(LookupError) as raised:
        asyncio.run(serving)
    assert variables_that_show(raised.value, *MARKS) == []


def test_a_body_that_django_cannot_read() -> None:
    """What a server raises while the body is read shows nothing of the headers."""

    class Broken(io.RawIOBase):
        def read(self, _: int = -1) -> bytes:
            raise LookupError("boom")

    headers = {"HTTP_DUB_SIGNATURE": sign(BODY, SECRET), "wsgi.input": Broken()}
    request: Any = RequestFactory().generic("POST", "/", BODY, "application/json", **headers)  # type: ignore[arg-type]
    with pytest.raises(LookupError) as raised:
        dubhooks.django.view(Webhooks(SECRET))(request)
    assert variables_that_show(raised.value, *MARKS) == []


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"LEASE": -1}, "lease takes seconds"),
        ({"NAMESPACE": "a b"}, "a namespace must be"),
        ({"STORE": "no.store"}, "which cannot be imported"),
        ({"KEY": 1}, "DUBHOOKS has no 'KEY'"),
        ([SECRET], "DUBHOOKS must be a dictionary"),
    ],
)
def test_settings_of_django_that_cannot_work(given: Any, hint: str) -> None:
    """Django does not start, and the error shows nothing of the secret beside what is wrong."""
    if isinstance(given, dict):
        given["WEBHOOK_SECRET"] = SECRET
    code = (
        "from django.conf import settings\n"
        "settings.configure("
        f"USE_TZ=True, INSTALLED_APPS=['dubhooks.django'], DUBHOOKS={given!r})\n"
        "import django, dubhooks\n"
        "from tests.support.frames import variables_that_show\n"
        "try:\n"
        "    django.setup()\n"
        "except dubhooks.ConfigurationError as error:\n"
        f"    print(error, variables_that_show(error, {SECRET!r}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert hint in ran.stdout, ran.stderr
    assert ran.stdout.endswith(" []\n")
    assert SECRET not in ran.stdout
