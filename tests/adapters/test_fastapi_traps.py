"""The traps that docs/fastapi.md names are as it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
import starlette
from fastapi import Depends, FastAPI
from fastapi import Request as FastAPIRequest
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import Mount, Router

from dubhooks import MemoryStore, Webhooks, asgi
from dubhooks.fastapi import router, webhook
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.clients import AsgiClient
from tests.support.adapters.situations import (
    PAYOUT_REQUEST,
    SALE_REQUEST,
    SECRET,
    HandlerFailed,
    with_signature,
)

PASSES_BODIES_ON = tuple(map(int, starlette.__version__.split(".")[:2])) >= (0, 28)
"""Starlette's middleware passes a body on that it has read (FastAPI 0.107)."""


def sale(event: SaleCreated) -> None:
    """Handle a sale."""


def get_committed() -> Iterator[None]:
    """Fail to commit when the handler is long done."""
    yield
    raise HandlerFailed


def test_commit_after_the_yield() -> None:
    """A commit after the yield fails when the event is done, so no retry makes up for it."""

    def handler(event: SaleCreated, _: Annotated[None, Depends(get_committed)]) -> None: ...

    records: list[str] = []
    hooks = Webhooks(
        SECRET, store=MemoryStore(), observers=[lambda one: records.append(one.outcome)]
    )
    app = FastAPI()
    app.post("/x")(webhook(hooks, SaleCreated)(handler))
    for _ in range(2):
        SALE_REQUEST.send(AsgiClient(app, "/x"))
    assert records == ["handled", "duplicate"]


@pytest.mark.parametrize(
    ("reads", "status", "code"), [("body", 200, "handled"), ("stream", 400, "body_empty")]
)
def test_middleware_that_reads(reads: str, status: int, code: str) -> None:
    """Middleware may call ``request.body()`` and not ``request.stream()``; neither is a 401."""
    app = FastAPI()
    app.post("/x")(webhook(Webhooks(SECRET), SaleCreated, read_timeout=0.2)(sale))

    @app.middleware("http")
    async def middleware(request: FastAPIRequest, call_next: Any) -> Any:
        if reads == "body":
            await request.body()
        else:
            async for _ in request.stream():
                pass
        return await call_next(request)

    response = SALE_REQUEST.send(AsgiClient(app, "/x"))
    expected = (status, code) if PASSES_BODIES_ON else (408, "body_too_slow")
    assert (response.status, expected[1] in response.body.decode()) == (expected[0], True)


@pytest.mark.parametrize(("redirects", "status"), [(True, 307), (False, 404)])
def test_slash(redirects: bool, status: int) -> None:
    """FastAPI redirects a decorated route with a slash too many, unless it is told not to."""
    app = FastAPI(redirect_slashes=redirects)
    app.post("/x")(webhook(Webhooks(SECRET), SaleCreated)(sale))
    assert SALE_REQUEST.send(AsgiClient(app, "/x/")).status == status


def test_mount_of_starlette() -> None:
    """Starlette redirects a mount without a slash."""
    app = Router([Mount("/webhooks/dub", asgi.app(Webhooks(SECRET)))])
    assert SALE_REQUEST.send(AsgiClient(app)).status == 307


def test_dependencies_of_the_application() -> None:
    """Dependencies of the application run before verification."""
    ran: list[bool] = []
    app = FastAPI(dependencies=[Depends(lambda: ran.append(True))])
    app.post("/x")(webhook(Webhooks(SECRET), SaleCreated)(sale))
    assert with_signature().send(AsgiClient(app, "/x")).status == 401
    assert ran == [True]


def test_an_exception_handler_that_changes_the_status() -> None:
    """One for ``HTTPException`` can turn a refusal into a success; our responses it cannot."""
    app = FastAPI()
    hooks = Webhooks(SECRET, store=MemoryStore())
    app.post("/x")(webhook(hooks, SaleCreated)(sale))

    @app.exception_handler(StarletteHTTPException)
    async def fine(_: FastAPIRequest, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("sorry")

    client = AsgiClient(app, "/x")
    assert with_signature().send(client).status == 200
    assert [one.send(client).status for one in (PAYOUT_REQUEST, SALE_REQUEST)] == [501, 200]


def test_an_exception_handler_of_everything() -> None:
    """One for ``Exception`` can turn a failure into a success, but not behind the router."""
    app = FastAPI()
    hooks = Webhooks(SECRET)

    @hooks.on(SaleCreated)
    def fail(event: SaleCreated) -> None:
        raise HandlerFailed

    app.include_router(router(hooks, path="/router"))
    app.post("/route")(webhook(Webhooks(SECRET), SaleCreated)(fail))
    app.add_exception_handler(HandlerFailed, lambda *_: PlainTextResponse("sorry"))
    statuses = [SALE_REQUEST.send(AsgiClient(app, path)).status for path in ("/route", "/router")]
    assert statuses == [200, 500]


ended: list[str] = []


def get_session() -> Iterator[None]:
    """Note that a transaction would be committed."""
    yield
    ended.append("commit")


def returns_500(event: SaleCreated, session: Annotated[None, Depends(get_session)]) -> Any:
    """Return a failure."""
    return PlainTextResponse("", 500)


def test_a_response_commits() -> None:
    """A failure that is returned rolls nothing back, as in FastAPI everywhere: raise it."""
    app = FastAPI()
    app.post("/x")(webhook(Webhooks(SECRET), SaleCreated)(returns_500))
    assert SALE_REQUEST.send(AsgiClient(app, "/x")).status == 500
    assert ended == ["commit"]
