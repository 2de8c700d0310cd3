"""A receiver as a WSGI application (PEP 3333): no framework needed."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ._body import READ_TIMEOUT, BodyReader
from ._headers import EnvironHeaders
from .errors import BodyIncomplete, ConfigurationError, MethodNotAllowed, PayloadError
from .idempotency import is_async_store
from .reply import Reply, reply_to

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from .receiver import Receiver

__all__ = ["app", "headers_to", "read_body", "refuse_async_store"]

_CHUNK = 65_536
_PHRASES = {status.value: status.phrase for status in HTTPStatus} | {489: "Not Retryable"}

logger = logging.getLogger("dubhooks")


def app(hooks: Receiver[Any], *, read_timeout: float = READ_TIMEOUT) -> WSGIApplication:
    """Return a WSGI application that gives every POST to ``hooks``.

    ``read_timeout``: seconds for the body to arrive.  It is looked at whenever
    some bytes have come; waiting for the first ones is the server's to limit.

    Raises:
        ConfigurationError: the store needs an event loop.
    """
    refuse_async_store(hooks, "WSGI")

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        reply = _reply(hooks, environ, read_timeout)
        headers = [*headers_to(reply).items(), ("Content-Length", str(len(reply.body)))]
        start_response(status_line(reply.status), headers)
        # No server takes the body of an answer to HEAD away for sure.
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else reply.body]

    return application


def headers_to(reply: Reply) -> dict[str, str]:
    """Return the headers of a reply that a WSGI application may send.

    The connection is the server's (PEP 3333): some raise when an application
    says what to do with it.
    """
    headers = reply.headers.copy()
    headers.pop("Connection", None)
    return headers


def read_body(environ: WSGIEnvironment, max_body: int, read_timeout: float) -> bytes:
    """Return the raw body in ``environ``.

    Raises:
        BodyTooLarge, BodyTooSlow: it is refused, and read no further.
        BodyIncomplete: the client hung up.
    """
    reader = BodyReader(max_body, environ.get("CONTENT_LENGTH"), read_timeout)
    if reader.announced is not None:
        left = reader.announced
    elif _marks_end(environ):
        left = max_body + 1
    else:
        # Nothing marks the end of such a stream, so reading it could wait for ever.
        return b""
    while left > 0:
        try:
            chunk = environ["wsgi.input"].read(min(left, _CHUNK))
        except OSError:
            raise BodyIncomplete("the connection ended before the body was there") from None
        if not chunk:
            break
        reader.add(chunk)
        left -= len(chunk)
    return reader.body()


def refuse_async_store(hooks: Receiver[Any], place: str) -> None:
    """Raise ``ConfigurationError`` for a store that cannot work where no event loop lasts."""
    if hooks.store is not None and is_async_store(hooks.store):
        raise ConfigurationError(
            f"{type(hooks.store).__name__} needs an event loop that lasts, and {place} has none: "
            "use the sync store of the same engine, such as RedisStore or SQLAlchemyStore"
        )


def _marks_end(environ: WSGIEnvironment) -> bool:
    return bool(environ.get("wsgi.input_terminated"))


def status_line(status: int) -> str:
    """Return a status with its phrase, which must not be empty (PEP 3333)."""
    return f"{status} {_PHRASES.get(status, 'Unknown')}"


def _reply(hooks: Receiver[Any], environ: WSGIEnvironment, read_timeout: float) -> Reply:
    try:
        if environ["REQUEST_METHOD"] != "POST":
            return hooks.refuse(MethodNotAllowed("a delivery is a POST"))
        body = read_body(environ, hooks.max_body, read_timeout)
    except PayloadError as error:
        return hooks.refuse(error)
    if not body and "HTTP_TRANSFER_ENCODING" in environ and not _marks_end(environ):
        logger.error(
            "a delivery came in chunks, and this server does not mark where such a body ends "
            "(wsgi.input_terminated): use one that does, such as gunicorn, or let the proxy in "
            "front send a Content-Length"
        )
    try:
        return hooks.handle(body, EnvironHeaders(environ))
    except Exception:
        logger.exception("the handler of a delivery failed")
        return reply_to("failed")
