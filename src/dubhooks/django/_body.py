"""The raw body and the headers of a Django request."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, RawPostDataException, UnreadablePostError

from .. import wsgi
from .._body import BodyReader, Request
from .._headers import headers_in_environ
from ..errors import BodyEmpty, BodyIncomplete, BodyTooLarge, MethodNotAllowed, PayloadError
from ..receiver._pipeline import Pipeline
from ..reply import Reply
from ..signature import body_empty_error


def read_request(pipeline: Pipeline[Any], request: HttpRequest) -> Request | Reply:
    """Return the body and headers of a request, or the reply that refuses it."""
    if request.method != "POST":
        return pipeline.refuse(MethodNotAllowed("a delivery is a POST"))
    try:
        body = _read_body(request, pipeline.settings.max_body)
    except PayloadError as error:
        return pipeline.refuse(error)
    if not body:
        return pipeline.refuse(_empty_body_error(request))
    return Request(body, headers_in_environ(request.META))


def _read_body(request: HttpRequest, max_body: int) -> bytes:
    """Return the raw body, which ``request.body`` keeps for the handler.

    The limit is ``max_body`` bytes or ``DATA_UPLOAD_MAX_MEMORY_SIZE``, whichever is less.

    Raises:
        BodyEmpty: something has read it and not kept it.
        BodyTooLarge: it is refused, under WSGI before it is read.
        BodyIncomplete: the client hung up.
    """
    # No variable holds META: error trackers send those of every frame that an error passes.
    announced = BodyReader(max_body, request.META.get("CONTENT_LENGTH")).announced
    if announced is None and "wsgi.input" in request.META:
        # Django takes a body whose length is not announced, as in chunks, for empty.
        return wsgi.read_body(request.META, _limit(max_body))
    try:
        body = request.body
    except RequestDataTooBig:
        raise _too_large_error() from None
    except RawPostDataException:
        raise BodyEmpty(
            "the body was read before dubhooks could verify it: a middleware or decorator calls "
            "request.read(), request.POST or request.data; make it leave this URL alone, or read "
            "request.body, which Django keeps"
        ) from None
    except UnreadablePostError:
        raise BodyIncomplete("the connection ended before the body was there") from None
    if announced is not None and 0 < len(body) < announced:
        raise BodyIncomplete("the body ended before the announced length: the client hung up")
    if len(body) > _limit(max_body):  # in chunks under ASGI, which Django 4.2 does not count
        raise _too_large_error()
    return body


def _limit(max_body: int) -> int:
    site_limit: int | None = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return max_body if site_limit is None else min(max_body, site_limit)


def _too_large_error() -> BodyTooLarge:
    return BodyTooLarge("the body has more than MAX_BODY or DATA_UPLOAD_MAX_MEMORY_SIZE bytes")


def _empty_body_error(request: HttpRequest) -> BodyEmpty:
    if "wsgi.input" not in request.META:
        return body_empty_error()
    readers = "middleware around Django has read it and must leave this path alone"
    return wsgi.empty_body_error(request.META, readers)
