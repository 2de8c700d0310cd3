"""Mistakes of users with FastAPI: each is named, none is a signature mismatch."""

from typing import Annotated, Any

import pytest
from fastapi import Body, Depends, FastAPI
from fastapi import Request as FastAPIRequest
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from dubhooks import ConfigurationError, Webhooks, postbacks
from dubhooks.fastapi import openapi, router, verified, webhook
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.behaviour import (
    BODY,
    SALE_REQUEST,
    SECRET,
    Request,
    with_signature,
)
from tests.support.adapters.clients import AsgiClient, Client

hooks = Webhooks(SECRET)


def sale(event: SaleCreated) -> None:
    """Handle a sale."""


def served(handler: Any = sale) -> tuple[FastAPI, Client]:
    """Return an application with one decorated route."""
    app = FastAPI()
    app.post("/webhooks/dub")(webhook(hooks, SaleCreated)(handler))
    return app, AsgiClient(app)


def test_decorators_in_the_wrong_order() -> None:
    """A handler that is a route already would take events that nobody verified."""
    app = FastAPI()
    with pytest.raises(ConfigurationError, match=r"wrong order.*below @app\.post"):

        @webhook(hooks, SaleCreated)
        @app.post("/webhooks/dub")
        def other(event: SaleCreated) -> None: ...


def test_one_handler_for_two_routes() -> None:
    """The same handler may be decorated for two routes."""
    app = FastAPI()
    app.post("/one")(webhook(hooks, SaleCreated)(sale))
    app.post("/two")(webhook(Webhooks("whsec_other"), SaleCreated)(sale))
    assert SALE_REQUEST.send(AsgiClient(app, "/one")).status == 200
    assert SALE_REQUEST.send(AsgiClient(app, "/two")).status == 401


def no_parameter() -> None:
    """Take nothing."""


def keyword_only(*, event: SaleCreated) -> None:
    """Take the event by keyword."""


def swapped(tenant: str, event: SaleCreated) -> None:
    """Take the event second."""


def depends_first(db: Annotated[str, Depends(no_parameter)], event: SaleCreated) -> None:
    """Take a dependency first."""


async def generator(event: SaleCreated) -> Any:
    """Yield."""
    yield event


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (no_parameter, "no event parameter"),
        (keyword_only, "no event parameter"),
        (swapped, "swapped has a body parameter"),
        (depends_first, "depends_first has a body parameter"),
        (generator, "generator yields"),
        ("sale", "must be callable"),
    ],
)
def test_handler_that_cannot_work(handler: Any, words: str) -> None:
    """A handler that could not take the event is refused where it is decorated."""
    decorator: Any = webhook(hooks, SaleCreated)
    with pytest.raises(ConfigurationError, match=words):
        decorator(handler)


@pytest.mark.parametrize("function", [webhook, verified, router])
@pytest.mark.parametrize("hooks", [sale, SaleCreated, None, "whsec_x"])
def test_no_receiver(function: Any, hooks: Any) -> None:
    """The receiver is missing, as in ``@webhook`` without a call."""
    with pytest.raises(ConfigurationError, match="the receiver comes first"):
        function(hooks)


@pytest.mark.parametrize("function", [webhook, verified])
def test_event_of_the_other_family(function: Any) -> None:
    """Webhooks and postbacks share names and not classes."""
    with pytest.raises(ConfigurationError, match="not a webhook event"):
        function(hooks, postbacks.SaleCreated)


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


def with_default(event: SaleCreated, payload: str = Body("")) -> None:
    """Take the body again."""


def with_dependency(event: SaleCreated, note: Annotated[Note, Depends(takes_note)]) -> None:
    """Take a second body by a dependency."""


@pytest.mark.parametrize(
    "handler",
    [with_model, with_raw_body, with_default, with_dependency],
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
    with pytest.raises(ConfigurationError, match="the route /webhooks/dub has a body parameter"):
        Request(body).send(Raising(AsgiClient(app)))


class Shop:
    """A class whose method is decorated."""

    def sale(self, event: SaleCreated) -> None:
        """Handle a sale."""


def test_a_method() -> None:
    """Nobody would pass ``self``; the method of an object is a handler like any other."""
    with pytest.raises(ConfigurationError, match="sale is a method, and nobody passes its self"):
        webhook(hooks, SaleCreated)(Shop.sale)  # type: ignore[arg-type]
    app = FastAPI()
    app.post("/webhooks/dub")(webhook(hooks, SaleCreated)(Shop().sale))
    assert SALE_REQUEST.send(AsgiClient(app)).status == 200


@pytest.mark.parametrize("value", [0, -1, "5", None, True])
@pytest.mark.parametrize("function", [webhook, verified, router])
def test_read_timeout_that_is_none(function: Any, value: Any) -> None:
    """A time that nothing can arrive in is refused by its name."""
    with pytest.raises(ConfigurationError, match="read_timeout takes seconds or a timedelta"):
        function(hooks, read_timeout=value)


class Raising:
    """A client that raises what reached the server, although 500 was sent."""

    def __init__(self, client: Client) -> None:
        assert isinstance(client, AsgiClient)
        self.sent = 0
        self._client = client

    def post(self, *args: Any, **options: Any) -> Any:
        """Send one request."""
        raised: list[Exception] = []
        app = self._client._app

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await app(scope, receive, send)
            except Exception as error:
                raised.append(error)
                raise

        response = AsgiClient(watched).post(*args, **options)
        assert response.status == 500
        raise raised[0]


def test_body_read_as_a_stream_by_a_dependency() -> None:
    """A dependency of the application that consumed the stream is named."""

    async def consume(request: FastAPIRequest) -> None:
        async for _ in request.stream():
            pass

    app = FastAPI(dependencies=[Depends(consume)])
    app.post("/webhooks/dub")(webhook(hooks, SaleCreated)(sale))
    with pytest.raises(ConfigurationError, match="the body was read before dubhooks saw it"):
        SALE_REQUEST.send(Raising(AsgiClient(app)))


def test_body_read_by_a_dependency() -> None:
    """A dependency of the application that read the body leaves the raw bytes to verify."""

    async def peek(request: FastAPIRequest) -> None:
        await request.json()

    app = FastAPI(dependencies=[Depends(peek)])
    app.post("/webhooks/dub")(webhook(hooks, SaleCreated)(sale))
    client = AsgiClient(app)
    assert SALE_REQUEST.send(client).status == 200
    assert with_signature("0" * 64).send(client).status == 401


def test_route_for_other_methods() -> None:
    """A route that takes other methods too refuses them."""
    app = FastAPI()
    app.api_route("/webhooks/dub", methods=["GET", "POST"])(webhook(hooks, SaleCreated)(sale))
    response = Request(b"", headers=[], method="GET").send(AsgiClient(app))
    assert (response.status, response.headers["allow"]) == (405, "POST")


def test_client_hangs_up_while_sending() -> None:
    """A body that stops in the middle runs nothing and logs no traceback."""
    import asyncio

    app, _ = served()
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


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without FastAPI the error says what to install."""
    import importlib
    import sys

    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.delitem(sys.modules, "dubhooks.fastapi")
    with pytest.raises(ImportError, match=r"install dubhooks\[fastapi\]"):
        importlib.import_module("dubhooks.fastapi")
