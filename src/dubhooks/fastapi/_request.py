"""From a request of Starlette's to a verified delivery."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from ..asgi import read_body
from ..errors import ConfigurationError, MethodNotAllowed, PayloadError
from ..reply import Reply
from ._guard import Refused, answers_refusals

if TYPE_CHECKING:
    from ..receiver import Receiver
    from ..receiver._delivery import Delivery

__all__ = ["admitted", "refused"]


async def admitted(hooks: Receiver[Any], request: Request, read_timeout: float) -> Delivery[Any]:
    """Return the verified and parsed delivery in ``request``.

    Raises:
        Refused: there is none, or the client hung up.
        ConfigurationError: the body was read before, by other code or as a parameter.
    """
    if getattr(request.scope.get("route"), "body_field", None) is not None:
        raise ConfigurationError(
            "this route has a body parameter, so FastAPI parses the body before its signature is "
            "checked: take what you need from the event instead"
        )
    try:
        if request.method != "POST":
            raise MethodNotAllowed("a delivery is a POST")
        body = await _body_of(request, hooks.max_body, read_timeout)
    except PayloadError as error:
        raise refused(request, hooks.refuse(error)) from None
    delivery = await hooks.aadmit(body, request.scope["headers"])
    if isinstance(delivery, Reply):
        raise refused(request, delivery)
    return delivery


def refused(request: Request, reply: Reply) -> Exception:
    """Return the exception that makes ``reply`` the response to ``request``."""
    if answers_refusals(request.scope):
        return Refused(reply)
    return HTTPException(reply.status, reply.outcome, reply.headers)


async def _body_of(request: Request, max_body: int, read_timeout: float) -> bytes:
    async with aclosing(request.stream()) as stream:

        async def receive() -> dict[str, Any]:
            chunk = await anext(stream, None)
            return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

        try:
            body = await read_body(receive, request.scope["headers"], max_body, read_timeout)
        except ClientDisconnect:
            raise HTTPException(400, "the client hung up") from None
        except RuntimeError as error:
            raise ConfigurationError(
                "the body was read before dubhooks saw it: a dependency of the router or the "
                "application must not call request.stream() here"
            ) from error
    # Where Starlette keeps it too, so that request.body() works in the handler.
    vars(request)["_body"] = body
    return body
