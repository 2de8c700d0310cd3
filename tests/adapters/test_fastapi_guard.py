"""FastAPI: no exception of a delivery becomes an answer that Dub takes for success."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Annotated, Any

import pytest
import starlette
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException
from fastapi import Request as FastAPIRequest
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from dubhooks import ConfigurationError, MemoryStore, Webhooks
from dubhooks.fastapi import router, webhook
from dubhooks.testing import make_event
from dubhooks.webhooks import PayoutConfirmed, SaleCreated
from tests.support.adapters.clients import AsgiClient, Response
from tests.support.adapters.situations import (
    OWN_BODY,
    PAYOUT,
    PAYOUT_REQUEST,
    SALE_REQUEST,
    SECRET,
    HandlerFailed,
    Request,
    with_signature,
)

FAILED = b'{"outcome":"failed"}'
MOUNTS = pytest.mark.parametrize("mount", ["webhook", "router", "async webhook", "async router"])


def failing(app: FastAPI | APIRouter, error: Exception, mount: str = "webhook") -> list[str]:
    """Serve sales and payouts with a handler that raises; return what it was called with."""
    hooks = Webhooks(SECRET, store=MemoryStore())
    runs: list[str] = []

    def fail(event: SaleCreated | PayoutConfirmed) -> None:
        runs.append(event.id)
        raise error

    async def fail_async(event: SaleCreated | PayoutConfirmed) -> None:
        fail(event)

    handler: Any = fail_async if mount.startswith("async") else fail
    if mount.endswith("router"):
        hooks.on(SaleCreated, PayoutConfirmed)(handler)
        app.include_router(router(hooks))
    else:
        app.post("/webhooks/dub")(webhook(hooks, SaleCreated, PayoutConfirmed)(handler))
    return runs


def seen(response: Response) -> tuple[int, bytes]:
    """Return what Dub looks at."""
    return response.status, response.body


@MOUNTS
@pytest.mark.parametrize("kind", [HandlerFailed, Exception, 500], ids=["its own", "any", "500"])
@pytest.mark.parametrize("page", [PlainTextResponse("sorry"), RedirectResponse("/login")])
def test_an_exception_handler_cannot_make_it_a_success(
    kind: Any, page: Any, mount: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A page that answers 200 or redirects loses no event: Dub is told 500, and sends again."""
    app = FastAPI()
    runs = failing(app, HandlerFailed(), mount)
    told: list[Exception] = []

    @app.exception_handler(kind)
    async def friendly(_: FastAPIRequest, error: Exception) -> Any:
        told.append(error)
        return page

    for request in (SALE_REQUEST, PAYOUT_REQUEST, SALE_REQUEST):
        assert seen(request.send(AsgiClient(app))) == (500, FAILED)
    assert (len(runs), len(told)) == (3, 3)
    assert f"answered {page.status_code} for a delivery that was not handled" in caplog.text


@MOUNTS
@pytest.mark.parametrize("status", [200, 204, 303, 304])
def test_an_http_exception_below_400(
    status: int, mount: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An ``HTTPException`` that would be taken for success is 500, and the event runs again."""
    app = FastAPI()
    runs = failing(app, HTTPException(status, headers={"Location": "/"}), mount)
    for _ in range(2):
        response = PAYOUT_REQUEST.send(AsgiClient(app))
        assert (seen(response), "location" in response.headers) == ((500, FAILED), False)
    assert len(runs) == 2
    assert "HTTPException below 400" in caplog.text


@MOUNTS
def test_pages_of_errors_are_sent_as_they_are(mount: str, caplog: pytest.LogCaptureFixture) -> None:
    """An application's own answer from 400 on is for Dub too, and nothing is logged about it."""
    app = FastAPI()
    failing(app, HTTPException(404), mount)

    @app.exception_handler(404)
    def page(_: FastAPIRequest, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(OWN_BODY, 418, {"X-Page": "own"})

    response = SALE_REQUEST.send(AsgiClient(app))
    assert (seen(response), response.headers["x-page"]) == ((418, OWN_BODY.encode()), "own")
    assert "not handled" not in caplog.text


def login() -> None:
    """Send visitors without a session to a login page."""
    raise HTTPException(307, headers={"Location": "/login"})


@pytest.mark.parametrize("is_payout", [False, True])
def test_a_dependency_that_redirects(is_payout: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A login that is a dependency of the handler marks no payout as paid."""
    store = MemoryStore()
    app = FastAPI()

    @app.post("/webhooks/dub")
    @webhook(Webhooks(SECRET, store=store), SaleCreated, PayoutConfirmed)
    def unreachable(
        event: SaleCreated | PayoutConfirmed, _: Annotated[None, Depends(login)]
    ) -> None:
        raise AssertionError

    request = PAYOUT_REQUEST if is_payout else SALE_REQUEST
    assert seen(request.send(AsgiClient(app))) == (500, FAILED)
    assert "answered 307" in caplog.text
    assert seen(with_signature().send(AsgiClient(app)))[0] == 401


def test_a_parameter_that_is_missing() -> None:
    """A page for invalid requests that forgets its status makes no success of one."""
    app = FastAPI()

    @app.post("/webhooks/dub")
    @webhook(Webhooks(SECRET), SaleCreated)
    def unreachable(event: SaleCreated, shop: str) -> None:
        raise AssertionError

    assert SALE_REQUEST.send(AsgiClient(app)).status == 422

    @app.exception_handler(RequestValidationError)
    async def page(_: FastAPIRequest, error: Exception) -> JSONResponse:
        return JSONResponse({})

    app.middleware_stack = None  # as in an application that has served nothing yet
    assert seen(SALE_REQUEST.send(AsgiClient(app))) == (500, FAILED)


def test_a_secret_that_cannot_be_read() -> None:
    """What fails before verification cannot become a success either."""

    def secret() -> str:
        raise HandlerFailed

    for is_router in (False, True):
        app = FastAPI()
        hooks = Webhooks(secret)
        app.add_exception_handler(Exception, lambda *_: PlainTextResponse("sorry"))
        if is_router:
            app.include_router(router(hooks))
        else:
            app.post("/webhooks/dub")(webhook(hooks, SaleCreated)(sale))
        assert seen(SALE_REQUEST.send(AsgiClient(app))) == (500, FAILED)


def sale(event: SaleCreated) -> None:
    """Handle a sale."""


@MOUNTS
def test_other_requests_are_left_alone(mount: str, caplog: pytest.LogCaptureFixture) -> None:
    """The application's handlers answer what they like to every other request."""
    app = FastAPI()
    failing(app, HandlerFailed(), mount)

    @app.get("/page")
    def page() -> None:
        raise HandlerFailed

    @app.get("/login")
    def to_login() -> None:
        raise HTTPException(307, headers={"Location": "/elsewhere"})

    @app.exception_handler(HandlerFailed)
    def friendly(_: FastAPIRequest, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("sorry")

    assert SALE_REQUEST.send(AsgiClient(app)).status == 500
    caplog.clear()
    assert seen(AsgiClient(app, "/page").post(b"", [], method="GET")) == (200, b"sorry")
    redirect = AsgiClient(app, "/login").post(b"", [], method="GET")
    assert (redirect.status, redirect.headers["location"]) == (307, "/elsewhere")
    assert seen(with_signature().send(AsgiClient(app)))[0] == 401
    assert "not handled" not in caplog.text


@pytest.mark.parametrize("is_async", [False, True])
def test_exception_handlers_run_where_they_ran(is_async: bool) -> None:
    """A sync exception handler still runs in a thread, and an async one on the event loop."""
    app = FastAPI()
    failing(app, HandlerFailed())
    threads: list[int] = []

    def page(_: FastAPIRequest, error: Exception) -> PlainTextResponse:
        threads.append(threading.get_ident())
        return PlainTextResponse("sorry")

    async def async_page(request: FastAPIRequest, error: Exception) -> PlainTextResponse:
        return page(request, error)

    app.add_exception_handler(HandlerFailed, async_page if is_async else page)
    for _ in range(2):
        assert SALE_REQUEST.send(AsgiClient(app)).status == 500
    assert [thread == threading.get_ident() for thread in threads] == [is_async, is_async]


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


def test_a_background_task_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """A task runs after the answer, so nothing is said about a delivery that was handled."""
    app = FastAPI()

    def fail() -> None:
        raise HandlerFailed

    @app.post("/webhooks/dub")
    @webhook(Webhooks(SECRET), SaleCreated)
    def handler(event: SaleCreated, tasks: BackgroundTasks) -> None:
        tasks.add_task(fail)

    app.add_exception_handler(Exception, lambda *_: PlainTextResponse("sorry"))
    assert SALE_REQUEST.send(AsgiClient(app)).status == 200
    assert "not handled" not in caplog.text


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


def in_an_included_router(app: FastAPI, mount: str) -> str:
    """Serve behind two prefixes."""
    inner, outer = APIRouter(), APIRouter()
    failing(inner, HandlerFailed(), mount)
    outer.include_router(inner, prefix="/inner")
    app.include_router(outer, prefix="/outer")
    return "/outer/inner/webhooks/dub"


def behind_middleware(app: FastAPI, mount: str) -> str:
    """Serve behind middleware of both kinds."""
    failing(app, HandlerFailed(), mount)
    app.add_middleware(Pure)
    if not starlette.__version__.startswith("0."):  # before, it leaves a stream open on exceptions
        app.add_middleware(Passing)
    return "/webhooks/dub"


@MOUNTS
@pytest.mark.parametrize("kind", [HandlerFailed, Exception], ids=["its own", "any"])
@pytest.mark.parametrize("served", [in_an_included_router, behind_middleware])
@pytest.mark.parametrize("is_mounted", [False, True], ids=["alone", "mounted"])
def test_wherever_it_is_served(
    served: Callable[[FastAPI, str], str], kind: Any, mount: str, is_mounted: bool
) -> None:
    """Routers, middleware and applications around the route change nothing."""
    app = FastAPI()
    path = served(app, mount)
    app.add_exception_handler(kind, lambda *_: PlainTextResponse("sorry"))
    if is_mounted:
        outer = FastAPI()
        outer.mount("/shop", app)
        outer.add_exception_handler(Exception, lambda *_: PlainTextResponse("sorry"))
        app, path = outer, f"/shop{path}"
    for _ in range(2):
        assert seen(SALE_REQUEST.send(AsgiClient(app, path))) == (500, FAILED)


def test_the_exception_still_reaches_the_server() -> None:
    """What an error report hooks into sees the exception, whatever is answered."""
    app = FastAPI()
    failing(app, HandlerFailed())
    app.add_exception_handler(Exception, lambda *_: PlainTextResponse("sorry"))
    reached: list[Exception] = []

    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:
            reached.append(error)
            raise

    assert SALE_REQUEST.send(AsgiClient(server)).status == 500
    assert [type(error) for error in reached] == [HandlerFailed]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_payout_that_is_sent_under_two_ids(is_async: bool) -> None:
    """``dedupe="natural"`` pays it once; the event's id alone does not tell."""
    paid: list[str] = []

    def pay(event: PayoutConfirmed) -> None:
        paid.append(event.data.id)

    async def pay_async(event: PayoutConfirmed) -> None:
        pay(event)

    again = Request(make_event(PayoutConfirmed, data__id=PAYOUT.data.id).to_json())
    assert again.body != PAYOUT_REQUEST.body
    for dedupe, times in (("natural", 1), ("id", 2)):
        app, hooks = FastAPI(), Webhooks(SECRET, store=MemoryStore())
        route: Any = webhook(hooks, PayoutConfirmed, dedupe=dedupe)  # type: ignore[call-overload]
        app.post("/webhooks/dub")(route(pay_async if is_async else pay))
        client = AsgiClient(app)
        assert [request.send(client).status for request in (PAYOUT_REQUEST, again)] == [200, 200]
        assert paid == [PAYOUT.data.id] * times
        paid.clear()


def test_a_dedupe_that_cannot_work() -> None:
    """It is refused where the handler is decorated."""
    with pytest.raises(ConfigurationError, match="needs a store"):
        webhook(Webhooks(SECRET), PayoutConfirmed, dedupe="natural")
    with pytest.raises(ConfigurationError, match='"id" or "natural"'):
        webhook(Webhooks(SECRET), PayoutConfirmed, dedupe="both")  # type: ignore[call-overload]


def postponed(event: Nobody | Knows) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Have an annotation that only a type checker can resolve."""


def test_an_annotation_that_cannot_be_resolved() -> None:
    """A handler whose event only a type checker knows is accepted."""
    app = FastAPI()
    app.post("/webhooks/dub")(webhook(Webhooks(SECRET), SaleCreated)(postponed))
    assert SALE_REQUEST.send(AsgiClient(app)).status == 200
