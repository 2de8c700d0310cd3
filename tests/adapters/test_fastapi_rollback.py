"""Dependencies with ``yield`` commit when the handler succeeds, and roll back when it fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import RedirectResponse

from dubhooks import MemoryStore, Reject, RetryLater, Webhooks
from dubhooks.fastapi import webhook
from dubhooks.webhooks import LinkClicked, SaleCreated
from tests.support.adapters.clients import AsgiClient
from tests.support.adapters.situations import (
    LINK,
    SALE_REQUEST,
    SECRET,
    HandlerFailed,
    with_signature,
)

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

    async def end_async(event: SaleCreated, session: Annotated[Session, Depends(get)]) -> Any:
        return end(event, session)

    app, handler = FastAPI(), end_async if is_async else end
    for one in (end, end_async):
        one.__annotations__ = {"session": Annotated[Session, Depends(get)]}
    app.post("/webhooks/dub")(webhook(hooks, SaleCreated)(handler))
    return AsgiClient(app)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
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


def test_without_a_run() -> None:
    """Dependencies run for a duplicate, and not before the signature has passed."""
    client = serve(None, Webhooks(SECRET, store=MemoryStore()), get_session, is_async=True)
    assert with_signature().send(client).status == 401
    assert journal == []
    assert [SALE_REQUEST.send(client).status for _ in range(2)] == [200, 200]
    assert journal == ["commit", "commit"]
