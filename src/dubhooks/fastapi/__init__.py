"""FastAPI: a receiver as a router, and a decorator for a route's handler.

Without FastAPI, ``Route("/webhooks/dub", dubhooks.asgi.app(hooks))`` is a
route of plain Starlette.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

try:
    from fastapi import APIRouter
except ModuleNotFoundError as _error:
    raise ImportError("dubhooks.fastapi needs FastAPI: install dubhooks[fastapi]") from _error

from starlette.routing import Route

from .._body import READ_TIMEOUT
from ..asgi import app
from ..errors import ConfigurationError, to_seconds
from ..receiver._route import AsDependency, InFastAPI, plan_route, type_route
from ._openapi import operation_of
from ._route import build_endpoint, build_verifier

if TYPE_CHECKING:
    from ..idempotency._keys import Dedupe
    from ..receiver import Receiver

__all__ = ["openapi", "router", "verified", "webhook"]

Seconds: TypeAlias = float | timedelta


def router(
    hooks: Receiver[Any], *, path: str = "/webhooks/dub", read_timeout: Seconds = READ_TIMEOUT
) -> APIRouter:
    """Return a router that gives every POST to ``path`` to the handlers of ``hooks``.

    When a handler raises, 500 is sent and then the exception goes on to FastAPI, so that
    no exception handler can answer the delivery with success.  Dependencies of the
    application or of ``include_router`` do not run.  The path works with and without a
    slash at its end, because a redirect would make Dub take a payout as paid.

    Args:
        hooks: the receiver.
        path: where Dub sends its webhooks.
        read_timeout: seconds, or a ``timedelta``, for the whole body to arrive.

    Raises:
        ConfigurationError: there is no receiver, the path does not begin with a slash, or
            the time is no duration above 0.
    """
    endpoint = app(hooks, read_timeout=read_timeout)
    if not path.startswith("/"):
        raise ConfigurationError('path must begin with a slash, as "/webhooks/dub" does')
    # A plain route of Starlette: FastAPI's own solve dependencies and read bodies as they like.
    mounted = APIRouter()
    for one in dict.fromkeys((path, path.rstrip("/") or "/", path.rstrip("/") + "/")):
        mounted.routes.append(Route(one, endpoint, name="dubhooks", include_in_schema=False))
    return mounted


def _options(*, dedupe: Dedupe = "id", read_timeout: Seconds = READ_TIMEOUT) -> None:
    """Have the options of ``webhook``."""


@type_route(InFastAPI, _options)
def webhook(
    hooks: Any, /, *events: Any, dedupe: Dedupe = "id", read_timeout: Seconds = READ_TIMEOUT
) -> Any:
    """Make a handler of these events an endpoint; put it below ``@app.post(path)``.

    The handler's first parameter is the event.  ``Depends``, path, query and header
    parameters, ``Request``, ``Response`` and ``BackgroundTasks`` work beside it; body
    parameters cannot.  The order is: verify, the handler's dependencies, claim, handler,
    complete, response.  What the handler raises, and ``RetryLater`` and ``Reject`` as
    ``HTTPException``, leave the route as exceptions, so that dependencies roll back.

    Nothing returned, or ``None``, answers 200 (or the status set with FastAPI).
    Background tasks run only if the delivery was handled.  An event that the route does
    not take goes to the receiver's handler of ``on``, if there is one.

    Args:
        hooks: the receiver.
        events: classes, or the one name of an event without a model; none for every event
            but those that look like a payout.
        dedupe: ``"natural"`` claims the event's ``natural_key`` as well, as with ``on``.
        read_timeout: seconds, or a ``timedelta``, for the whole body to arrive.

    Raises:
        ConfigurationError: the events or the handler do not fit, the handler has a body
            parameter, or the decorators are in the wrong order.
    """
    plan = plan_route(hooks, events, dedupe)
    return partial(build_endpoint, plan, to_seconds("read_timeout", read_timeout))


def _verified_options(*, read_timeout: Seconds = READ_TIMEOUT) -> None:
    """Have the options of ``verified``."""


@type_route(AsDependency, _verified_options)
def verified(hooks: Any, /, *events: Any, read_timeout: Seconds = READ_TIMEOUT) -> Any:
    """Return a dependency that verifies a delivery and gives its event; nothing is claimed.

    ``sale: Annotated[SaleCreated, Depends(verified(hooks, SaleCreated))]``.
    Put it first: dependencies run in their order.  A request that is refused, or an event
    of another class, is answered by an ``HTTPException``, and the route does not run.  The
    route runs again for every delivery of an event and answers by itself, also with
    statuses that Dub must not see.

    Args:
        hooks: the receiver.
        events: as for ``webhook``.
        read_timeout: seconds, or a ``timedelta``, for the whole body to arrive.

    Raises:
        ConfigurationError: an event is not one of the receiver's family.
    """
    plan = plan_route(hooks, events)
    return build_verifier(plan, to_seconds("read_timeout", read_timeout))


def openapi(*events: type[Any]) -> dict[str, Any]:
    """Return ``openapi_extra`` for a route: the body of these events and the signature header.

    Raises:
        ConfigurationError: there is no event, or one of them is not an event class.
    """
    return operation_of(events)
