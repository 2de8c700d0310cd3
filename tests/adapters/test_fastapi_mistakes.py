"""Mistakes of users with FastAPI: each is named, none is a signature mismatch."""

from typing import Annotated, Any

import pytest
from fastapi import Body, Depends, FastAPI
from fastapi import Request as FastAPIRequest
from pydantic import BaseModel

from dubhooks import ConfigurationError, Webhooks
from dubhooks.fastapi import openapi, router, verified, webhook
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.clients import AsgiClient, Watched
from tests.support.adapters.situations import BODY, SALE_REQUEST, SECRET, Request, with_signature

hooks = Webhooks(SECRET)


def sale(event: SaleCreated) -> None:
    """Handle a sale."""


def test_decorators_in_the_wrong_order() -> None:
    """A handler that is a route already would take events that nobody verified."""
    app = FastAPI()
    with pytest.raises(ConfigurationError, match=r"wrong order.*below @app\.post"):

        @webhook(hooks, SaleCreated)
        @app.post("/webhooks/dub")
        def other(event: SaleCreated) -> None: ...


def swapped(tenant: str, event: SaleCreated) -> None:
    """Take the event second."""


def depends_first(db: Annotated[str, Depends(lambda: "db")], event: SaleCreated) -> None:
    """Take a dependency first."""


def test_path_without_a_slash() -> None:
    """Starlette would fail with an assertion."""
    with pytest.raises(ConfigurationError, match="must begin with a slash"):
        router(hooks, path="webhooks/dub")


@pytest.mark.parametrize("events", [(), ("sale.created",), (BaseModel,)])
def test_openapi_of_no_event(events: tuple[Any, ...]) -> None:
    """Only event classes have a documentation."""
    with pytest.raises(ConfigurationError):
        openapi(*events)


class Note(BaseModel):
    """A body that a user hopes for."""

    text: str


def takes_note(note: Note) -> Note:
    """Be a dependency that takes a body."""
    return note


def with_model(event: SaleCreated, note: Note) -> None:
    """Take a second body."""


def with_raw_body(event: SaleCreated, payload: Annotated[dict[str, Any], Body()]) -> None:
    """Take the body again."""


def with_dependency(event: SaleCreated, note: Annotated[Note, Depends(takes_note)]) -> None:
    """Take a second body by a dependency."""


@pytest.mark.parametrize(
    "handler", [with_model, with_raw_body, with_dependency, swapped, depends_first]
)
def test_body_parameter(handler: Any) -> None:
    """FastAPI would parse the body before anything can verify it: refused when decorated."""
    with pytest.raises(ConfigurationError, match=f"{handler.__name__} has a body parameter"):
        webhook(hooks, SaleCreated)(handler)


@pytest.mark.parametrize("mount", ["webhook", "verified"])
def test_body_parameter_of_the_router(mount: str) -> None:
    """One that a dependency around the route brings is refused at the first delivery."""
    app = FastAPI(dependencies=[Depends(takes_note)])
    if mount == "webhook":
        app.post("/webhooks/dub")(webhook(hooks, SaleCreated)(sale))
    else:

        def route(event: Annotated[SaleCreated, Depends(verified(hooks, SaleCreated))]) -> None: ...

        app.post("/webhooks/dub")(route)
    body = b'{"text":"", "note":{"text":""}}'
    error = raised_by(app, Request(body))
    assert isinstance(error, ConfigurationError)
    assert "the route /webhooks/dub has a body parameter" in str(error)


@pytest.mark.parametrize("value", [0, -1, "5", None, True])
@pytest.mark.parametrize("function", [webhook, verified, router])
def test_read_timeout_that_is_none(function: Any, value: Any) -> None:
    """A time that nothing can arrive in is refused by its name."""
    with pytest.raises(ConfigurationError, match="read_timeout takes seconds or a timedelta"):
        function(hooks, read_timeout=value)


def raised_by(app: FastAPI, request: Request = SALE_REQUEST) -> Exception:
    """Return what a request makes the application raise, beside its answer of 500."""
    watched = Watched(app)
    assert request.send(AsgiClient(watched)).status == 500
    return watched.raised[0]


def test_body_read_as_a_stream_by_a_dependency() -> None:
    """A dependency of the application that consumed the stream is named."""

    async def consume(request: FastAPIRequest) -> None:
        async for _ in request.stream():
            pass

    app = FastAPI(dependencies=[Depends(consume)])
    app.post("/webhooks/dub")(webhook(hooks, SaleCreated)(sale))
    error = raised_by(app)
    assert isinstance(error, ConfigurationError)
    assert "the body was read before dubhooks saw it" in str(error)


def test_body_read_by_a_dependency() -> None:
    """A dependency of the application that read the body leaves the raw bytes to verify."""

    async def peek(request: FastAPIRequest) -> None:
        await request.json()

    app = FastAPI(dependencies=[Depends(peek)])
    app.post("/webhooks/dub")(webhook(hooks, SaleCreated)(sale))
    client = AsgiClient(app)
    assert SALE_REQUEST.send(client).status == 200
    assert with_signature("0" * 64).send(client).status == 401


def test_client_hangs_up_while_sending() -> None:
    """A body that stops in the middle runs nothing and logs no traceback."""
    import asyncio

    app = FastAPI()
    app.post("/webhooks/dub")(webhook(hooks, SaleCreated)(sale))
    answers: list[Any] = []
    messages = [
        {"type": "http.request", "body": BODY[:10], "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        answers.append(message)

    scope = AsgiClient(app)._scope("POST", [(b"content-length", b"99")])
    asyncio.run(app(scope, receive, send))
    assert answers[0]["status"] == 400
