"""What stands beside the event in a route of FastAPI, and in which order it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pytest
from behaviour import PAYOUT_REQUEST, SALE, SALE_REQUEST, SECRET, Request, with_signature
from clients import AsgiClient, Response
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Header, HTTPException
from fastapi import Request as FastAPIRequest
from fastapi import Response as FastAPIResponse
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel

from dubhooks import Claim, MemoryStore, Reject, RetryLater, Webhooks
from dubhooks.fastapi import webhook
from dubhooks.webhooks import SaleCreated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nowhere import Nothing  # a name that only a type checker would look for

seen: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


class SeenStore(MemoryStore):
    """A memory store that notes when it is asked."""

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim, and note it."""
        seen.append("claim")
        return super().claim(key, token, fingerprint=fingerprint, lease=lease, retention=retention)

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Complete, and note it."""
        seen.append("complete")
        return super().complete(key, token, retention=retention)

    def release(self, key: str, token: str) -> bool:
        """Release, and note it."""
        seen.append("release")
        return super().release(key, token)


def get_source(source: str = "none") -> str:
    """Be a dependency."""
    seen.append("dependency")
    return source


Source = Annotated[str, Depends(get_source)]


def endpoint(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return the endpoint of a handler of sales."""
    hooks = Webhooks(SECRET, store=SeenStore())
    return webhook(hooks, SaleCreated)(handler)


def answer(
    handler: Callable[..., Any], path: str = "/x", request: Request = SALE_REQUEST, **route: Any
) -> Response:
    """Return what a route at ``path`` answers."""
    app = FastAPI()
    app.post("/x", **route)(endpoint(handler))
    return request.send(AsgiClient(app, path))


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


class Receipt(BaseModel):
    """A response model."""

    sale: str


def test_response_model() -> None:
    """FastAPI makes the response of what a handler returns, by its annotation."""

    def sale(event: SaleCreated) -> Receipt:
        return Receipt(sale=event.id)

    app = FastAPI()
    app.post("/x", status_code=201)(endpoint(sale))
    response = SALE_REQUEST.send(AsgiClient(app, "/x"))
    assert (response.status, response.body) == (201, f'{{"sale":"{SALE.id}"}}'.encode())
    schema = app.openapi()["paths"]["/x"]["post"]["responses"]["201"]["content"]
    assert schema["application/json"]["schema"]["$ref"].endswith("/Receipt")


def test_duplicate_of_a_response_model() -> None:
    """A duplicate has dubhooks' own reply, which need not fit the response model."""

    def sale(event: SaleCreated) -> Receipt:
        return Receipt(sale=event.id)

    app = FastAPI()
    app.post("/x")(endpoint(sale))
    client = AsgiClient(app, "/x")
    assert [SALE_REQUEST.send(client).body for _ in range(2)] == [
        f'{{"sale":"{SALE.id}"}}'.encode(),
        b'{"outcome":"duplicate"}',
    ]


def returns_none(event: SaleCreated) -> None:
    """Return nothing."""


def returns_dict(event: SaleCreated) -> dict[str, int]:
    """Return what FastAPI serialises."""
    return {"amount": 1}


def sets_201(event: SaleCreated, response: FastAPIResponse) -> None:
    """Set a status as FastAPI's documentation has it."""
    response.status_code = 201


def sets_500(event: SaleCreated, response: FastAPIResponse) -> dict[str, int]:
    """Answer a failure without raising."""
    response.status_code = 500
    return {"amount": 1}


def sets_302(event: SaleCreated, response: FastAPIResponse) -> dict[str, int]:
    """Answer a redirect without a response."""
    response.status_code = 302
    return {"amount": 1}


def returns_500(event: SaleCreated) -> JSONResponse:
    """Return a failure."""
    return JSONResponse({"amount": 1}, 500)


def returns_redirect(event: SaleCreated) -> RedirectResponse:
    """Return a redirect."""
    return RedirectResponse("/elsewhere")


def returns_address(event: SaleCreated) -> str:
    """Return where a redirecting response class redirects to."""
    return "/elsewhere"


def raises_404(event: SaleCreated) -> None:
    """Raise what FastAPI answers itself."""
    raise HTTPException(404, headers={"X-Why": "unknown customer"})


@pytest.mark.parametrize(
    ("handler", "route", "status", "settled"),
    [
        (returns_none, {}, 200, "complete"),
        (returns_none, {"status_code": 202}, 202, "complete"),
        (returns_none, {"status_code": 204}, 204, "complete"),
        (returns_dict, {}, 200, "complete"),
        (returns_dict, {"status_code": 201}, 201, "complete"),
        (returns_dict, {"status_code": 500}, 500, "release"),
        (returns_dict, {"status_code": 307}, 500, "release"),
        (returns_dict, {"response_class": HTMLResponse, "status_code": 300}, 500, "release"),
        (returns_address, {"response_class": RedirectResponse}, 500, "release"),
        (sets_201, {}, 201, "complete"),
        (sets_201, {"status_code": 500}, 201, "complete"),
        (sets_500, {"status_code": 200}, 500, "release"),
        (sets_302, {}, 500, "release"),
        (returns_500, {}, 500, "release"),
        (returns_500, {"status_code": 200}, 500, "release"),
        (returns_redirect, {}, 500, "release"),
        (raises_404, {}, 404, "release"),
    ],
)
def test_status(
    handler: Callable[..., Any], route: dict[str, Any], status: int, settled: str
) -> None:
    """The status that is sent decides whether the claim is completed, wherever it was set."""
    response = answer(handler, **route)
    assert (response.status, seen[-1]) == (status, settled)
    assert "location" not in response.headers
    assert (response.body == b"") == (status == 204)


def test_http_exception_is_fastapis() -> None:
    """An HTTPException of the handler keeps its headers and FastAPI's body."""
    response = answer(raises_404)
    assert response.headers["x-why"] == "unknown customer"
    assert response.body == b'{"detail":"Not Found"}'


@pytest.mark.parametrize("ending", [None, RetryLater(), Reject(), HTTPException(500), "500"])
def test_background_tasks(ending: Any) -> None:
    """Background tasks run after a handled delivery, and after no other."""

    async def sale(event: SaleCreated, tasks: BackgroundTasks) -> Any:
        tasks.add_task(seen.append, "task")
        if isinstance(ending, Exception):
            raise ending
        return JSONResponse({}, 500) if ending else None

    answer(sale)
    assert ("task" in seen) == (ending is None)


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
    """A handler may be an object with a coroutine for ``__call__``, and a bound method."""

    class Sales:
        async def __call__(self, event: SaleCreated, source: Source) -> None:
            seen.append(f"object {source}")

        def method(self, event: SaleCreated, source: Source) -> None:
            seen.append(f"method {source}")

    for handler, noted in ((Sales(), "object none"), (Sales().method, "method none")):
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


def test_dependencies_of_a_router_run_first() -> None:
    """FastAPI runs a router's own dependencies before those of a route's parameters."""

    def sale(event: SaleCreated) -> None: ...

    app = FastAPI(dependencies=[Depends(get_source)])
    app.post("/x")(endpoint(sale))
    assert with_signature().send(AsgiClient(app, "/x")).status == 401
    assert seen == ["dependency"]


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
