"""From a request of Starlette's to a verified delivery, and from a reply to a response."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from .asgi import read_body
from .errors import ConfigurationError, MethodNotAllowed, PayloadError
from .reply import Reply

if TYPE_CHECKING:
    from ._delivery import Delivery
    from .receiver import Receiver

__all__ = ["admitted", "refused", "response_of"]


class Refused(Exception):
    """Ends a route before its other dependencies and its handler, with a reply to send.

    Not an ``HTTPException``: an application's handler of those may redirect a
    401 to a login page, and Dub takes a redirect as success.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.outcome)
        self.reply = reply


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
    if _is_answered(request):
        return Refused(reply)
    return HTTPException(reply.status, reply.outcome, reply.headers)


def response_of(reply: Reply) -> Response:
    """Return ``reply`` as a response."""
    body = b"" if reply.status in (204, 205) else reply.body
    return Response(body, reply.status, reply.headers)


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


def _is_answered(request: Request) -> bool:
    """Have the application answer ``Refused``; false when there is no way."""
    handlers: Any = request.scope.get("starlette.exception_handlers")
    if handlers is not None:
        handlers[0][Refused] = _answer
        return True
    # Before Starlette 0.28 (FastAPI 0.107) the handlers are in the middleware alone.
    layer: Any = getattr(request.scope.get("app"), "middleware_stack", None)
    while layer is not None:
        if isinstance(layer, ExceptionMiddleware):
            layer.add_exception_handler(Refused, _answer)
            return True
        layer = getattr(layer, "app", None)
    return False


async def _answer(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - Starlette's type for handlers is wide
    return response_of(error.reply)
