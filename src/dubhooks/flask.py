"""Flask: a receiver as a view, and a decorator for a view of your own.

What a handler raises reaches Flask, its error handlers and its error
reporting, but none of them can turn it into an answer that means success.
"""

from __future__ import annotations

import gc
import logging
from collections import defaultdict
from functools import partial, wraps
from io import BytesIO
from itertools import count
from types import CellType, FunctionType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload
from weakref import WeakKeyDictionary

try:
    from flask import Flask, Response, after_this_request, current_app, request
except ModuleNotFoundError as error:
    raise ImportError("dubhooks.flask needs Flask: install dubhooks[flask]") from error

from werkzeug.exceptions import HTTPException

from . import postbacks, webhooks
from ._body import READ_TIMEOUT
from ._headers import EnvironHeaders
from .errors import ConfigurationError, MethodNotAllowed, PayloadError
from .receiver import Receiver, route_events
from .receiver._annotations import check_handler
from .reply import Reply, reply_to
from .wsgi import headers_to, read_body, refuse_async_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from wsgiref.types import WSGIEnvironment

    from flask import Request
    from flask.typing import ResponseReturnValue

    from .events._base import Event
    from .receiver._registry import Dedupe
    from .receiver._typed import Postbacks, Webhooks

__all__ = ["view", "webhook"]

logger = logging.getLogger("dubhooks")

_NUMBERS: WeakKeyDictionary[Receiver[Any], int] = WeakKeyDictionary()
"""Receivers with a view, each with its number within its family, from 1."""
_COUNTS: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(1))

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
    """Takes a handler, sync or async: the event first, then the parts of the URL."""

    def __call__(
        self,
        handler: Callable[
            Concatenate[EventT_co, Rest],
            ResponseReturnValue | Awaitable[ResponseReturnValue | None] | None,
        ],
        /,
    ) -> Callable[Rest, Response]:
        """Return the view for a route; the handler itself is its ``__wrapped__``."""
        ...


def view(hooks: Receiver[Any], *, read_timeout: float = READ_TIMEOUT) -> Callable[..., Response]:
    """Return a view that gives every POST to the handlers of ``hooks``.

    ``app.add_url_rule("/webhooks/dub", view_func=view(hooks))``.  Handlers run
    in the request's context; what they raise reaches Flask.  ``read_timeout``:
    seconds for the body to arrive, see :func:`dubhooks.wsgi.app`.  For
    ``url_for`` name the endpoint yourself: ``endpoint="dub"``.

    Raises:
        ConfigurationError: there is no receiver, or its store needs an event loop.
    """
    route_events(hooks, ())
    refuse_async_store(hooks, "Flask")

    def dubhooks_view(**_: Any) -> Response:
        current = _current_request()
        body = _body_or_refusal(hooks, current, read_timeout)
        if isinstance(body, Reply):
            return _response_of(body)
        try:
            return _response_of(hooks.handle(body, EnvironHeaders(current.environ)))
        except Exception:
            after_this_request(_never_a_success)
            raise

    dubhooks_view.__name__ = _name_of(hooks)
    _only_post(dubhooks_view)
    return dubhooks_view


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
    """Make a handler of these events a view; put it below ``@app.post(path)``.

    The handler's first parameter is the event, the parts of the URL follow by
    name.  It returns what any view may return, which is then the answer, or
    nothing, which answers 200.  The order is: verify, claim, handler, complete,
    response.  Without an event class the handler takes every event but those
    that a payout hangs on.

    ``dedupe="natural"``: what Dub may send again under a new event id, such as
    a payout, runs once too, as with ``hooks.on(..., dedupe="natural")``.

    Raises:
        ConfigurationError: the events, the handler or the store do not fit, or
            the decorators are in the wrong order.
    """
    classes = route_events(hooks, events, dedupe)
    refuse_async_store(hooks, "Flask")
    return partial(_decorated, hooks, classes, read_timeout, dedupe)


def _decorated(
    hooks: Receiver[Any],
    classes: tuple[type[Event], ...],
    read_timeout: float,
    dedupe: Dedupe,
    handler: Any,
) -> Callable[..., Response]:
    check_handler(handler, hooks.family, classes)
    _refuse_registered(handler)

    @wraps(handler)
    def guarded(**parts: Any) -> Response:
        current = _current_request()
        body = _body_or_refusal(hooks, current, read_timeout)
        if isinstance(body, Reply):
            return _response_of(body)
        try:
            delivery = hooks.admit(body, EnvironHeaders(current.environ))
            if isinstance(delivery, Reply):
                return _response_of(delivery)
            call = partial(_called, handler, parts, delivery.event)
            job = hooks.route(
                delivery,
                call,
                # ensure_sync() runs an async handler, as it does Flask's async views.
                is_async=False,
                events=classes,
                status_of=_status_of,
                dedupe=dedupe,
            )
            served = hooks.run(delivery, job)
            return _response_of(served.reply) if served.response is None else served.response
        except Exception:
            after_this_request(_never_a_success)
            raise

    _only_post(guarded)
    return guarded


def _called(handler: Any, parts: dict[str, Any], event: Event) -> Response | None:
    try:
        result = current_app.ensure_sync(handler)(event, **parts)
    except HTTPException as error:
        response = error.get_response(request.environ)
        if response.status_code >= 400:
            raise  # Flask answers, with the application's own error pages
        # abort() and redirect responses that are raised: judged like returned ones.
        result = response
    # Only a response made of it has a status to judge: (body, 500) is one of many ways.
    return None if result is None else current_app.make_response(result)


def _status_of(response: Response | None) -> int:
    return 200 if response is None else response.status_code


def _current_request() -> Request:
    # The proxy looks the request up again at every use.
    return cast("Request", cast("Any", request)._get_current_object())


def _body_or_refusal(hooks: Receiver[Any], current: Request, read_timeout: float) -> bytes | Reply:
    try:
        if current.method != "POST":
            return hooks.refuse(MethodNotAllowed("a delivery is a POST"))
        body = _body_of(current, hooks.max_body, read_timeout)
    except PayloadError as error:
        return hooks.refuse(error)
    if not body:
        _explain_empty_body(current.environ)
    return body


def _body_of(current: Request, max_body: int, read_timeout: float) -> bytes:
    if "stream" in vars(current):
        # Somebody was here before: Flask still has the body if it was read with get_data() or
        # get_json(), and nobody has if it was not.
        return current.get_data(cache=True)
    # Read by ourselves, because before Flask 3.1 the limit is one for the whole application.
    body = read_body(current.environ, max_body, read_timeout)
    current.environ["wsgi.input"] = BytesIO(body)  # for request.get_json() in the handler
    return body


def _explain_empty_body(environ: WSGIEnvironment) -> None:
    if environ.get("CONTENT_LENGTH", "").strip("0"):
        logger.error(
            "the body of a delivery was read before dubhooks saw it: a before_request function or "
            "WSGI middleware took it from request.stream or wsgi.input; let it use "
            "request.get_data(), which keeps the body, or leave this path out"
        )
    elif environ.get("HTTP_TRANSFER_ENCODING") and not environ.get("wsgi.input_terminated"):
        logger.error(
            "a delivery came in chunks, and this server does not mark where such a body ends "
            "(wsgi.input_terminated): use one that does, such as gunicorn"
        )


def _response_of(reply: Reply) -> Response:
    return current_app.response_class(reply.body, reply.status, headers_to(reply))


def _never_a_success(response: Response) -> Response:
    if response.status_code >= 400:
        return response
    logger.error(
        "an error handler of the application answered %d for a handler that failed: Dub would "
        "not send the event again, so 500 is sent instead; let it answer 500 on this path",
        response.status_code,
    )
    return _response_of(reply_to("failed"))


def _name_of(hooks: Receiver[Any]) -> str:
    """Return what Flask names the endpoint after: each receiver has its own, so that they fit."""
    if hooks not in _NUMBERS:
        _NUMBERS[hooks] = next(_COUNTS[hooks.family.name])
    number = _NUMBERS[hooks]
    return f"dubhooks_{hooks.family.name}" + (f"_{number}" if number > 1 else "")


def _only_post(function: Any) -> None:
    # Flask reads it where a route names no methods.
    function.methods = ("POST",)


def _refuse_registered(handler: object) -> None:
    # Flask's decorators return the function as it is, so that only who refers to it tells.
    # Worth the search, once: such a view is called without an event.
    for holder in gc.get_referrers(handler):
        if _is_view_table(holder) or (isinstance(holder, CellType) and _is_in_blueprint(holder)):
            raise ConfigurationError(
                "the decorators are in the wrong order, so Flask calls the handler without "
                "verification: put @webhook(...) below @app.post(...), next to the function"
            )


def _is_view_table(holder: object) -> bool:
    if not isinstance(holder, dict):
        return False
    owners = gc.get_referrers(cast("dict[object, object]", holder))
    # The application, or its attributes: which of the two depends on the version of Python.
    return any(
        isinstance(owner, Flask) or (isinstance(owner, dict) and "view_functions" in owner)
        for owner in owners
    )


def _is_in_blueprint(cell: CellType) -> bool:
    # A blueprint keeps what to register in a function, whose variable of this name it is.
    return any(
        isinstance(function, FunctionType) and "view_func" in function.__code__.co_freevars
        for closure in gc.get_referrers(cell)
        if isinstance(closure, tuple)
        for function in gc.get_referrers(cast("tuple[object, ...]", closure))
    )
