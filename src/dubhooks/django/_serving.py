"""One request: Django's thread and event loop around the pipeline, and what Django sends back."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.exception import response_for_exception
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from ..receiver._pipeline import Delivery, Pipeline, Result
from ..receiver._registry import Handler, Route
from ..reply import Reply, build_reply
from ..wsgi import headers_to_send
from ._body import read_request


def serve(
    pipeline: Pipeline[Any],
    request: Any,
    find: Callable[[Delivery], Handler | None],
    route: Route | None = None,
) -> HttpResponseBase:
    """Take a request through the pipeline, in the thread that Django gave it.

    Args:
        pipeline: the receiver's.
        request: Django's, or one that Django REST framework made of it.
        find: finds the handler of a delivery.
        route: whose handler may answer with a response of its own.

    Raises:
        Exception: what the handler raised, where Django has not called the view.
    """
    request = _find_django_request(request)
    try:
        opened = _open(pipeline, request)
        if isinstance(opened, Reply):
            return _build_response(opened, request)
        result = _run(pipeline, opened, find(opened), is_asgi=isinstance(request, ASGIRequest))
    except Exception as error:
        if request.resolver_match is None:  # a test calls the view
            raise
        return _answer_failure(pipeline, request, error)
    if route is not None and route.matches(opened.event) and result.response is not None:
        response: HttpResponseBase = result.response
        return response
    if result.reply.status >= 400:
        _roll_back_around()
    return _build_response(result.reply, request)


def _find_django_request(request: Any) -> HttpRequest:
    """Return Django's request; Django REST framework's has it, and passes its methods on."""
    # Those methods are the only public way from one to the other.
    owner: HttpRequest = request.get_host.__self__
    return owner


def _open(pipeline: Pipeline[Any], request: HttpRequest) -> Delivery | Reply:
    read = read_request(pipeline, request)
    return read if isinstance(read, Reply) else pipeline.open(read)


def _run(
    pipeline: Pipeline[Any], delivery: Delivery, handler: Handler | None, *, is_asgi: bool
) -> Result:
    if handler is None:
        return pipeline.run(delivery, None)
    if pipeline.needs_loop and is_asgi:
        function = _build_async_call(handler)
        on_loop = handler._replace(function=function, is_async=True)
        return async_to_sync(pipeline.arun)(delivery, on_loop)
    return pipeline.run(delivery, handler._replace(function=_build_call(handler.function)))


def _build_call(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a call for the request's thread; what it awaits runs on the server's event loop."""

    def call(event: Any) -> Any:
        try:
            result = function(event)
        except StopIteration as error:
            # The future of sync_to_async cannot hold it, and would wait forever (PEP 479).
            raise RuntimeError("the handler raised StopIteration") from error
        return async_to_sync(_await)(result) if inspect.isawaitable(result) else result

    return call


def _build_async_call(handler: Handler) -> Callable[[Any], Any]:
    """Return a call for the event loop; a sync handler runs in the request's thread."""
    function = handler.function
    if handler.is_async:
        return function
    return sync_to_async(_build_call(function), thread_sensitive=True)


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _build_response(reply: Reply, request: HttpRequest) -> HttpResponse:
    """Return a reply as a response."""
    headers = reply.headers if isinstance(request, ASGIRequest) else headers_to_send(reply)
    return HttpResponse(reply.body, status=reply.status, headers=headers)


def _answer_failure(
    pipeline: Pipeline[Any], request: HttpRequest, error: Exception
) -> HttpResponse:
    """Return what Django answers to ``error``, unless that is a success; call it in ``except``.

    Signals, logs, error pages and the debug page are Django's.  The exception does not leave the
    view, so that nothing around it can answer 200: Dub would take the event as done.
    """
    try:
        response = response_for_exception(request, error)
    except Exception:
        if settings.DEBUG_PROPAGATE_EXCEPTIONS:
            raise
        pipeline.log.exception("the project's error page failed for a delivery that had failed")
        response = _build_failed(request)
    if response.status_code < 400:
        pipeline.log.error(
            "an error page of the project answered %d for a delivery that failed: Dub would not "
            "send the event again, so 500 is sent instead; give the page its status",
            response.status_code,
        )
        response = _build_failed(request)
    _roll_back_around()
    return response


def _roll_back_around() -> None:
    """Roll back the transactions around the view, as an exception that leaves it would do."""
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block and _is_in_transaction(connection.alias):
            transaction.set_rollback(True, using=connection.alias)


def _is_in_transaction(alias: str) -> bool:
    """Tell whether a transaction is open that is not the one of Django's ``TestCase``."""
    try:
        # Without a savepoint this sends nothing to the database.
        with transaction.atomic(using=alias, savepoint=False, durable=True):
            return False
    except RuntimeError:
        return True


def _build_failed(request: HttpRequest) -> HttpResponse:
    return _build_response(build_reply("failed"), request)
