"""What an application's exception handlers may answer to a delivery: no success.

Starlette answers an exception with the handlers of the application, which it
looks up outside of the route.  They are wrapped where it keeps them, once for
each application, and do the same as before for every other request.
"""

from __future__ import annotations

import logging
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import Response

from ..asgi import Endpoint
from ..receiver._registry import is_async_callable
from ..reply import Reply, reply_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

    from ..asgi import Receive, Scope, Send

    Tables = tuple[dict[Any, Any], dict[Any, Any]]

__all__ = ["GuardedEndpoint", "Refused", "answers_refusals", "begin", "end", "response_of"]

logger = logging.getLogger("dubhooks")

_GUARD = "is_dubhooks_guard"
_UNFINISHED = "dubhooks.unfinished"
"""In the scope of a request while an answer below 400 would be wrong."""


class Refused(Exception):
    """Ends a route before its other dependencies and its handler, with a reply to send.

    Not an ``HTTPException``: an application's handler of those may redirect a
    401 to a login page, and Dub takes a redirect as success.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.outcome)
        self.reply = reply


class GuardedEndpoint(Endpoint):
    """A receiver whose handlers' exceptions reach the framework, and cannot become a success."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        try:
            await super().__call__(scope, receive, send)
        except Exception:
            begin(scope)
            raise


def begin(scope: Scope) -> None:
    """From now on, exceptions of this request are not answered below 400."""
    scope[_UNFINISHED] = True
    answers_refusals(scope)


def end(scope: Scope) -> None:
    """The handler has done its work: what fails later is not for Dub to send again."""
    scope.pop(_UNFINISHED, None)


def answers_refusals(scope: Scope) -> bool:
    """Guard the application and have it answer ``Refused``; false when it is out of reach."""
    tables: Tables | None = scope.get("starlette.exception_handlers")
    if tables is not None and Refused in tables[0]:
        return True
    for layer in _layers(scope):
        # Before Starlette 0.28 (FastAPI 0.107) the tables are in the middleware alone.
        if tables is None and isinstance(layer, ExceptionMiddleware):
            tables = vars(layer)["_exception_handlers"], vars(layer)["_status_handlers"]
        elif isinstance(layer, ServerErrorMiddleware) and layer.handler is not None:
            layer.handler = _guarded(layer.handler)
    if tables is None:
        return False
    if Refused in tables[0]:
        return True
    for table in tables:
        for key, handler in list(table.items()):
            table[key] = _guarded(handler)
    tables[0][Refused] = _answer
    return True


def response_of(reply: Reply) -> Response:
    """Return ``reply`` as a response."""
    body = b"" if reply.status in (204, 205) else reply.body
    return Response(body, reply.status, reply.headers)


def _layers(scope: Scope) -> Iterator[Any]:
    layer = getattr(scope.get("app"), "middleware_stack", None)
    while layer is not None:
        yield layer
        layer = getattr(layer, "app", None)


async def _answer(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - Starlette's type for handlers is wide
    return response_of(error.reply)


def _guarded(handler: Any) -> Callable[..., Any]:
    if _GUARD in getattr(handler, "__dict__", {}):
        return cast("Callable[..., Any]", handler)

    @wraps(handler)
    def guarded(request: Any, error: Exception) -> Any:
        return _judged(request, handler(request, error))

    @wraps(handler)
    async def guarded_async(request: Any, error: Exception) -> Any:
        return _judged(request, await handler(request, error))

    # Of the handler's kind: Starlette runs a sync one in a thread.
    guard = guarded_async if is_async_callable(handler) else guarded
    guard.__dict__[_GUARD] = True
    return guard


def _judged(request: Any, response: Any) -> Any:
    status = getattr(response, "status_code", 500)
    if status >= 400 or _UNFINISHED not in request.scope:
        return response
    logger.error(
        "an exception handler of the application, or an HTTPException below 400, answered %d for "
        "a delivery that was not handled: Dub would not send the event again, so 500 is sent "
        "instead; let it answer 500 on this path",
        status,
    )
    return response_of(reply_to("failed"))
