"""Views: a receiver as one, and a decorator that makes one of a handler."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial, wraps
from typing import Any

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ..idempotency._keys import Dedupe
from ..receiver import Receiver, pipeline_of
from ..receiver._functions import check_handler, hide_event, is_async_callable
from ..receiver._pipeline import Delivery, Pipeline
from ..receiver._registry import Handler, Route
from ..receiver._route import InDjango, plan_route, type_route
from ._serving import serve


def view(hooks: Receiver[Any]) -> Callable[..., HttpResponseBase]:
    """Return a view that gives every POST to the handlers of ``hooks``.

    It is a sync view, for WSGI and ASGI: sync handlers run in the thread that
    Django gave the request, async ones on the server's event loop.  What a
    handler raises is answered with Django's error pages and told to its signals.

    Args:
        hooks: the receiver.

    Raises:
        ConfigurationError: there is no receiver.
    """
    pipeline = pipeline_of(hooks)

    def dubhooks_view(request: HttpRequest, *_: Any, **__: Any) -> HttpResponseBase:
        return serve(pipeline, request, pipeline.find)

    exempt: Callable[..., HttpResponseBase] = _exempt(dubhooks_view)
    return exempt


def _options(*, dedupe: Dedupe = "id") -> None:
    """Tell type checkers the options of :func:`webhook`."""


@type_route(InDjango, _options)
def webhook(hooks: Any, /, *events: Any, dedupe: Dedupe = "id") -> Any:
    """Make a handler of these events a view.

    The handler takes the request, the event, and what the URL holds.  It
    returns a response, or nothing, which answers 200; an ``async def`` makes an
    async view.  What it raises is answered with Django's error pages and told
    to its signals.  An event that this view does not take goes to the
    receiver's ``on`` handlers.

    Args:
        hooks: the receiver.
        events: classes, or the one name of an event without a model; none for every event
            except payout-like ones.
        dedupe: ``"natural"`` runs what Dub may send again under a new event id, such as a
            payout, once too, as with ``hooks.on(..., dedupe="natural")``.

    Raises:
        ConfigurationError: the receiver, the events or the handler do not fit.
    """
    plan = plan_route(hooks, events, dedupe)

    def decorate(handler: Any) -> Any:
        check_handler(handler, position=1)
        is_async = is_async_callable(handler)
        route = plan.add_route(handler, is_async=is_async, status_of=_read_status)
        endpoint: Any = _build_view(plan.pipeline, route, handler)
        if is_async:
            endpoint = _make_async(endpoint)
        wraps(handler)(endpoint)
        hide_event(endpoint, handler, position=1)
        return _exempt(endpoint)

    return decorate


def _build_view(
    pipeline: Pipeline[Any], route: Route, handler: Any
) -> Callable[..., HttpResponseBase]:
    def dubhooks_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        def find(delivery: Delivery) -> Handler | None:
            call = partial(handler, request, delivery.event, *args, **kwargs)
            return pipeline.find(delivery, route, call)

        return serve(pipeline, request, find, route)

    return dubhooks_view


def _make_async(
    endpoint: Callable[..., HttpResponseBase],
) -> Callable[..., Coroutine[Any, Any, HttpResponseBase]]:
    """Return an async view; only the handler runs on the event loop.

    Claims are made in the request's thread, where Django opens, checks and
    closes database connections.
    """
    serve_in_thread = sync_to_async(endpoint, thread_sensitive=True)

    async def dubhooks_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return await serve_in_thread(request, *args, **kwargs)

    return dubhooks_view


def _exempt(endpoint: Any) -> Any:
    """Exempt a view from CSRF checks, logins, ``ATOMIC_REQUESTS`` and ``APPEND_SLASH``.

    By the attributes that Django's decorators set: those decorators themselves
    turn an async view into a sync one in Django 4.2.
    """
    endpoint.csrf_exempt = True
    endpoint.login_required = False
    # CommonMiddleware answers 404 then: a redirect would make Dub take a payout as paid.
    endpoint.should_append_slash = False
    # A claim inside a transaction would be undone with it, and so would the note of a failure.
    for alias in _list_databases():
        transaction.non_atomic_requests(using=alias)(endpoint)
    return endpoint


def _list_databases() -> list[str]:
    try:
        return list(connections)
    except ImproperlyConfigured:  # decorated where there are no settings yet
        return [DEFAULT_DB_ALIAS]


def _read_status(response: object) -> int:
    """Return the HTTP status in what a handler returned."""
    if response is None:
        return 200
    if isinstance(response, HttpResponseBase):
        return response.status_code
    raise TypeError(
        "a handler of dubhooks.django.webhook returns an HttpResponse or None, "
        f"not {type(response).__name__}"
    )
