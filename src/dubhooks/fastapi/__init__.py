"""FastAPI: a receiver as a router, and a decorator for a route's handler.

Without FastAPI, ``Route("/webhooks/dub", dubhooks.asgi.app(hooks))`` is a
route of plain Starlette.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

try:
    from fastapi import APIRouter
except ModuleNotFoundError as error:
    raise ImportError("dubhooks.fastapi needs FastAPI: install dubhooks[fastapi]") from error

from starlette.routing import Route

from .. import postbacks, webhooks
from .._body import READ_TIMEOUT
from ..errors import ConfigurationError
from ..receiver import route_events
from ._guard import GuardedEndpoint
from ._openapi import operation_of
from ._route import decorated, verifying

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import TypeAlias

    from ..receiver import Receiver
    from ..receiver._registry import Dedupe
    from ..receiver._typed import Postbacks, Webhooks

__all__ = ["openapi", "router", "verified", "webhook"]

EventT_co = TypeVar("EventT_co", covariant=True)
W1 = TypeVar("W1", bound=webhooks.KnownWebhookEvent)
W2 = TypeVar("W2", bound=webhooks.KnownWebhookEvent)
W3 = TypeVar("W3", bound=webhooks.KnownWebhookEvent)
W4 = TypeVar("W4", bound=webhooks.KnownWebhookEvent)
P1 = TypeVar("P1", bound=postbacks.KnownPostbackEvent)
P2 = TypeVar("P2", bound=postbacks.KnownPostbackEvent)
P3 = TypeVar("P3", bound=postbacks.KnownPostbackEvent)
Rest = ParamSpec("Rest")

if TYPE_CHECKING:
    Dependency: TypeAlias = Callable[..., Coroutine[Any, Any, EventT_co]]


class Decorator(Protocol[EventT_co]):
    """Takes a handler, sync or async: the event first, then what FastAPI fills in."""

    def __call__(
        self, handler: Callable[Concatenate[EventT_co, Rest], object], /
    ) -> Callable[..., Coroutine[Any, Any, Any]]:
        """Return the endpoint for a route; the handler itself is its ``__wrapped__``."""
        ...


def router(
    hooks: Receiver[Any], *, path: str = "/webhooks/dub", read_timeout: float = READ_TIMEOUT
) -> APIRouter:
    """Return a router that gives every POST to ``path`` to the handlers of ``hooks``.

    ``read_timeout``: seconds for the body to arrive.  What a handler raises
    reaches FastAPI.  Dependencies of the application or of ``include_router``
    do not run.  The path works with and without a slash at its end, because a
    redirect would make Dub take a payout as paid.

    Raises:
        ConfigurationError: the path does not begin with a slash, or there is no receiver.
    """
    route_events(hooks, ())
    if not path.startswith("/"):
        raise ConfigurationError('path must begin with a slash, as "/webhooks/dub" does')
    # A plain route of Starlette: FastAPI's own solve dependencies and read bodies as they like.
    endpoint = GuardedEndpoint(hooks, read_timeout, has_framework=True)
    mounted = APIRouter()
    for one in dict.fromkeys((path, path.rstrip("/") or "/", path.rstrip("/") + "/")):
        mounted.routes.append(Route(one, endpoint, name="dubhooks", include_in_schema=False))
    return mounted


@overload
def webhook(
    hooks: Webhooks, /, *, read_timeout: float = ..., dedupe: Dedupe = ...
) -> Decorator[webhooks.WebhookEvent]: ...
@overload
def webhook(
    hooks: Webhooks, a: type[W1], /, *, read_timeout: float = ..., dedupe: Dedupe = ...
) -> Decorator[W1]: ...
@overload
def webhook(
    hooks: Webhooks, a: type[W1], b: type[W2], /, *, read_timeout: float = ..., dedupe: Dedupe = ...
) -> Decorator[W1 | W2]: ...
@overload
def webhook(
    hooks: Webhooks,
    a: type[W1],
    b: type[W2],
    c: type[W3],
    /,
    *,
    read_timeout: float = ...,
    dedupe: Dedupe = ...,
) -> Decorator[W1 | W2 | W3]: ...
@overload
def webhook(
    hooks: Webhooks,
    a: type[W1],
    b: type[W2],
    c: type[W3],
    d: type[W4],
    /,
    *,
    read_timeout: float = ...,
    dedupe: Dedupe = ...,
) -> Decorator[W1 | W2 | W3 | W4]: ...
@overload
def webhook(
    hooks: Webhooks,
    a: type[W1],
    b: type[W2],
    c: type[W3],
    d: type[W4],
    /,
    *more: type[webhooks.KnownWebhookEvent],
    read_timeout: float = ...,
    dedupe: Dedupe = ...,
) -> Decorator[Any]: ...
@overload
def webhook(
    hooks: Postbacks, /, *, read_timeout: float = ..., dedupe: Dedupe = ...
) -> Decorator[postbacks.PostbackEvent]: ...
@overload
def webhook(
    hooks: Postbacks, a: type[P1], /, *, read_timeout: float = ..., dedupe: Dedupe = ...
) -> Decorator[P1]: ...
@overload
def webhook(
    hooks: Postbacks,
    a: type[P1],
    b: type[P2],
    /,
    *,
    read_timeout: float = ...,
    dedupe: Dedupe = ...,
) -> Decorator[P1 | P2]: ...
@overload
def webhook(
    hooks: Postbacks,
    a: type[P1],
    b: type[P2],
    c: type[P3],
    /,
    *,
    read_timeout: float = ...,
    dedupe: Dedupe = ...,
) -> Decorator[P1 | P2 | P3]: ...
def webhook(
    hooks: Any, /, *events: Any, read_timeout: float = READ_TIMEOUT, dedupe: Dedupe = "id"
) -> Any:
    """Make a handler of these events an endpoint; put it below ``@app.post(path)``.

    The handler's first parameter is the event; ``Depends``, path, query and
    header parameters, ``Request``, ``Response`` and ``BackgroundTasks`` work
    beside it, and body parameters cannot.  The order is: verify, the handler's
    dependencies, claim, handler, complete, response.  Without an event class
    the handler takes every event but those that a payout hangs on.

    Nothing returned, or ``None``, answers 200 (or the status set with FastAPI).
    Background tasks run only if the delivery was handled.

    ``dedupe="natural"``: what Dub may send again under a new event id, such as
    a payout, runs once too, as with ``hooks.on(..., dedupe="natural")``.

    Raises:
        ConfigurationError: the events or the handler do not fit, or the
            decorators are in the wrong order.
    """
    classes = route_events(hooks, events, dedupe)
    return partial(decorated, hooks, classes, read_timeout, dedupe)


@overload
def verified(
    hooks: Webhooks, /, *, read_timeout: float = ...
) -> Dependency[webhooks.WebhookEvent]: ...
@overload
def verified(hooks: Webhooks, a: type[W1], /, *, read_timeout: float = ...) -> Dependency[W1]: ...
@overload
def verified(
    hooks: Webhooks, a: type[W1], b: type[W2], /, *, read_timeout: float = ...
) -> Dependency[W1 | W2]: ...
@overload
def verified(
    hooks: Webhooks,
    a: type[W1],
    b: type[W2],
    c: type[W3],
    /,
    *more: type[webhooks.KnownWebhookEvent],
    read_timeout: float = ...,
) -> Dependency[Any]: ...
@overload
def verified(
    hooks: Postbacks, /, *, read_timeout: float = ...
) -> Dependency[postbacks.PostbackEvent]: ...
@overload
def verified(hooks: Postbacks, a: type[P1], /, *, read_timeout: float = ...) -> Dependency[P1]: ...
@overload
def verified(
    hooks: Postbacks, a: type[P1], b: type[P2], /, *, read_timeout: float = ...
) -> Dependency[P1 | P2]: ...
@overload
def verified(
    hooks: Postbacks, a: type[P1], b: type[P2], c: type[P3], /, *, read_timeout: float = ...
) -> Dependency[P1 | P2 | P3]: ...
def verified(hooks: Any, /, *events: Any, read_timeout: float = READ_TIMEOUT) -> Any:
    """Return a dependency that verifies a delivery and gives its event; nothing is claimed.

    ``sale: Annotated[SaleCreated, Depends(verified(hooks, SaleCreated))]``.
    Put it first: dependencies run in their order.  A request that is refused,
    or an event of another class, gets dubhooks' own reply, and the route does
    not run.  The route runs again for every delivery of an event and answers by
    itself, also with statuses that Dub must not see.

    Raises:
        ConfigurationError: an event is not one of the receiver's family.
    """
    return verifying(hooks, route_events(hooks, events), read_timeout)


def openapi(*events: type[Any]) -> dict[str, Any]:
    """Return ``openapi_extra`` for a route: the body of these events and the signature header.

    Raises:
        ConfigurationError: there is no event, or one of them is not an event class.
    """
    return operation_of(events)
