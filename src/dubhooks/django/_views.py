"""Views: a receiver as one, and a decorator that makes one of a handler.

A sync store works in the thread that Django gave the request, so its database
connections are those that Django opens, checks and closes, and an async handler
is sent to the server's event loop from there.
"""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from asgiref.sync import async_to_sync, sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from .. import postbacks, webhooks
from .._body import READ_TIMEOUT
from .._headers import EnvironHeaders
from ..errors import ConfigurationError, MethodNotAllowed, PayloadError
from ..idempotency import is_async_store
from ..receiver import Receiver, route_events
from ..receiver._annotations import check_handler, name_of, own_parameters
from ..receiver._registry import is_async_callable
from ..reply import Reply
from ..wsgi import headers_to
from ._body import read_body
from ._guard import guard_failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import TypeAlias

    from ..idempotency import Job
    from ..receiver._delivery import Delivery, Served
    from ..receiver._registry import Dedupe
    from ..receiver._typed import Postbacks, Webhooks

    _JobOf: TypeAlias = Callable[[Delivery[Any]], Job | None]

__all__ = ["view", "webhook"]

EventT_co = TypeVar("EventT_co", covariant=True)
W1 = TypeVar("W1", bound=webhooks.KnownWebhookEvent)
W2 = TypeVar("W2", bound=webhooks.KnownWebhookEvent)
W3 = TypeVar("W3", bound=webhooks.KnownWebhookEvent)
W4 = TypeVar("W4", bound=webhooks.KnownWebhookEvent)
P1 = TypeVar("P1", bound=postbacks.KnownPostbackEvent)
P2 = TypeVar("P2", bound=postbacks.KnownPostbackEvent)
P3 = TypeVar("P3", bound=postbacks.KnownPostbackEvent)
Rest = ParamSpec("Rest")


class Decorator(Protocol[EventT_co]):
    """Takes a handler, sync or async: the request, the event, then what the URL holds."""

    @overload
    def __call__(
        self,
        handler: Callable[
            Concatenate[HttpRequest, EventT_co, Rest], Coroutine[Any, Any, HttpResponseBase | None]
        ],
        /,
    ) -> Callable[Concatenate[HttpRequest, Rest], Coroutine[Any, Any, HttpResponseBase]]: ...
    @overload
    def __call__(
        self,
        handler: Callable[Concatenate[HttpRequest, EventT_co, Rest], HttpResponseBase | None],
        /,
    ) -> Callable[Concatenate[HttpRequest, Rest], HttpResponseBase]: ...


def view(
    hooks: Receiver[Any], *, read_timeout: float = READ_TIMEOUT
) -> Callable[..., HttpResponseBase]:
    """Return a view that gives every POST to the handlers of ``hooks``.

    It is a sync view, for WSGI and ASGI: sync handlers run in the thread that
    Django gave the request, async ones on the server's event loop.  What a
    handler raises reaches Django.  ``read_timeout``: seconds for the body to
    arrive, under WSGI (under ASGI Django has received it before).

    Raises:
        ConfigurationError: there is no receiver.
    """
    route_events(hooks, ())

    def dubhooks_view(request: HttpRequest, *_: Any, **__: Any) -> HttpResponseBase:
        try:
            served = _served(hooks, request, read_timeout, hooks.registered)
            return _sent(request, served if isinstance(served, Reply) else served.reply)
        except Exception:
            guard_failure(_unwrapped(request))
            raise

    opened: Callable[..., HttpResponseBase] = _opened(dubhooks_view)
    return opened


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
    """Make a handler of these events a view.

    The handler takes the request, the event, and what the URL holds.  It
    returns a response, or nothing, which answers 200; an ``async def`` makes an
    async view.  Without an event class it takes every event but those that a
    payout hangs on.  What it raises reaches Django.

    ``dedupe="natural"``: what Dub may send again under a new event id, such as
    a payout, runs once too, as with ``hooks.on(..., dedupe="natural")``.

    Raises:
        ConfigurationError: the receiver, the events or the handler do not fit.
    """
    classes = route_events(hooks, events, dedupe)
    route = partial(hooks.route, events=classes, status_of=_status_of, dedupe=dedupe)

    def decorate(handler: Any) -> Any:
        _refuse_swapped(handler)
        check_handler(handler, hooks.family, classes, position=1)
        wrapped = _async_view if is_async_callable(handler) else _sync_view
        return _opened(wrapped(hooks, route, read_timeout, handler))

    return decorate


def _sync_view(
    hooks: Receiver[Any], route: Callable[..., Job | None], read_timeout: float, handler: Any
) -> Callable[..., HttpResponseBase]:
    @wraps(handler)
    def dubhooks_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        def job_of(delivery: Delivery[Any]) -> Job | None:
            call = partial(handler, request, delivery.event, *args, **kwargs)
            return route(delivery, lambda: _response(call()), is_async=False)

        try:
            return _answer(request, _served(hooks, request, read_timeout, job_of))
        except Exception:
            guard_failure(_unwrapped(request))
            raise

    return dubhooks_view


def _async_view(
    hooks: Receiver[Any], route: Callable[..., Job | None], read_timeout: float, handler: Any
) -> Callable[..., Coroutine[Any, Any, HttpResponseBase]]:
    served_in_thread = sync_to_async(_served, thread_sensitive=True)

    @wraps(handler)
    async def dubhooks_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        def job_of(delivery: Delivery[Any]) -> Job | None:
            call = partial(handler, request, delivery.event, *args, **kwargs)

            async def responding() -> HttpResponseBase | None:
                return _response(await call())

            return route(delivery, responding, is_async=True)

        serve = served_in_thread if _blocks(hooks) or not _is_asgi(request) else _served_on_loop
        try:
            return _answer(request, await serve(hooks, request, read_timeout, job_of))
        except Exception:
            guard_failure(_unwrapped(request))
            raise

    return dubhooks_view


def _served(
    hooks: Receiver[Any], request: HttpRequest, read_timeout: float, job_of: _JobOf
) -> Served | Reply:
    """Serve a request in the thread that Django gave it."""
    try:
        # Not kept in a variable, because Django's error reports show those.
        delivery = hooks.admit(_body(hooks, request, read_timeout), EnvironHeaders(request.META))
    except PayloadError as error:
        return hooks.refuse(error)
    if isinstance(delivery, Reply):
        return delivery
    job = job_of(delivery)
    if _needs_loop(hooks) and _is_asgi(request):
        return async_to_sync(hooks.arun)(delivery, _awaiting(job))
    return hooks.run(delivery, _blocking(job))


async def _served_on_loop(
    hooks: Receiver[Any], request: HttpRequest, read_timeout: float, job_of: _JobOf
) -> Served | Reply:
    """Serve a request of ASGI without a thread."""
    try:
        delivery = await hooks.aadmit(
            _body(hooks, request, read_timeout), EnvironHeaders(request.META)
        )
    except PayloadError as error:
        return hooks.refuse(error)
    if isinstance(delivery, Reply):
        return delivery
    return await hooks.arun(delivery, job_of(delivery))


def _body(hooks: Receiver[Any], request: HttpRequest, read_timeout: float) -> bytes:
    request = _unwrapped(request)
    if not isinstance(request, HttpRequest):
        raise ConfigurationError(
            "webhook(...) is for a function whose first argument is the request: decorate a "
            "function instead of a method"
        )
    if request.method != "POST":
        raise MethodNotAllowed("a delivery is a POST")
    return read_body(request, hooks.max_body, read_timeout)


def _refuse_swapped(handler: Any) -> None:
    names = [one.name for one in own_parameters(handler) or ()] if callable(handler) else []
    if names[:1] in (["self"], ["event"]) or names[1:2] == ["request"]:
        raise ConfigurationError(
            f"{name_of(handler)}({', '.join(names)}) takes the request first and the event second: "
            "(request, event, ...); decorate a function instead of a method"
        )


def _unwrapped(request: Any) -> Any:
    # A decorator of Django REST framework around ours gives us a wrapper of Django's request.
    return getattr(request, "_request", request)


def _is_asgi(request: HttpRequest) -> bool:
    return isinstance(_unwrapped(request), ASGIRequest)


def _blocking(job: Job | None) -> Job | None:
    """Return a job for this thread; an async handler still runs on the server's loop, if any."""
    if job is None or not job.is_async:
        return job
    return job._replace(call=partial(async_to_sync(_awaited), job.call), is_async=False)


def _awaiting(job: Job | None) -> Job | None:
    """Return a job for the event loop; a sync handler still runs in the request's thread."""
    if job is None or job.is_async:
        return job
    return job._replace(call=sync_to_async(job.call, thread_sensitive=True), is_async=True)


async def _awaited(call: Callable[[], Awaitable[Any]]) -> Any:
    return await call()


def _needs_loop(hooks: Receiver[Any]) -> bool:
    return hooks.store is not None and is_async_store(hooks.store)


def _blocks(hooks: Receiver[Any]) -> bool:
    never = getattr(hooks.store, "never_blocks", False)
    return hooks.store is not None and not never and not is_async_store(hooks.store)


def _response(result: object) -> HttpResponseBase | None:
    if result is None or isinstance(result, HttpResponseBase):
        return result
    raise TypeError(
        f"a handler of dubhooks.django.webhook returns an HttpResponse or None, "
        f"not {type(result).__name__}"
    )


def _status_of(response: HttpResponseBase | None) -> int:
    return 200 if response is None else response.status_code


def _answer(request: HttpRequest, served: Served | Reply) -> HttpResponseBase:
    if isinstance(served, Reply):
        return _sent(request, served)
    response: HttpResponseBase | None = served.response
    return response if response is not None else _sent(request, served.reply)


def _sent(request: HttpRequest, reply: Reply) -> HttpResponse:
    headers = reply.headers
    if "Connection" in headers and not _is_asgi(request):
        headers = headers_to(reply)
    return HttpResponse(reply.body, status=reply.status, headers=headers)


class _EveryAlias(set[str]):
    """The databases whose ``ATOMIC_REQUESTS`` a view is exempt from: all of them."""

    def __contains__(self, alias: object) -> bool:
        return True


def _opened(endpoint: Any) -> Any:
    """Let Dub in, which has neither a CSRF token nor a login.

    By attributes, as Django's own decorators do: those of 4.2 turn an async
    view into one that Django takes for a sync one.
    """
    endpoint.is_dubhooks_view = True  # for the system checks
    endpoint.csrf_exempt = True
    endpoint.login_required = False
    # A claim inside a transaction would be undone with it, and so would the note of a failure.
    endpoint._non_atomic_requests = _EveryAlias()
    # CommonMiddleware answers 404 then: a redirect would make Dub take a payout as paid.
    endpoint.should_append_slash = False
    return endpoint
