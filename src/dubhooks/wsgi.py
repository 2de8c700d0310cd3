"""A receiver as a WSGI application (PEP 3333): no framework needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ._body import BodyReader, Request
from ._headers import headers_in_environ
from .errors import BodyEmpty, BodyIncomplete, ConfigurationError, MethodNotAllowed, PayloadError
from .receiver import pipeline_of
from .reply import Reply, build_reply
from .signature import body_empty_error

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from .receiver import Receiver
    from .receiver._pipeline import Pipeline

__all__ = ["app"]

_CHUNK = 65_536
_READERS = "middleware has read it from wsgi.input and must leave this path alone"
_PHRASES = {status.value: status.phrase for status in HTTPStatus} | {489: "Not Retryable"}


def app(hooks: Receiver[Any]) -> WSGIApplication:
    """Return a WSGI application that gives every POST to ``hooks``.

    Most servers' ``read(n)`` waits for all n bytes, so only the server, or a proxy that
    buffers, can bound how long a body may take.

    Args:
        hooks: the receiver.

    Raises:
        ConfigurationError: there is no receiver, or its store needs an event loop.
    """
    pipeline = pipeline_of(hooks)
    refuse_async_store(pipeline, "WSGI")

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_head = environ["REQUEST_METHOD"] == "HEAD"
        request = read_request(pipeline, environ)
        del environ  # error trackers send the variables of a frame that a handler is called from
        reply = request if isinstance(request, Reply) else handle_logging(pipeline, request)
        headers = [*headers_to_send(reply).items(), ("Content-Length", str(len(reply.body)))]
        start_response(status_line(reply.status), headers)
        # Not every server strips the body of a HEAD response.
        return [b"" if is_head else reply.body]

    return application


def read_body(environ: WSGIEnvironment, max_body: int) -> bytes:
    """Return the raw body in ``environ``.

    Raises:
        BodyTooLarge: it has more than ``max_body`` bytes, and is read no further.
        BodyIncomplete: the client hung up.
    """
    reader = BodyReader(max_body, environ.get("CONTENT_LENGTH"))
    stream = environ["wsgi.input"]
    end = reader.announced
    if end is None:
        if not _has_end(environ):
            # Nothing marks the end of such a stream, so reading it could wait for ever.
            return b""
        end = max_body + 1
    try:
        while reader.size < end:
            size = reader.size
            reader.add(stream.read(min(end - size, _CHUNK)))
            if reader.size == size:
                break
    except (OSError, ValueError):  # servers raise either for chunks that make no sense
        raise BodyIncomplete("the connection, or its chunks, ended in the middle") from None
    return reader.take()


def read_request(
    pipeline: Pipeline[Any],
    environ: WSGIEnvironment,
    read: Callable[[WSGIEnvironment, int], bytes] = read_body,
    readers: str = _READERS,
) -> Request | Reply:
    """Return the body and headers in ``environ``, or the reply that refuses it.

    Args:
        pipeline: of the receiver.
        environ: of the request.
        read: what reads the body.
        readers: who may have read the body before us, and what to do.
    """
    try:
        if environ["REQUEST_METHOD"] != "POST":
            return pipeline.refuse(MethodNotAllowed("a delivery is a POST"))
        body = read(environ, pipeline.settings.max_body)
    except PayloadError as error:
        return pipeline.refuse(error)
    if not body:
        return pipeline.refuse(empty_body_error(environ, readers))
    return Request(body, headers_in_environ(environ))


def empty_body_error(environ: WSGIEnvironment, readers: str) -> BodyEmpty:
    """Return the error for an empty body, which says why it is empty when the environ tells.

    Args:
        environ: of the request.
        readers: who may have read the body before us, and what to do.
    """
    if environ.get("CONTENT_LENGTH", "").strip("0"):
        return BodyEmpty(f"the body is announced but not there: {readers}; or the client hung up")
    if environ.get("HTTP_TRANSFER_ENCODING") and not _has_end(environ):
        return BodyEmpty(
            "the body comes in chunks, and this server does not mark where such a body ends "
            "(wsgi.input_terminated): use one that does, such as gunicorn, or let the proxy in "
            "front send a Content-Length"
        )
    return body_empty_error()


def headers_to_send(reply: Reply) -> dict[str, str]:
    """Return the headers of a reply for WSGI, which must not send hop-by-hop headers (PEP 3333)."""
    return {name: value for name, value in reply.headers.items() if name != "Connection"}


def refuse_async_store(pipeline: Pipeline[Any], place: str) -> None:
    """Raise ``ConfigurationError`` for a store that cannot work where no event loop lasts."""
    if pipeline.needs_loop:
        raise ConfigurationError(
            f"{type(pipeline.settings.store).__name__} needs an event loop that lasts, and {place} "
            "has none: use the sync store of the same engine, such as RedisStore or "
            "SQLAlchemyStore"
        )


def status_line(status: int) -> str:
    """Return a status with its phrase, which must not be empty (PEP 3333)."""
    return f"{status} {_PHRASES.get(status, 'Unknown')}"


def handle_logging(pipeline: Pipeline[Any], request: Request) -> Reply:
    """Handle a request; what the handler raises is logged and answered 500."""
    try:
        return pipeline.handle(request)
    except Exception:
        pipeline.log.exception("the handler of a delivery failed")
        return build_reply("failed")


def _has_end(environ: WSGIEnvironment) -> bool:
    """Tell whether the stream ends where the body does, even when its length is not announced.

    The server says so, or it has the whole body already, in memory or in a temporary file.
    """
    if environ.get("wsgi.input_terminated"):
        return True
    stream = environ["wsgi.input"]
    is_seekable = getattr(stream, "seekable", None)
    if is_seekable is not None:
        return bool(is_seekable())
    if sys.version_info < (3, 11):  # pragma: no cover - tested with that Python
        from tempfile import SpooledTemporaryFile

        return isinstance(stream, SpooledTemporaryFile)
    return False
