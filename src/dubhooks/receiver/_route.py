"""What every ``@webhook`` shares: which events its route takes, and its types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from ..idempotency._keys import check_dedupe
from . import pipeline_of
from ._functions import name_of
from ._registry import Route, resolve_events

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from flask import Response
    from flask.typing import ResponseReturnValue
    from starlette.requests import Request

    from .. import postbacks as p
    from .. import webhooks as w
    from ..events.unknown import UnknownEvent
    from ..idempotency._keys import Dedupe
    from ._pipeline import Pipeline
    from ._registry import Taken
    from ._typed import P1, P2, P3, W1, W2, W3, W4, Postbacks, Webhooks


@dataclass(frozen=True)
class RoutePlan:
    """What ``@webhook(hooks, ...)`` was told, before it has its handler."""

    pipeline: Pipeline[Any]
    takes: tuple[Taken, ...]
    dedupe: Dedupe

    def add_route(self, handler: Any, *, is_async: bool, status_of: Callable[[Any], int]) -> Route:
        """Return the route of ``handler``; the receiver notes that it exists.

        Args:
            handler: the decorated function.
            is_async: calling it gives an awaitable that belongs on the running loop.
            status_of: reads the HTTP status in what it returned.
        """
        route = Route(name_of(handler), self.takes, is_async, status_of, self.dedupe)
        self.pipeline.registry.add_route(route)
        return route


def plan_route(hooks: object, events: tuple[object, ...], dedupe: Dedupe = "id") -> RoutePlan:
    """Check what a route decorator, or a mount, was given.

    Args:
        hooks: the receiver.
        events: classes, or the one name of an event without a model; none for every event.
        dedupe: as for ``on``.

    Raises:
        ConfigurationError: there is no receiver, an event is not one of its
            family, or it cannot be deduplicated like this.
    """
    pipeline = pipeline_of(hooks)
    check_dedupe(dedupe, has_store=pipeline.settings.store is not None)
    takes = resolve_events(pipeline.family, events) if events else ()
    return RoutePlan(pipeline, takes, dedupe)


class InFlask:
    """Flask's shape of a handler: the event, then the parts of the URL."""


class InFastAPI:
    """FastAPI's: the event, then what FastAPI fills in."""


class AsDependency:
    """FastAPI's shape of a dependency: it gives the event of a request."""


class InDjango:
    """Django's: the request, the event, then the parts of the URL."""


EventT_co = TypeVar("EventT_co", covariant=True)
ShapeT = TypeVar("ShapeT")
ShapeT_co = TypeVar("ShapeT_co", covariant=True)
Rest = ParamSpec("Rest")
O = ParamSpec("O")  # noqa: E741 - the options of a framework's decorator


# fmt: off
class Typed(Protocol[EventT_co, ShapeT_co]):
    """Takes a handler, sync or async, and returns what the framework routes to.

    As a dependency, it takes the request and returns the event.
    """

    @overload
    def __call__(self: Typed[EventT_co, InFlask], handler: Callable[Concatenate[EventT_co, Rest], ResponseReturnValue | Awaitable[ResponseReturnValue | None] | None], /) -> Callable[Rest, Response]: ...  # noqa: E501
    @overload
    def __call__(self: Typed[EventT_co, InFastAPI], handler: Callable[Concatenate[EventT_co, Rest], object], /) -> Callable[..., Coroutine[Any, Any, Any]]: ...  # noqa: E501
    @overload
    def __call__(self: Typed[EventT_co, InDjango], handler: Callable[Concatenate[HttpRequest, EventT_co, Rest], Coroutine[Any, Any, HttpResponseBase | None]], /) -> Callable[Concatenate[HttpRequest, Rest], Coroutine[Any, Any, HttpResponseBase]]: ...  # noqa: E501
    @overload
    def __call__(self: Typed[EventT_co, InDjango], handler: Callable[Concatenate[HttpRequest, EventT_co, Rest], HttpResponseBase | None], /) -> Callable[Concatenate[HttpRequest, Rest], HttpResponseBase]: ...  # noqa: E501
    @overload
    async def __call__(self: Typed[EventT_co, AsDependency], request: Request) -> EventT_co: ...


class RouteTable(Protocol[ShapeT_co, O]):
    """The signatures of ``webhook`` in every framework, and of ``verified``."""

    @overload
    def __call__(self, hooks: Webhooks | Postbacks, name: str, /, *_: O.args, **options: O.kwargs) -> Typed[UnknownEvent, ShapeT_co]: ...  # noqa: E501
    @overload
    def __call__(self, hooks: Webhooks, /, *_: O.args, **options: O.kwargs) -> Typed[w.WebhookEvent, ShapeT_co]: ...  # noqa: E501
    @overload
    def __call__(self, hooks: Webhooks, a: type[W1], /, *_: O.args, **options: O.kwargs) -> Typed[W1, ShapeT_co]: ...  # noqa: E501
    @overload
    def __call__(self, hooks: Webhooks, a: type[W1], b: type[W2], /, *_: O.args, **options: O.kwargs) -> Typed[W1 | W2, ShapeT_co]: ...  # noqa: E501
    @overload
    def __call__(self, hooks: Webhooks, a: type[W1], b: type[W2], c: type[W3], /, *_: O.args, **options: O.kwargs) -> Typed[W1 | W2 | W3, ShapeT_co]: ...  # noqa: E501
    @overload
    def __call__(self, hooks: Webhooks, a: type[W1], b: type[W2], c: type[W3], d: type[W4], /, *_: O.args, **options: O.kwargs) -> Typed[W1 | W2 | W3 | W4, ShapeT_co]: ...  # noqa: E501
    @overload
    def __call__(self, hooks: Webhooks, a: type[W1], b: type[W2], c: type[W3], d: type[W4], e: type[w.KnownWebhookEvent], /, *more: type[w.KnownWebhookEvent], dedupe: Dedupe = "id", read_timeout: float | timedelta = ...) -> Typed[Any, ShapeT_co]: ...  # noqa: E501
    @overload
    def __call__(self, hooks: Postbacks, /, *_: O.args, **options: O.kwargs) -> Typed[p.PostbackEvent, ShapeT_co]: ...  # noqa: E501
    @overload
    def __call__(self, hooks: Postbacks, a: type[P1], /, *_: O.args, **options: O.kwargs) -> Typed[P1, ShapeT_co]: ...  # noqa: E501
    @overload
    def __call__(self, hooks: Postbacks, a: type[P1], b: type[P2], /, *_: O.args, **options: O.kwargs) -> Typed[P1 | P2, ShapeT_co]: ...  # noqa: E501
    @overload
    def __call__(self, hooks: Postbacks, a: type[P1], b: type[P2], c: type[P3], /, *_: O.args, **options: O.kwargs) -> Typed[P1 | P2 | P3, ShapeT_co]: ...  # noqa: E501
# fmt: on


def type_route(
    shape: type[ShapeT], options: Callable[O, object]
) -> Callable[[Callable[..., Any]], RouteTable[ShapeT, O]]:
    """Give a framework's ``webhook`` the signatures of the table; it stays the function it is.

    Args:
        shape: whose handlers it takes.
        options: a function with its keyword options.
    """
    del shape, options

    def give(function: Callable[..., Any]) -> Any:
        return function

    return give
