"""ASGI and FastAPI: no variable of ours shows a body, a signature or a secret."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Header
from fastapi import Request as FastAPIRequest
from starlette.applications import Starlette
from starlette.routing import Route

import dubhooks.fastapi
from dubhooks import MemoryStore, SQLiteStore, Webhooks, asgi, sign
from dubhooks.testing import make_event
from dubhooks.webhooks import LinkCreated
from tests.support.adapters.clients import AsgiClient, Watched
from tests.support.adapters.situations import SECRET, signed
from tests.support.frames import variables_that_show

PASSWORD = "link-password-77"
BODY = make_event(LinkCreated, data__password=PASSWORD).to_json()
MARKS = (PASSWORD, sign(BODY, SECRET), SECRET)


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


def raised(app: Any) -> BaseException:
    """Deliver a link, and return what reaches the server."""
    watched = Watched(app)
    assert AsgiClient(watched).post(BODY, signed(BODY)).status == 500
    return watched.raised[0]


STORES: dict[str, Any] = {
    "no store": lambda _: None,
    "memory": lambda _: MemoryStore(),
    "sqlite": lambda path: SQLiteStore(path / "claims.db"),
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("door", ["router", "starlette", "webhook", "asgi"])
def test_a_handler_fails(
    door: str, is_async: bool, store: str, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What the handler raised carries no frame of ours that shows the payload or the secret."""
    caplog.set_level(logging.ERROR, "dubhooks")
    claims = STORES[store](tmp_path)
    hooks, app = Webhooks(SECRET, store=claims), FastAPI()
    error: BaseException | None
    if door == "webhook":
        handler: Any = fail_with_parameters_async if is_async else fail_with_parameters
        app.post("/webhooks/dub")(dubhooks.fastapi.webhook(hooks, LinkCreated)(handler))
        error = raised(app)
    else:
        hooks.on(LinkCreated)(fail_async if is_async else fail)
        app.include_router(dubhooks.fastapi.router(hooks))
        plain = asgi.app(hooks)
        starlette = Starlette(routes=[Route("/webhooks/dub", plain)])
        if door == "asgi":
            assert AsgiClient(plain).post(BODY, signed(BODY)).status == 500
            (record,) = [one for one in caplog.records if one.exc_info is not None]
            assert record.exc_info is not None
            error = record.exc_info[1]
        else:
            error = raised(app if door == "router" else starlette)
    if isinstance(claims, SQLiteStore):
        claims.close()
    assert isinstance(error, LookupError)
    assert variables_that_show(error, *MARKS) == []


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
