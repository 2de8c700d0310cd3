"""A receiver as an ASGI application (ASGI 3.0): no framework needed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from ._body import READ_TIMEOUT, BodyReader, Request
from .errors import BodyTooSlow, MethodNotAllowed, PayloadError, to_seconds
from .idempotency._drivers import check_asyncio
from .receiver import pipeline_of
from .reply import Reply, build_reply

if TYPE_CHECKING:
    from .receiver import Receiver
    from .receiver._pipeline import Pipeline

__all__ = ["app"]

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


def app(hooks: Receiver[Any], *, read_timeout: float | timedelta = READ_TIMEOUT) -> Application:
    """Return an ASGI application that gives every POST to ``hooks``.

    It serves alone, as a mounted application, or as the endpoint of a Starlette ``Route``.
    It needs asyncio: trio cannot run it.

    What a handler raises is answered with 500.  Alone, it is logged; inside Starlette
    or FastAPI it is raised once the 500 is sent, so that their error reporting sees it.

    Args:
        hooks: the receiver.
        read_timeout: seconds, or a ``timedelta``, for the whole body to arrive.

    Raises:
        ConfigurationError: there is no receiver, or the time is no duration above 0.
    """
    return Endpoint(pipeline_of(hooks), to_seconds("read_timeout", read_timeout))


class Endpoint:
    """A receiver as an ASGI application.

    An object rather than a function, because Starlette's ``Route`` calls a
    function with a request and an object with scope, receive and send.
    """

    def __init__(self, pipeline: Pipeline[Any], read_timeout: float) -> None:
        self._pipeline = pipeline
        self._read_timeout = read_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            has_framework = "app" in scope  # Starlette, or what is made of it, is around this
            reading = read_request(self._pipeline, scope, receive, self._read_timeout)
            del scope, receive  # error trackers send the variables of every frame
            await self._serve(reading, send, has_framework)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _serve(
        self, reading: Awaitable[Request | Reply | None], send: Send, has_framework: bool
    ) -> None:
        request = await reading
        if request is None:
            return
        if isinstance(request, Reply):
            await send_reply(request, send)
            return
        try:
            reply = await self._pipeline.ahandle(request)
        except Exception:
            if not has_framework:
                self._pipeline.log.exception("the handler of a delivery failed")
            # The reply first: after it, no exception handler of a framework can send a success.
            await send_reply(build_reply("failed"), send)
            if has_framework:
                raise
        else:
            await send_reply(reply, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._pipeline.family.warm_up()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


async def read_request(
    pipeline: Pipeline[Any], scope: Scope, receive: Receive, read_timeout: float
) -> Request | Reply | None:
    """Return the body and headers of a request, or the reply that refuses it.

    ``None``: the client hung up, so nobody waits for a reply.

    Raises:
        ConfigurationError: there is no event loop of asyncio.
    """
    check_asyncio()
    if scope["method"] != "POST":
        return pipeline.refuse(MethodNotAllowed("a delivery is a POST"))
    request = Request(b"", scope["headers"])
    length = dict(scope["headers"]).get(b"content-length", b"").decode("latin-1")
    del scope  # error trackers send the variables of a frame in which waiting fails
    try:
        reader = BodyReader(pipeline.settings.max_body, length)
        if not await asyncio.wait_for(_read(receive, reader), read_timeout):
            return None
        request.body = reader.take()
    except asyncio.TimeoutError:
        return pipeline.refuse(
            BodyTooSlow("the body did not arrive in time: it is read no further")
        )
    except PayloadError as error:
        return pipeline.refuse(error)
    return request


async def _read(receive: Receive, reader: BodyReader) -> bool:
    """Read a body and tell whether the client sent it to its end."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        reader.add(message.get("body", b""))
        more = message.get("more_body", False)
        del message  # before the next one is waited for, as above
    return True


async def send_reply(reply: Reply, send: Send) -> None:
    """Send a reply as an ASGI response."""
    headers = [(name.lower().encode(), value.encode()) for name, value in reply.headers.items()]
    headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
