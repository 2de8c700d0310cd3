"""The ASGI application, driven by the messages that a server sends."""

import asyncio
import logging
from collections.abc import Iterable, MutableMapping
from datetime import timedelta
from typing import Any

import pytest

from dubhooks import ConfigurationError, DeliveryRecord, Webhooks, asgi
from dubhooks.receiver import pipeline_of
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import SECRET, AsyncMemoryStore, sale, signed

Log = pytest.LogCaptureFixture
Message = MutableMapping[str, Any]
MAX_BODY = 4_096
NEVER: Message = {"type": "never"}
"""A message that does not come."""


def receiver(**settings: Any) -> Webhooks:
    """Return a receiver of small bodies with a handler of sales."""
    hooks = Webhooks(SECRET, max_body=MAX_BODY, **settings)
    hooks.on(SaleCreated)(lambda _: None)
    return hooks


def part(body: bytes = b"", more: bool = False) -> Message:
    """Return a message with a part of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


class Connection:
    """One connection: the messages that come, and those that are sent."""

    def __init__(self, messages: Iterable[Message], kind: str = "http", **scope: Any) -> None:
        self.scope = {"type": kind, "method": "POST", "headers": [], "http_version": "1.1"} | scope
        self.coming = list(messages)
        self.received = 0
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        """Return the next message, or wait for ever."""
        await asyncio.sleep(0)
        message = self.coming.pop(0) if self.coming else NEVER
        if message is NEVER:
            await asyncio.Event().wait()
        self.received += 1
        return message

    async def send(self, message: Message) -> None:
        """Take a message."""
        self.sent.append(message)

    def serve(self, application: Any) -> "Connection":
        """Serve the connection to its end."""
        asyncio.run(application(self.scope, self.receive, self.send))
        return self

    @property
    def status(self) -> int:
        """The status that was sent."""
        start, _ = self.sent
        assert start["type"] == "http.response.start"
        return int(start["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The headers that were sent."""
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        """The body that was sent."""
        assert self.sent[1]["type"] == "http.response.body"
        assert not self.sent[1].get("more_body")
        return bytes(self.sent[1]["body"])


def delivery(*, chunks: int = 1, length: bool = True) -> tuple[list[Message], list[Any]]:
    """Return messages and headers of a signed sale."""
    body, headers = signed(sale())
    size = len(body) // chunks + 1
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    if length:
        raw.append((b"content-length", str(len(body)).encode()))
    return [part(it, number < len(parts)) for number, it in enumerate(parts, 1)], raw


class TestBodies:
    """Reading a body: no further than allowed, and not for ever."""

    @pytest.mark.parametrize("length", [b"4097", b"9" * 5_000])
    def test_length_is_too_large(self, length: bytes) -> None:
        """A body that says it is too large is refused without reading any of it."""
        connection = Connection([part(b"x")], headers=[(b"content-length", length)])
        assert connection.serve(asgi.app(receiver())).status == 413
        assert connection.received == 0
        assert connection.headers[b"connection"] == b"close"

    @pytest.mark.parametrize("length", [b"", b"-1", b"ten", b"\xff", b"10"])
    def test_length_is_no_length(self, length: bytes) -> None:
        """A length that is none or too small does not raise the limit."""
        messages = [part(b"x" * 1_000, more=True)] * 10
        connection = Connection(messages, headers=[(b"content-length", length)])
        assert connection.serve(asgi.app(receiver())).status == 413
        assert connection.received == 5

    def test_drop_by_drop(self) -> None:
        """The time is for the whole body: bytes that keep coming do not prolong it."""

        class Drops(Connection):
            async def receive(self) -> Message:
                await asyncio.sleep(0.005)
                return part(b" ", more=True)

        assert Drops([]).serve(asgi.app(receiver(), read_timeout=0.03)).status == 408

    @pytest.mark.parametrize("time", [0, -1, "5", None, timedelta(0)])
    def test_no_time_at_all(self, time: Any) -> None:
        """A time in which nothing can arrive is refused by its name."""
        with pytest.raises(ConfigurationError, match="read_timeout takes seconds or a timedelta"):
            asgi.app(receiver(), read_timeout=time)

    def test_the_body_ends_before_its_length(self) -> None:
        """A body that the server ends too early is named as cut off, not as a wrong signature."""
        records: list[DeliveryRecord] = []
        hooks = receiver(observers=[records.append])
        messages, headers = delivery()
        messages[0]["body"] = messages[0]["body"][:-1]
        connection = Connection(messages, headers=headers).serve(asgi.app(hooks))
        assert connection.status == 400
        assert connection.body == b'{"outcome":"malformed","code":"body_incomplete"}'
        assert [record.error_code for record in records] == ["body_incomplete"]

    @pytest.mark.parametrize("parts", [[], [part(b"x", more=True)]])
    def test_the_client_hangs_up(self, parts: list[Message]) -> None:
        """Nobody waits for an answer, so none is sent and nothing is observed."""
        records: list[DeliveryRecord] = []
        hooks = receiver(observers=[records.append])
        connection = Connection([*parts, {"type": "http.disconnect"}]).serve(asgi.app(hooks))
        assert not connection.sent
        assert not records


def test_the_handler_fails(caplog: Log) -> None:
    """What a handler raises is logged and answered 500, without a word of it."""
    hooks = Webhooks(SECRET, store=AsyncMemoryStore())

    @hooks.on(SaleCreated)
    async def handler(_: object) -> None:
        raise ValueError("the handler's own")

    messages, headers = delivery()
    with caplog.at_level(logging.ERROR, "dubhooks"):
        connection = Connection(messages, headers=headers).serve(asgi.app(hooks))
    assert (connection.status, connection.body) == (500, b'{"outcome":"failed"}')
    [record] = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ValueError


def test_lifespan() -> None:
    """A server's start and stop are answered, and the start builds the parser."""
    hooks = receiver()
    family = pipeline_of(hooks).family
    vars(family).pop("_parse", None)
    connection = Connection(
        [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}], kind="lifespan"
    ).serve(asgi.app(hooks))
    assert [message["type"] for message in connection.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert "_parse" in vars(family)
    # There is nothing to say to a websocket.
    websocket = Connection([{"type": "websocket.connect"}], kind="websocket")
    assert websocket.serve(asgi.app(hooks)).sent == []


def test_without_an_event_loop_of_asyncio() -> None:
    """Where something else drives the application, such as trio, it says what it needs."""
    messages, headers = delivery()
    connection = Connection(messages, headers=headers)
    serving: Any = asgi.app(receiver())(connection.scope, connection.receive, connection.send)
    with pytest.raises(ConfigurationError, match=r"needs asyncio.*trio"):
        serving.send(None)
    assert not connection.received
