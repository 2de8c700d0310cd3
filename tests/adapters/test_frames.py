"""Doors without Django: no variable of ours shows a body, a signature or a secret."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Header
from fastapi import Request as FastAPIRequest
from flask import Flask, got_request_exception
from starlette.applications import Starlette
from starlette.routing import Route

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
from dubhooks.testing import make_event
from dubhooks.webhooks import LinkCreated
from tests.support.adapters.clients import AsgiClient, Watched, WsgiClient
from tests.support.adapters.situations import SECRET, signed
from tests.support.frames import variables_that_show

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


def fail(event: LinkCreated) -> None:
    """Be a handler that raises."""
    raise LookupError("boom")


async def fail_async(event: LinkCreated) -> None:
    """Be a handler that raises."""
    fail(event)


def fail_with_parameters(
    event: LinkCreated, request: FastAPIRequest, dub_signature: Annotated[str, Header()]
) -> None:
    """Be a handler that takes what shows the signature."""
    del request, dub_signature
    fail(event)


async def fail_with_parameters_async(
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


def told_by_flask(app: Flask) -> BaseException:
    """Deliver a link; return what Flask tells error trackers about."""
    told: list[BaseException] = []

    def tell(sender: Any, exception: BaseException, **_: Any) -> None:
        told.append(exception)

    with got_request_exception.connected_to(tell, app):
        assert WsgiClient(app).post(BODY, signed(BODY)).status == 500
    return told[0]


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
    return told_by_flask(app)


def through_flask_webhook(hooks: Webhooks, _: Log, handler: Handler) -> BaseException:
    """Deliver to a decorated view."""
    app = Flask(__name__)
    app.post(PATH)(dubhooks.flask.webhook(hooks, LinkCreated)(handler))
    return told_by_flask(app)


def through_router(hooks: Webhooks, _: Log, __: Handler) -> BaseException:
    """Deliver to a router."""
    app = FastAPI()
    app.include_router(dubhooks.fastapi.router(hooks))
    return raised_by(app)


def through_fastapi_webhook(hooks: Webhooks, _: Log, handler: Handler) -> BaseException:
    """Deliver to a decorated route."""
    app, is_async = FastAPI(), handler is fail_async
    taking: Any = fail_with_parameters_async if is_async else fail_with_parameters
    app.post(PATH)(dubhooks.fastapi.webhook(hooks, LinkCreated)(taking))
    return raised_by(app)


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
    "aws_lambda.handler": lambda hooks, log, _: logged(
        log, aws_lambda.handler(hooks)(LAMBDA_EVENT, None)["statusCode"]
    ),
}
STORES: dict[str, Callable[[Any], Any]] = {
    "no store": lambda _: None,
    "memory": lambda _: MemoryStore(),
    "sqlite": lambda path: SQLiteStore(path / "claims.db"),
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("handler", [fail, fail_async])
@pytest.mark.parametrize("door", DOORS)
def test_a_handler_fails(
    door: str, handler: Handler, store: str, tmp_path: Any, caplog: Log
) -> None:
    """What the handler raised carries no frame of ours that shows the payload or the secret."""
    caplog.set_level(logging.ERROR, "dubhooks")
    claims = STORES[store](tmp_path)
    hooks = Webhooks(SECRET, store=claims)
    hooks.on(LinkCreated)(handler)
    error = DOORS[door](hooks, caplog, handler)
    if isinstance(claims, SQLiteStore):
        claims.close()
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
