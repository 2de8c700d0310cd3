"""FastAPI and Starlette: what a delivery raises, and that no answer makes a success of it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi import Request as FastAPIRequest
from fastapi.responses import PlainTextResponse, RedirectResponse
from starlette.applications import Starlette
from starlette.routing import Route

from dubhooks import MemoryStore, Reject, RetryLater, Webhooks, asgi
from dubhooks.fastapi import router, webhook
from dubhooks.webhooks import LinkClicked, PayoutConfirmed, SaleCreated
from tests.support.adapters.clients import AsgiClient, Response, Watched
from tests.support.adapters.handlers import of_kind
from tests.support.adapters.situations import (
    LINK,
    OWN_BODY,
    PAYOUT_REQUEST,
    SALE_REQUEST,
    SECRET,
    HandlerFailed,
    Request,
    with_signature,
)

Log = pytest.LogCaptureFixture
FAILED = b'{"outcome":"failed"}'
RAISED_500 = b'{"detail":"failed"}'
KINDS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


def failing(error: Exception, *, is_async: bool) -> tuple[Any, list[str]]:
    """Return a handler that raises, and the ids of what it was called with."""
    runs: list[str] = []

    def fail(event: SaleCreated | PayoutConfirmed) -> None:
        runs.append(event.id)
        raise error

    return of_kind(fail, is_async=is_async), runs


def failing_route(error: Exception, *, is_async: bool) -> tuple[FastAPI, list[str]]:
    """Return an application with a decorated route whose handler raises, and its runs."""
    app, (handler, runs) = FastAPI(), failing(error, is_async=is_async)
    decorate = webhook(Webhooks(SECRET, store=MemoryStore()), SaleCreated, PayoutConfirmed)
    app.post("/webhooks/dub")(decorate(handler))
    return app, runs


def seen(response: Response) -> tuple[int, bytes]:
    """Return what Dub looks at."""
    return response.status, response.body


def as_router(hooks: Webhooks) -> Any:
    """Serve in a router of a router, behind prefixes."""
    app, outer = FastAPI(), APIRouter()
    outer.include_router(router(hooks), prefix="/inner")
    app.include_router(outer, prefix="/outer")
    return app, "/outer/inner/webhooks/dub"


def in_starlette(hooks: Webhooks) -> Any:
    """Serve as a route of Starlette's."""
    return Starlette(routes=[Route("/x", asgi.app(hooks))]), "/x"


@KINDS
@pytest.mark.parametrize("serve", [as_router, in_starlette])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (HandlerFailed(), HandlerFailed),
        (HandlerFailed(), Exception),
        (HandlerFailed(), 500),
        (HTTPException(404), HTTPException),
        (HTTPException(307, headers={"Location": "/login"}), 307),
    ],
)
@pytest.mark.parametrize("page", [PlainTextResponse("sorry"), RedirectResponse("/login")])
def test_a_registered_handler_that_raises(
    error: Exception, kind: Any, page: Any, serve: Any, is_async: bool
) -> None:
    """500 is sent before anybody can answer otherwise; then the exception goes on to the server."""
    hooks = Webhooks(SECRET, store=MemoryStore())
    handler, runs = failing(error, is_async=is_async)
    hooks.on(SaleCreated, PayoutConfirmed)(handler)
    app, path = serve(hooks)
    app.add_exception_handler(kind, lambda *_: page)
    watched = Watched(app)
    for request in (SALE_REQUEST, PAYOUT_REQUEST, SALE_REQUEST):
        response = request.send(AsgiClient(watched, path))
        assert seen(response) == (500, FAILED)
        assert "location" not in response.headers
    assert len(runs) == 3
    # Starlette wraps an exception that somebody has a handler for.
    raised = [one.__cause__ if type(one) is RuntimeError else one for one in watched.raised]
    assert raised == [error] * 3


@KINDS
def test_a_route_that_raises(is_async: bool) -> None:
    """What a route's handler raises leaves it as it is, and the event runs again."""
    error = HandlerFailed()
    app, runs = failing_route(error, is_async=is_async)
    watched = Watched(app)
    assert [SALE_REQUEST.send(AsgiClient(watched)).status for _ in range(2)] == [500, 500]
    assert watched.raised == [error, error]
    assert len(runs) == 2


@KINDS
@pytest.mark.parametrize("status", [200, 204, 303, 304, 307])
def test_an_http_exception_below_400(status: int, is_async: bool, caplog: Log) -> None:
    """An ``HTTPException`` that Dub would take for success is 500, and the event runs again."""
    error = HTTPException(status, headers={"Location": "/"})
    app, runs = failing_route(error, is_async=is_async)
    for _ in range(2):
        response = PAYOUT_REQUEST.send(AsgiClient(app))
        assert (seen(response), "location" in response.headers) == ((500, RAISED_500), False)
    assert len(runs) == 2
    assert f"HTTPException({status})" in caplog.text


@KINDS
def test_pages_of_errors_are_sent_as_they_are(is_async: bool, caplog: Log) -> None:
    """An application's own answer from 400 on is for Dub too, and nothing is logged about it."""
    app, _ = failing_route(HTTPException(404), is_async=is_async)

    @app.exception_handler(404)
    def page(_: FastAPIRequest, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(OWN_BODY, 418, {"X-Page": "own"})

    response = SALE_REQUEST.send(AsgiClient(app))
    assert (seen(response), response.headers["x-page"]) == ((418, OWN_BODY.encode()), "own")
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


def login() -> None:
    """Send visitors without a session to a login page."""
    raise HTTPException(307, headers={"Location": "/login"})


@pytest.mark.parametrize("request_", [SALE_REQUEST, PAYOUT_REQUEST], ids=["sale", "payout"])
def test_a_dependency_that_redirects(request_: Request, caplog: Log) -> None:
    """A login that is a dependency of the handler marks no payout as paid."""
    app = FastAPI()

    @app.post("/webhooks/dub")
    @webhook(Webhooks(SECRET), SaleCreated, PayoutConfirmed)
    def unreachable(
        event: SaleCreated | PayoutConfirmed, _: Annotated[None, Depends(login)]
    ) -> None:
        raise AssertionError

    assert seen(request_.send(AsgiClient(app))) == (500, RAISED_500)
    assert "HTTPException(307)" in caplog.text
    assert with_signature().send(AsgiClient(app)).status == 401


journal: list[str] = []


@pytest.fixture(autouse=True)
def _empty_journal() -> None:
    journal.clear()


class Session:
    """A transaction that notes how it ends, as ``with Session.begin()`` ends one."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        journal.append("commit" if kind is None else "rollback")


def get_session() -> Iterator[Session]:
    """Open a transaction for one request."""
    with Session() as session:
        yield session


async def get_session_async() -> AsyncIterator[Session]:
    """Open a transaction for one request, on the event loop."""
    with Session() as session:
        yield session


ENDINGS = {
    "raises": (HandlerFailed(), 500),
    "HTTPException": (HTTPException(404), 404),
    "redirects": (HTTPException(307, headers={"Location": "/"}), 500),
    "returns a redirect": (RedirectResponse("/"), 500),
    "RetryLater": (RetryLater(after=5), 503),
    "Reject": (Reject(), 489),
    "handled": (None, 200),
}


def serve(ending: Any, hooks: Webhooks, get: Any, *, is_async: bool) -> AsgiClient:
    """Serve a route for sales whose handler ends so, with a transaction beside the event."""

    def end(event: SaleCreated, session: Annotated[Session, Depends(get)]) -> Any:
        if isinstance(ending, Exception):
            raise ending
        return ending

    end.__annotations__ = {"session": Annotated[Session, Depends(get)]}
    app = FastAPI()
    app.post("/webhooks/dub")(webhook(hooks, SaleCreated)(of_kind(end, is_async=is_async)))
    return AsgiClient(app)


@KINDS
@pytest.mark.parametrize("get", [get_session, get_session_async])
@pytest.mark.parametrize("name", ENDINGS)
def test_a_transaction_around_the_handler(name: str, get: Any, is_async: bool) -> None:
    """It is committed after a handled event only, and the status is what Dub must see."""
    ending, status = ENDINGS[name]
    hooks = Webhooks(SECRET, store=MemoryStore())
    client = serve(ending, hooks, get, is_async=is_async)
    assert SALE_REQUEST.send(client).status == status
    assert journal == ["commit" if status == 200 else "rollback"]


@pytest.mark.parametrize("get", [get_session, get_session_async])
def test_a_handler_of_on_that_the_route_falls_back_to(get: Any) -> None:
    """What it raises rolls the route's dependencies back as well."""
    hooks = Webhooks(SECRET)

    @hooks.on(LinkClicked)
    def fail(event: LinkClicked) -> None:
        raise HandlerFailed

    client = serve(None, hooks, get, is_async=False)
    assert LINK.send(client).status == 500
    assert journal == ["rollback"]
