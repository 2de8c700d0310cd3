"""What stands beside the event in a route of FastAPI, and in which order it happens."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Header
from fastapi import Request as FastAPIRequest
from fastapi import Response as FastAPIResponse
from fastapi.responses import JSONResponse

from dubhooks import Claim, MemoryStore, RetryLater, Webhooks
from dubhooks.fastapi import webhook
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.behaviour import (
    PAYOUT_REQUEST,
    SALE,
    SALE_REQUEST,
    SECRET,
    Request,
    with_signature,
)
from tests.support.adapters.clients import AsgiClient
from tests.support.adapters.fastapi_routes import Source, answer, endpoint, seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nowhere import Nothing  # type: ignore[import-not-found]


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


def test_order() -> None:
    """The signature is verified, then dependencies run, then the event is claimed and handled."""

    def sale(event: SaleCreated, source: Source) -> None:
        seen.append(f"handler {event.id} {source}")

    assert answer(sale).status == 200
    assert seen == ["dependency", "claim", f"handler {SALE.id} none", "complete"]


@pytest.mark.parametrize(
    "request_", [with_signature(), with_signature("0" * 64), PAYOUT_REQUEST, Request(b"{")]
)
def test_nothing_runs_for_what_is_refused(request_: Request) -> None:
    """No dependency runs before the signature has passed, nor for an event of another route."""

    def sale(event: SaleCreated, source: Source) -> None: ...

    assert answer(sale, request=request_).status in (400, 401, 501)
    assert seen == []


def test_dependencies_run_for_a_duplicate() -> None:
    """A duplicate is found after the dependencies and before the handler."""

    def sale(event: SaleCreated, source: Source) -> None:
        seen.append("handler")

    app = FastAPI()
    app.post("/x")(endpoint(sale))
    client = AsgiClient(app, "/x")
    assert [SALE_REQUEST.send(client).status for _ in range(2)] == [200, 200]
    assert seen == ["dependency", "claim", "handler", "complete", "dependency", "claim"]


class Parameters:
    """Handlers that take everything FastAPI offers."""

    @staticmethod
    async def asynchronous(
        event: SaleCreated,
        tenant: str,
        source: Source,
        request: FastAPIRequest,
        response: FastAPIResponse,
        tasks: BackgroundTasks,
        user_agent: Annotated[str, Header()] = "nobody",
        limit: int = 5,
    ) -> None:
        """Use every parameter."""
        response.headers["X-Sale"] = event.id
        tasks.add_task(seen.append, "task")
        assert await request.body() == SALE.to_json()
        seen.append(f"{tenant} {source} {request.method} {user_agent} {limit}")

    @staticmethod
    def synchronous(
        event: SaleCreated,
        tenant: str,
        source: Source,
        request: FastAPIRequest,
        response: FastAPIResponse,
        tasks: BackgroundTasks,
        user_agent: Annotated[str, Header()] = "nobody",
        limit: int = 5,
    ) -> None:
        """Use every parameter."""
        response.headers["X-Sale"] = event.id
        tasks.add_task(seen.append, "task")
        seen.append(f"{tenant} {source} {request.method} {user_agent} {limit}")


@pytest.mark.parametrize("handler", [Parameters.asynchronous, Parameters.synchronous])
def test_parameters(handler: Callable[..., Any]) -> None:
    """Path, query and header parameters, dependencies and FastAPI's own objects work together."""
    app = FastAPI()
    app.post("/x/{tenant}")(endpoint(handler))
    response = SALE_REQUEST.send(AsgiClient(app, "/x/acme"))
    assert (response.status, response.headers["x-sale"]) == (200, SALE.id)
    assert response.body == b'{"outcome":"handled"}'
    assert seen == ["dependency", "claim", "acme none POST nobody 5", "complete", "task"]


def test_parameters_that_do_not_fit() -> None:
    """A path parameter that FastAPI refuses is FastAPI's 422, and nothing is claimed."""

    def sale(event: SaleCreated, tenant: int) -> None: ...

    app = FastAPI()
    app.post("/x/{tenant}")(endpoint(sale))
    client = AsgiClient(app, "/x/acme")
    assert SALE_REQUEST.send(client).status == 422
    assert with_signature().send(client).status == 401
    assert seen == []


def test_names_for_type_checkers_only() -> None:
    """A name that is imported for type checkers only breaks neither event nor return type."""

    def sale(event: Nothing, source: Source) -> Nothing | None: ...

    assert answer(sale).status == 200


def test_postponed_response_in_a_union() -> None:
    """A handler may say that it returns a response or nothing."""

    def sale(event: SaleCreated) -> JSONResponse | None:
        return JSONResponse({"id": event.id}, 201)

    assert answer(sale).status == 201


def test_sync_handler_is_in_one_thread() -> None:
    """A sync handler and its claims run in one worker thread, off the event loop."""
    from threading import get_ident

    threads: list[int] = []

    class Threads(MemoryStore):
        never_blocks = False

        def claim(self, *args: Any, **options: Any) -> Claim:
            threads.append(get_ident())
            return super().claim(*args, **options)

        def complete(self, *args: Any, **options: Any) -> bool:
            threads.append(get_ident())
            return super().complete(*args, **options)

    def sale(event: SaleCreated) -> None:
        threads.append(get_ident())

    app = FastAPI()
    app.post("/x")(webhook(Webhooks(SECRET, store=Threads()), SaleCreated)(sale))
    assert SALE_REQUEST.send(AsgiClient(app, "/x")).status == 200
    assert len(threads) == 3
    assert set(threads) != {get_ident()}
    assert len(set(threads)) == 1


def test_callable_object() -> None:
    """A handler may be an object with ``__call__``, a bound method or a partial."""

    class Sales:
        async def __call__(self, event: SaleCreated, source: Source) -> None:
            seen.append(f"object {source}")

        def method(self, event: SaleCreated, source: Source) -> None:
            seen.append(f"method {source}")

    handlers = (
        (Sales(), "object none"),
        (Sales().method, "method none"),
        (partial(Sales().method), "method none"),
    )
    for handler, noted in handlers:
        seen.clear()
        assert answer(handler).status == 200
        assert noted in seen


def test_event_is_positional() -> None:
    """The event's parameter may have any name, and may be positional only."""

    def sale(anything: SaleCreated, /, source: Source) -> None:
        seen.append(anything.id)

    assert answer(sale).status == 200
    assert SALE.id in seen


def test_handler_without_annotations() -> None:
    """Annotations are not needed."""

    def sale(event):  # type: ignore[no-untyped-def]
        seen.append(event.id)

    assert answer(sale).status == 200
    assert SALE.id in seen


def test_handler_stays_reachable() -> None:
    """The handler itself is there for tests to call."""

    def sale(event: SaleCreated) -> str:
        """Record a sale."""
        return event.id

    route: Any = endpoint(sale)
    assert route.__wrapped__(SALE) == SALE.id
    assert (route.__name__, route.__doc__) == ("sale", "Record a sale.")


def test_in_a_router_with_a_prefix() -> None:
    """A decorated route works in a router that an application includes."""
    router = APIRouter(prefix="/hooks")

    @router.post("/dub")
    @webhook(Webhooks(SECRET), SaleCreated)
    def sale(event: SaleCreated) -> None: ...

    app = FastAPI()
    app.include_router(router, prefix="/api")
    client = AsgiClient(app, "/api/hooks/dub")
    assert [SALE_REQUEST.send(client).status, with_signature().send(client).status] == [200, 401]


def get_session() -> Iterator[str]:
    """Be a dependency that cleans up."""
    try:
        yield "session"
    finally:
        seen.append("closed")


def test_yield_dependency_is_closed() -> None:
    """A dependency with yield is open while the handler runs, and closed whatever comes of it."""

    def sale(event: SaleCreated, session: Annotated[str, Depends(get_session)]) -> None:
        seen.append(session)
        raise RetryLater

    assert answer(sale).status == 503
    assert seen == ["claim", "session", "release", "closed"]
