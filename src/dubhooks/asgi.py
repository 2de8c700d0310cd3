"""A receiver as an ASGI application (ASGI 3.0): no framework needed."""

from __future__ import annotations

import asyncio
import logging
import sys
from types import coroutine
from typing import TYPE_CHECKING, Any

from ._body import READ_TIMEOUT, BodyReader
from .errors import MethodNotAllowed, PayloadError
from .reply import Reply, reply_to

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, MutableMapping
    from typing import TypeAlias

    from .receiver import Receiver

    Scope: TypeAlias = MutableMapping[str, Any]
    Message: TypeAlias = MutableMapping[str, Any]
    Receive: TypeAlias = Callable[[], Awaitable[Message]]
    Send: TypeAlias = Callable[[Message], Awaitable[None]]
    Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["app", "read_body"]

logger = logging.getLogger("dubhooks")


class ClientGone(Exception):
    """The client hung up before the body was there: nobody waits for a reply."""


def app(hooks: Receiver[Any], *, read_timeout: float = READ_TIMEOUT) -> Application:
    """Return an ASGI application that gives every POST to ``hooks``.

    ``read_timeout``: seconds for the body to arrive.  It serves alone, as a
    mounted application, or as the endpoint of a Starlette ``Route``.
    """
    return Endpoint(hooks, read_timeout)


class Endpoint:
    """A receiver as an ASGI application.

    An object rather than a function, because Starlette's ``Route`` calls a
    function with a request and an object with scope, receive and send.
    """

    def __init__(
        self, hooks: Receiver[Any], read_timeout: float, *, has_framework: bool = False
    ) -> None:
        """``has_framework``: what a handler raises is for the framework around this to answer."""
        self._hooks = hooks
        self._read_timeout = read_timeout
        self._has_framework = has_framework

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            try:
                reply = await self._reply(scope, receive)
            except ClientGone:
                return
            await send_reply(reply, send)
        elif scope["type"] == "lifespan":
            await _lifespan(self._hooks, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003})

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        hooks = self._hooks
        try:
            if scope["method"] != "POST":
                return hooks.refuse(MethodNotAllowed("a delivery is a POST"))
            body = await read_body(receive, scope["headers"], hooks.max_body, self._read_timeout)
        except PayloadError as error:
            return hooks.refuse(error)
        try:
            return await hooks.ahandle(body, scope["headers"])
        except Exception:
            if self._has_framework:
                raise
            logger.exception("the handler of a delivery failed")
            return reply_to("failed")


async def read_body(
    receive: Receive, headers: Iterable[tuple[bytes, bytes]], max_body: int, read_timeout: float
) -> bytes:
    """Return the raw body of a request.

    Raises:
        BodyTooLarge, BodyTooSlow: it is refused, and read no further.
        ClientGone: the client hung up.
    """
    length = None
    for name, value in headers:
        if name == b"content-length":
            length = value.decode("latin-1")
    reader = BodyReader(max_body, length, read_timeout)
    try:
        if sys.version_info >= (3, 11):
            await _read_in_time(receive, reader)
        else:  # before Python 3.11
            await asyncio.wait_for(_read(receive, reader), reader.seconds_left)
    except asyncio.TimeoutError:
        raise reader.too_slow() from None
    return reader.body()


async def _read_in_time(receive: Receive, reader: BodyReader) -> None:
    # A body is mostly there before its request is run, and a timer costs more than verifying the
    # signature: so only a body that is waited for gets one.
    reading = _read(receive, reader)
    try:
        waits_for = reading.send(None)
    except StopIteration:
        return
    async with asyncio.timeout(reader.seconds_left):
        await _resumed(reading, waits_for)


@coroutine
def _resumed(begun: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that waits for its first future."""
    while True:
        try:
            yield waits_for
        except BaseException as error:  # noqa: BLE001 - cancelling is for the coroutine too
            try:
                waits_for = begun.throw(error)
            except StopIteration:  # pragma: no cover - tested, but throw() blinds the tracer
                return
        else:
            yield from begun
            return


async def _read(receive: Receive, reader: BodyReader) -> None:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        reader.add(message.get("body", b""))
        more = message.get("more_body", False)


async def send_reply(reply: Reply, send: Send) -> None:
    """Send a reply as an ASGI response."""
    headers = [(name.lower().encode(), value.encode()) for name, value in reply.headers.items()]
    headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def _lifespan(hooks: Receiver[Any], receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            hooks.warm_up()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
