"""The raw body of a Django request, read before anything else can change it."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import UnreadablePostError

from .. import wsgi
from ..errors import BodyEmpty, BodyIncomplete, BodyTooLarge

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = ["read_body"]


def read_body(request: HttpRequest, max_body: int, read_timeout: float) -> bytes:
    """Return the raw body and leave it in ``request.body``.

    The limit is ``max_body`` bytes or ``DATA_UPLOAD_MAX_MEMORY_SIZE``, whichever is less.
    ``read_timeout`` counts under WSGI; under ASGI, Django has received the
    whole body, however large, before a view is called.

    Raises:
        BodyEmpty: there is none, or something has read it and not kept it.
        BodyTooLarge, BodyTooSlow: it is refused.
        BodyIncomplete: the client hung up.
    """
    state = vars(request)
    if "_body" in state:  # a middleware asked for request.body, which keeps the bytes
        return _not_too_large(request.body, max_body)
    if state.get("_read_started"):
        raise BodyEmpty(
            "the body was read before dubhooks could verify it: a middleware or decorator calls "
            "request.read(), request.POST or request.data; make it leave this URL alone, or read "
            "request.body, which Django keeps"
        )
    site_limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    limit = max_body if site_limit is None else min(max_body, site_limit)
    try:
        if isinstance(request, WSGIRequest):
            # Not request.body: it is empty when the body comes in chunks, and has no time limit.
            body = wsgi.read_body(request.environ, limit, read_timeout)
        else:
            body = _not_too_large(request.read(limit + 1), limit)
            # Maybe a temporary file; Django 4.2 closes only what is ``_stream`` in the end.
            state["_stream"].close()
    except (OSError, UnreadablePostError):
        raise BodyIncomplete("the connection ended before the body was there") from None
    state.update(_body=body, _stream=BytesIO(body), _read_started=True)
    return body or _empty(request)


def _not_too_large(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise BodyTooLarge(f"the body has more than {limit} bytes")
    return body


def _empty(request: HttpRequest) -> bytes:
    meta = request.META
    if meta.get("CONTENT_LENGTH", "0") not in ("", "0"):
        raise BodyEmpty(
            "the body is announced but not there: middleware around Django has read it, or the "
            "client hung up"
        )
    if "HTTP_TRANSFER_ENCODING" in meta and not meta.get("wsgi.input_terminated"):
        raise BodyEmpty(
            "the body comes in chunks and this WSGI server does not mark its end "
            "(wsgi.input_terminated): let the proxy send a Content-Length"
        )
    return b""
