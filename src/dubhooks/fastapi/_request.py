"""From a request of Starlette's to a verified delivery."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from fastapi import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ..asgi import read_request
from ..errors import BodyIncomplete, ConfigurationError, EventFromFuture, Reject, RetryLater
from ..receiver._reporting import SIGNED
from ..reply import Reply

if TYPE_CHECKING:
    from .. import _body
    from ..receiver._pipeline import Delivery, Pipeline


_SIGNED: Final = frozenset(error.code for error in (*SIGNED, EventFromFuture))
"""Codes of the errors that are found once the signature has passed."""
_CODES: Final[dict[str, str]] = {"retry": RetryLater.code, "rejected": Reject.code}


async def open_request(
    pipeline: Pipeline[Any], request: Request, read_timeout: float
) -> Delivery | Reply:
    """Return the verified and parsed delivery in ``request``, or the reply that refuses it.

    Raises:
        ConfigurationError: the route parses the body, somebody has read it, or there is
            no event loop of asyncio.
        HTTPException: the client hung up.
    """
    # Of a dependency of the router or the application: the decorator has looked at all others.
    if getattr(request.scope.get("route"), "body_field", None) is not None:
        raise ConfigurationError(
            f"the route {request.scope.get('path')} has a body parameter, so FastAPI parses the "
            "body before its signature is checked: take what you need from the event instead"
        )
    read = await _read(pipeline, request, read_timeout)
    del request  # error trackers send what is in it
    if read is None:
        raise HTTPException(400, BodyIncomplete.code)
    return read if isinstance(read, Reply) else await pipeline.aopen(read)


def is_signed(reply: Reply) -> bool:
    """Tell whether a delivery was refused although its signature is right."""
    return _read_code(reply) in _SIGNED


def build_error(reply: Reply) -> HTTPException:
    """Return ``reply`` as the exception that ends a route, so that its dependencies roll back."""
    headers = {name: value for name, value in reply.headers.items() if name != "Content-Type"}
    return HTTPException(reply.status, _read_code(reply), headers)


def build_response(reply: Reply) -> Response:
    """Return ``reply`` as a response."""
    body = b"" if reply.status in (204, 205) else reply.body
    return Response(body, reply.status, reply.headers)


def _read_code(reply: Reply) -> str:
    """Return the code of the error in a reply, or its outcome when there is none."""
    code: str = json.loads(reply.body).get("code") or _CODES.get(reply.outcome, reply.outcome)
    return code


async def _read(
    pipeline: Pipeline[Any], request: Request, read_timeout: float
) -> _body.Request | Reply | None:
    """Return what :func:`~dubhooks.asgi.read_request` does."""
    async with aclosing(request.stream()) as stream:

        async def receive() -> dict[str, Any]:
            chunk = await anext(stream, None)
            return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

        try:
            return await read_request(pipeline, request.scope, receive, read_timeout)
        except ClientDisconnect:
            return None
        except RuntimeError as error:
            raise ConfigurationError(
                "the body was read before dubhooks saw it: a dependency of the router or the "
                "application must not call request.stream() here"
            ) from error
