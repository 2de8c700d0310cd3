"""FastAPI and Starlette: what a delivery raises, and that no answer makes a success of it."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import pytest
import starlette
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException
from fastapi import Request as FastAPIRequest
from fastapi.exceptions import ResponseValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dubhooks import MemoryStore, Reject, RetryLater, Webhooks, asgi
from dubhooks.fastapi import router, webhook
from dubhooks.webhooks import PayoutConfirmed, SaleCreated
from tests.support.adapters.clients import AsgiClient, Response
from tests.support.adapters.situations import (
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


def failing_receiver(error: Exception, *, is_async: bool) -> tuple[Webhooks, list[str]]:
    """Return a receiver whose handler raises, and the ids of what it was called with."""
    hooks = Webhooks(SECRET, store=MemoryStore())
    runs: list[str] = []

    def fail(event: SaleCreated | PayoutConfirmed) -> None:
        runs.append(event.id)
        raise error

    async def fail_async(event: SaleCreated | PayoutConfirmed) -> None:
        fail(event)

    hooks.on(SaleCreated, PayoutConfirmed)(fail_async if is_async else fail)
    return hooks, runs


def failing_route(error: Exception, *, is_async: bool = False) -> tuple[FastAPI, list[str]]:
    """Return an application with a decorated route whose handler raises, and its runs."""
    app, runs = FastAPI(), list[str]()

    def fail(event: SaleCreated | PayoutConfirmed) -> None:
        runs.append(event.id)
        raise error

    async def fail_async(event: SaleCreated | PayoutConfirmed) -> None:
        fail(event)

    decorate = webhook(Webhooks(SECRET, store=MemoryStore()), SaleCreated, PayoutConfirmed)
    app.post("/webhooks/dub")(decorate(fail_async if is_async else fail))
    return app, runs


class Watched:
    """An application, and what it raised."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.raised: list[Exception] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request as a server does."""
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            self.raised.append(error)
            raise


def seen(response: Response) -> tuple[int, bytes]:
    """Return what Dub looks at."""
    return response.status, response.body


class Passing(BaseHTTPMiddleware):
    """A middleware of Starlette's that does nothing."""

    async def dispatch(self, request: FastAPIRequest, call_next: Any) -> Any:
        """Pass everything on."""
        return await call_next(request)


class Pure:
    """A middleware that does nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        await self.app(scope, receive, send)


def as_router(hooks: Webhooks) -> Any:
    """Serve in a router of a router, behind prefixes."""
    app, outer = FastAPI(), APIRouter()
    outer.include_router(router(hooks), prefix="/inner")
    app.include_router(outer, prefix="/outer")
    return app, "/outer/inner/webhooks/dub"


def behind_middleware(hooks: Webhooks) -> Any:
    """Serve behind middleware of both kinds."""
    app = FastAPI()
    app.include_router(router(hooks))
    app.add_middleware(Pure)
    if not starlette.__version__.startswith("0."):  # before, it leaves a stream open on exceptions
        app.add_middleware(Passing)
    return app, "/webhooks/dub"


def in_starlette(hooks: Webhooks) -> Any:
    """Serve as a route of Starlette's."""
    return Starlette(routes=[Route("/x", asgi.app(hooks))]), "/x"


def mounted(hooks: Webhooks) -> Any:
    """Serve as an application that is mounted."""
    return Starlette(routes=[Mount("/x", asgi.app(hooks))]), "/x/"


@KINDS
@pytest.mark.parametrize("serve", [as_router, behind_middleware, in_starlette, mounted])
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
    hooks, runs = failing_receiver(error, is_async=is_async)
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


def test_alone_a_handler_that_raises_is_logged(caplog: Log) -> None:
    """Without a framework around it, the exception is logged and goes no further."""
    hooks, _ = failing_receiver(HandlerFailed(), is_async=True)
    watched = Watched(asgi.app(hooks))
    assert seen(SALE_REQUEST.send(AsgiClient(watched))) == (500, FAILED)
    assert not watched.raised
    assert "the handler of a delivery failed" in caplog.text


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


def test_control_flow_keeps_status_and_headers() -> None:
    """``RetryLater`` and ``Reject`` leave the route as ``HTTPException`` with our headers."""
    for error, status, name, value in (
        (RetryLater(after=300), 503, "retry-after", "300"),
        (Reject(), 489, "upstash-nonretryable-error", "true"),
    ):
        app, _ = failing_route(error)
        raised: list[HTTPException] = []

        @app.exception_handler(HTTPException)
        async def page(_: FastAPIRequest, error: Any, raised: Any = raised) -> JSONResponse:
            raised.append(error)
            return JSONResponse({"own": error.detail}, error.status_code, error.headers)

        response = SALE_REQUEST.send(AsgiClient(app))
        assert (response.status, response.headers[name]) == (status, value)
        assert response.body == f'{{"own":"{error.code}"}}'.encode()
        assert len(raised) == 1


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


def test_a_parameter_that_is_missing() -> None:
    """FastAPI's own 422 is sent to Dub, which sends the event again."""
    app = FastAPI()

    @app.post("/webhooks/dub")
    @webhook(Webhooks(SECRET), SaleCreated)
    def unreachable(event: SaleCreated, shop: str) -> None:
        raise AssertionError

    assert SALE_REQUEST.send(AsgiClient(app)).status == 422


def sale(event: SaleCreated) -> None:
    """Handle a sale."""


def test_a_secret_that_cannot_be_read() -> None:
    """Without a secret nothing is verified, and Dub is told to come again."""

    def secret() -> str:
        raise HandlerFailed

    hooks, app = Webhooks(secret), FastAPI()
    app.include_router(router(hooks, path="/router"))
    app.post("/route")(webhook(hooks, SaleCreated)(sale))
    for path, body in (("/router", b'{"outcome":"unavailable"}'), ("/route", b"")):
        response = SALE_REQUEST.send(AsgiClient(app, path))
        assert (response.status, response.headers["retry-after"]) == (503, "30")
        assert response.body == (body or b'{"detail":"unavailable"}')


def test_what_fails_after_the_handler() -> None:
    """A handled event stays one: what is wrong with its result is not for Dub to send again."""
    store, app = MemoryStore(), FastAPI()

    @app.post("/webhooks/dub", response_model=dict[str, int])
    @webhook(Webhooks(SECRET, store=store), SaleCreated)
    def handler(event: SaleCreated) -> Any:
        return {"id": event.id}

    @app.exception_handler(ResponseValidationError)
    def page(_: FastAPIRequest, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("sorry")

    assert seen(SALE_REQUEST.send(AsgiClient(app))) == (200, b"sorry")
    assert SALE_REQUEST.send(AsgiClient(app)).body == b'{"outcome":"duplicate"}'


def test_a_background_task_that_fails() -> None:
    """A task runs after the answer, so the delivery stays handled."""
    app = FastAPI()

    def fail() -> None:
        raise HandlerFailed

    @app.post("/webhooks/dub")
    @webhook(Webhooks(SECRET), SaleCreated)
    def handler(event: SaleCreated, tasks: BackgroundTasks) -> None:
        tasks.add_task(fail)

    assert SALE_REQUEST.send(AsgiClient(app)).status == 200


def test_other_requests_are_left_alone() -> None:
    """The application's handlers answer what they like to every other request."""
    app, _ = failing_route(HandlerFailed())

    @app.get("/page")
    def page() -> None:
        raise HandlerFailed

    @app.get("/login")
    def to_login() -> None:
        raise HTTPException(307, headers={"Location": "/elsewhere"})

    app.add_exception_handler(HandlerFailed, lambda *_: PlainTextResponse("sorry", 500))
    assert SALE_REQUEST.send(AsgiClient(app)).status == 500
    assert seen(AsgiClient(app, "/page").post(b"", [], method="GET")) == (500, b"sorry")
    redirect = AsgiClient(app, "/login").post(b"", [], method="GET")
    assert (redirect.status, redirect.headers["location"]) == (307, "/elsewhere")
