"""Flask: a receiver as a view, and a decorator for a view of your own.

What a handler raises reaches Flask, its error handlers and its error
reporting, but none of them can turn it into an answer that means success.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

try:
    from flask import Response, after_this_request, current_app, request
except ModuleNotFoundError as _error:
    raise ImportError("dubhooks.flask needs Flask: install dubhooks[flask]") from _error

from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge

from .errors import BodyIncomplete, BodyTooLarge, ConfigurationError
from .idempotency._drivers import call_and_await, explain_running_loop, is_on_event_loop
from .receiver import pipeline_of
from .receiver._functions import check_handler, hide_event, is_async_callable
from .receiver._route import InFlask, plan_route, type_route
from .reply import Reply, build_reply
from .wsgi import headers_to_send, read_body, read_request, refuse_async_store

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from .events._base import Event
    from .idempotency._keys import Dedupe
    from .receiver import Receiver
    from .receiver._pipeline import Pipeline
    from .receiver._registry import Route
    from .receiver._route import RoutePlan

__all__ = ["view", "webhook"]

_READERS = (
    "a before_request function has read request.stream, or middleware wsgi.input: "
    "request.get_data() keeps the body"
)


def view(hooks: Receiver[Any]) -> Callable[..., Response]:
    """Return a view that gives every POST to the handlers of ``hooks``.

    ``app.add_url_rule("/webhooks/dub", view_func=view(hooks))``.  Its endpoint is
    ``dubhooks_webhook``, or ``dubhooks_postback``.  A second receiver of the same family in
    one application needs a name of its own, ``add_url_rule(..., endpoint="dub")``.

    It works as a cloud function, too, which is called with the request.

    Args:
        hooks: the receiver.

    Raises:
        ConfigurationError: there is no receiver, or its store needs an event loop.
    """
    pipeline = pipeline_of(hooks)
    refuse_async_store(pipeline, "Flask")

    def dubhooks_view(_: object = None, /, **__: object) -> Response:
        return _respond(pipeline)

    dubhooks_view.__name__ = f"dubhooks_{pipeline.family.name}"
    return _accept_post_only(dubhooks_view)


def _options(*, dedupe: Dedupe = "id") -> None: ...


@type_route(InFlask, _options)
def webhook(hooks: Any, /, *events: Any, dedupe: Dedupe = "id") -> Any:
    """Make a handler of these events a view; put it below ``@app.post(path)``.

    The handler's first parameter is the event, the parts of the URL follow by name.  It
    returns what any view may return, which is then the answer, or nothing, which answers 200.
    The order is: verify, claim, handler, complete, response.  An event that the route does not
    take goes to the handlers of ``hooks.on``.

    Args:
        hooks: the receiver.
        events: the classes that the handler takes, or the name of one event that has none.
            Without any it takes every event except payout-like ones.
        dedupe: ``"natural"`` also runs once what Dub may send again under a new event id,
            such as a payout.

    Raises:
        ConfigurationError: the events, the handler or the store do not fit.
    """
    plan = plan_route(hooks, events, dedupe)
    refuse_async_store(plan.pipeline, "Flask")
    return partial(_decorate, plan)


def _decorate(plan: RoutePlan, handler: Any) -> Callable[..., Response]:
    check_handler(handler)
    route = plan.add_route(handler, is_async=is_async_callable(handler), status_of=_status_of)

    @wraps(handler)
    def guarded(**parts: Any) -> Response:
        return _respond(plan.pipeline, route, partial(_call, handler, parts))

    hide_event(guarded, handler)
    return _accept_post_only(guarded)


def _respond(
    pipeline: Pipeline[Any],
    route: Route | None = None,
    call: Callable[[Event], Response | None] | None = None,
) -> Response:
    """Take the current request through the pipeline; ``call`` is the handler of ``route``."""
    try:
        read = read_request(pipeline, request.environ, _read_body, _READERS)
        opened = read if isinstance(read, Reply) else pipeline.open(read)
        if isinstance(opened, Reply):
            return _build_response(opened)
        bound = None if call is None else partial(call, opened.event)
        result = pipeline.run(opened, pipeline.find(opened, route, bound))
        if route is not None and route.matches(opened.event) and result.response is not None:
            response: Response = result.response
            return response
        return _build_response(result.reply)
    except Exception:
        after_this_request(partial(_never_a_success, pipeline))
        raise


def _read_body(environ: WSGIEnvironment, max_body: int) -> bytes:
    """Return the raw body, and leave it to the handler as ``request.get_data()`` and the like."""
    # Not Flask's own limits: before Flask 3.1 there is one for the whole application.
    if "stream" not in vars(request):
        body = read_body(environ, max_body)
    else:
        # Somebody was here before.  Flask's stream knows where it ends, and Flask still has what
        # was read with get_data() or get_json().
        safe = {"wsgi.input": request.stream, "wsgi.input_terminated": True}
        try:
            body = read_body({**environ, **safe}, max_body) or request.get_data()
        except ClientDisconnected:
            raise BodyIncomplete("the body ended before it was all there") from None
        except RequestEntityTooLarge:
            raise BodyTooLarge("the body is larger than MAX_CONTENT_LENGTH") from None
    cast("Any", request).stream = BytesIO(body)
    return body


def _call(handler: Any, parts: dict[str, Any], event: Event) -> Response | None:
    try:
        # Flask does not see that a plain decorator around an ``async def`` gives an awaitable.
        result = call_and_await(partial(current_app.ensure_sync(handler), event, **parts))
    except HTTPException as error:
        result = error.get_response(request.environ)
        if result.status_code >= 400:
            raise  # Flask answers, with the application's own error pages
        # abort() and redirects that are raised are judged like returned ones.
    except RuntimeError as error:
        if is_async_callable(handler) and is_on_event_loop():
            # Only now: gevent's greenlets share a thread, and another one may have begun.
            raise ConfigurationError(explain_running_loop()) from error
        raise
    # Only a response made of it has a status to judge: (body, 500) is one of many ways.
    return None if result is None else current_app.make_response(result)


def _status_of(response: Response | None) -> int:
    return 200 if response is None else response.status_code


def _build_response(reply: Reply) -> Response:
    return current_app.response_class(reply.body, reply.status, headers_to_send(reply))


def _never_a_success(pipeline: Pipeline[Any], response: Response) -> Response:
    if response.status_code >= 400:
        return response
    pipeline.log.error(
        "an error handler of the application answered %d for a handler that failed: Dub would "
        "not send the event again, so 500 is sent instead; let it answer 500 on this path",
        response.status_code,
    )
    return _build_response(build_reply("failed"))


def _accept_post_only(function: Any) -> Callable[..., Response]:
    # Flask reads it where a route names no methods.
    function.methods = ("POST",)
    view: Callable[..., Response] = function
    return view
