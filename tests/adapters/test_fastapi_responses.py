"""What a route of FastAPI answers, and what becomes of the claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from fastapi import Response as FastAPIResponse
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel

from dubhooks import Reject, RetryLater
from dubhooks.testing import ASGIClient
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.clients import AsgiClient
from tests.support.adapters.fastapi_routes import answer, endpoint, seen
from tests.support.adapters.situations import (
    LINK,
    PAYOUT_REQUEST,
    SALE,
    SALE_REQUEST,
    SECRET,
    Request,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


class Receipt(BaseModel):
    """A response model."""

    sale: str


def test_duplicate_of_a_response_model() -> None:
    """A duplicate has dubhooks' own reply, which need not fit the response model."""

    def sale(event: SaleCreated) -> Receipt:
        return Receipt(sale=event.id)

    app = FastAPI()
    app.post("/x", response_model=Receipt)(endpoint(sale))
    client = AsgiClient(app, "/x")
    assert [SALE_REQUEST.send(client).body for _ in range(2)] == [
        f'{{"sale":"{SALE.id}"}}'.encode(),
        b'{"outcome":"duplicate"}',
    ]


def returns_no_json(event: SaleCreated) -> dict[str, object]:
    """Return what no JSON can be made of."""
    return {"sale": object()}


async def returns_no_json_async(event: SaleCreated) -> dict[str, object]:
    """Return what no JSON can be made of."""
    return returns_no_json(event)


@pytest.mark.parametrize("handler", [returns_no_json, returns_no_json_async])
def test_a_result_that_fastapi_cannot_send(handler: Callable[..., Any]) -> None:
    """FastAPI serialises when the event is done: the answer is 500, and the retry a duplicate."""
    app = FastAPI()
    app.post("/x")(endpoint(handler))
    client = AsgiClient(app, "/x")
    assert SALE_REQUEST.send(client).status == 500
    assert seen == ["claim", "complete"]
    retried = SALE_REQUEST.send(client)
    assert (retried.status, retried.body) == (200, b'{"outcome":"duplicate"}')


def returns_none(event: SaleCreated) -> None:
    """Return nothing."""


def returns_dict(event: SaleCreated) -> dict[str, int]:
    """Return what FastAPI serialises."""
    return {"amount": 1}


def sets(status: int) -> Callable[..., Any]:
    """Return a handler that sets a status as FastAPI's documentation has it."""

    def handler(event: SaleCreated, response: FastAPIResponse) -> dict[str, int]:
        response.status_code = status
        return {"amount": 1}

    return handler


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
        (sets(201), {}, 201, "complete"),
        (sets(201), {"status_code": 500}, 201, "complete"),
        (sets(500), {"status_code": 200}, 500, "release"),
        (sets(302), {}, 500, "release"),
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


def put_off(tasks: BackgroundTasks) -> None:
    """Be a dependency that puts something off."""
    tasks.add_task(seen.append, "task")


@pytest.mark.parametrize("request_", [LINK, PAYOUT_REQUEST, Request(b"{")])
def test_background_tasks_of_dependencies(request_: Request) -> None:
    """What a dependency puts off does not run either unless the delivery was handled."""

    def sale(event: SaleCreated, _: Annotated[None, Depends(put_off)]) -> None: ...

    assert answer(sale).status == 200
    assert seen.pop() == "task"
    seen.clear()
    answer(sale, request=request_)
    assert "task" not in seen


@pytest.mark.parametrize(
    ("error", "answered"),
    [
        (RetryLater(), (503, "retry", "retry_later")),
        (Reject(), (489, "rejected", None)),
        (HTTPException(307), (500, "failed", None)),
        (HTTPException(404), (404, None, None)),
    ],
)
def test_the_testing_client_knows_our_exceptions(error: Exception, answered: Any) -> None:
    """``ASGIClient`` says what became of a delivery, though FastAPI writes the answer."""

    def sale(event: SaleCreated) -> None:
        raise error

    app = FastAPI()
    app.post("/x")(endpoint(sale))
    client = ASGIClient(app, SECRET, path="/x")
    delivered, tampered = client.deliver(SALE), client.tamper(SALE)
    assert (delivered.status, delivered.outcome, delivered.code) == answered
    assert (tampered.outcome, tampered.code) == ("unauthorized", "signature_mismatch")
