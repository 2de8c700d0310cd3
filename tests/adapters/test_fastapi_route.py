"""What stands beside the event in a route of FastAPI, and in which order it happens."""

from __future__ import annotations

from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from fastapi import BackgroundTasks, FastAPI, Header, HTTPException
from fastapi import Request as FastAPIRequest
from fastapi import Response as FastAPIResponse
from fastapi.responses import JSONResponse

from dubhooks import Claim, MemoryStore, Webhooks
from dubhooks.fastapi import webhook
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.clients import AsgiClient
from tests.support.adapters.fastapi_routes import Source, answer, endpoint, seen
from tests.support.adapters.situations import (
    LINK,
    PAYOUT_REQUEST,
    SALE,
    SALE_REQUEST,
    SECRET,
    Request,
    with_signature,
)

if TYPE_CHECKING:
    from collections.abc import Callable


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
    ("request_", "status", "ran"),
    [
        (with_signature(), 401, []),
        (with_signature("0" * 64), 401, []),
        (Request(b""), 400, []),
        (Request(b"{"), 400, ["dependency"]),
        (LINK, 200, ["dependency"]),
        (PAYOUT_REQUEST, 501, ["dependency"]),
    ],
)
def test_what_runs_without_the_handler(request_: Request, status: int, ran: list[str]) -> None:
    """No dependency runs before the signature has passed; from then on they run for every answer.

    Those are responses, which no exception handler of the application can change.
    """

    def sale(event: SaleCreated, source: Source) -> None: ...

    app = FastAPI()
    app.post("/x")(endpoint(sale))
    app.add_exception_handler(HTTPException, lambda *_: JSONResponse({}, status))
    response = request_.send(AsgiClient(app, "/x"))
    assert (response.status, seen) == (status, ran)
    assert (b"outcome" in response.body) == bool(ran)


async def takes_everything(
    event: SaleCreated,
    tenant: str,
    source: Source,
    request: FastAPIRequest,
    response: FastAPIResponse,
    tasks: BackgroundTasks,
    user_agent: Annotated[str, Header()] = "nobody",
    limit: int = 5,
) -> None:
    """Use everything that FastAPI offers."""
    response.headers["X-Sale"] = event.id
    tasks.add_task(seen.append, "task")
    seen.append(f"{tenant} {source} {request.method} {user_agent} {limit}")


def test_parameters() -> None:
    """Path, query and header parameters, dependencies and FastAPI's own objects work together."""
    app = FastAPI()
    app.post("/x/{tenant}")(endpoint(takes_everything))
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

    def sale(event: Any, source: Source) -> Any: ...

    sale.__annotations__ |= {"event": "Nothing", "return": "Nothing | None"}

    assert answer(sale).status == 200


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


def test_handler_stays_reachable() -> None:
    """The handler itself is there for tests to call."""

    def sale(event: SaleCreated) -> str:
        """Record a sale."""
        return event.id

    route: Any = endpoint(sale)
    assert route.__wrapped__(SALE) == SALE.id
    assert (route.__name__, route.__doc__) == ("sale", "Record a sale.")


def test_the_body_is_not_there_again() -> None:
    """The body was read to be verified: a handler has it in its event."""

    async def sale(event: SaleCreated, request: FastAPIRequest) -> None:
        with pytest.raises(RuntimeError):
            await request.body()
        seen.append(event.to_json().decode())

    assert answer(sale).status == 200
    assert SALE.to_json().decode() in seen


def test_a_decorator_in_between() -> None:
    """FastAPI fills in what a wrapped handler takes, and the signature of the route says so."""

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def inner(*args: Any, **options: Any) -> Any:
            seen.append("timed")
            return function(*args, **options)

        return inner

    @timed
    async def sale(event: SaleCreated, source: Source) -> None:
        seen.append(f"handler {source}")

    assert answer(sale).status == 200
    assert seen == ["dependency", "claim", "timed", "handler none", "complete"]
    assert "event" not in signature(endpoint(sale)).parameters
