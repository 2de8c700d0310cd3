"""The route decorator: a handler's signature with a verified delivery in front."""

from __future__ import annotations

import gc
import inspect
from dataclasses import dataclass
from functools import partial, wraps
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, cast, get_args, get_origin

from fastapi import BackgroundTasks, Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ._fastapi_guard import begin, end, response_of
from ._fastapi_request import admitted, refused
from ._registry import is_async_callable
from .errors import ConfigurationError
from .events._base import Event
from .events.unknown import UnknownEvent
from .receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ._delivery import Delivery, Served
    from .asgi import Scope
    from .idempotency import Job

    Endpoint = Callable[..., Coroutine[Any, Any, Any]]

__all__ = ["decorated", "verifying"]

_ADMITTED = "dubhooks_admitted"
"""The parameter that carries the delivery through FastAPI."""


@dataclass(frozen=True)
class _Admitted:
    """A delivery that this route takes, and what FastAPI shares among a request's parts."""

    delivery: Delivery[Any]
    job: Job
    scope: Scope
    response: Response
    tasks: BackgroundTasks


def decorated(
    hooks: Receiver[Any], classes: tuple[type[Event], ...], read_timeout: float, handler: Any
) -> Endpoint:
    """Return the endpoint for FastAPI: verify, other dependencies, claim, ``handler``, complete.

    Raises:
        ConfigurationError: ``handler`` cannot handle these events, or is a route already.
    """
    rest = _rest_of_signature(handler, hooks, classes)
    _refuse_routed(handler)
    admission = _admission(hooks, classes, read_timeout, is_async=is_async_callable(handler))

    @wraps(handler)
    async def endpoint(**values: Any) -> Any:
        given: _Admitted = values.pop(_ADMITTED)
        call = partial(handler, given.delivery.event, **values)
        served = await hooks.arun(given.delivery, given.job._replace(call=call))
        return _answer(given, served)

    first = inspect.Parameter(
        _ADMITTED, inspect.Parameter.KEYWORD_ONLY, default=Depends(admission), annotation=Any
    )
    # First, because FastAPI solves dependencies in the order of the parameters.
    endpoint.__dict__["__signature__"] = rest.replace(parameters=[first, *rest.parameters.values()])
    return endpoint


def verifying(
    hooks: Receiver[Any], classes: tuple[type[Event], ...], read_timeout: float
) -> Endpoint:
    """Return a dependency that gives the verified event, and claims nothing."""

    async def verified_event(request: Request, response: Response) -> Any:
        delivery = await admitted(hooks, request, read_timeout)
        _taken(hooks, classes, delivery, request, response, is_async=False)
        return delivery.event

    return verified_event


def _admission(
    hooks: Receiver[Any], classes: tuple[type[Event], ...], read_timeout: float, *, is_async: bool
) -> Endpoint:
    async def admission(request: Request, response: Response, tasks: BackgroundTasks) -> _Admitted:
        begin(request.scope)
        delivery = await admitted(hooks, request, read_timeout)
        job = _taken(hooks, classes, delivery, request, response, is_async=is_async)
        return _Admitted(delivery, job, request.scope, response, tasks)

    return admission


def _taken(
    hooks: Receiver[Any],
    classes: tuple[type[Event], ...],
    delivery: Delivery[Any],
    request: Request,
    response: Response,
    *,
    is_async: bool,
) -> Job:
    """Return the job of a delivery that this route takes; its call has no arguments yet.

    Raises:
        Refused: the route is for other events.
    """
    status_of = partial(_status_of, request, response)
    job = hooks.route(delivery, _nothing, is_async=is_async, events=classes, status_of=status_of)
    if job is None:
        raise refused(request, hooks.run(delivery, None).reply)
    return job


def _nothing() -> None:
    """Stand in for the handler until its arguments are there."""


def _status_of(request: Request, response: Response, result: object) -> int:
    """Return the status that FastAPI would send for ``result``."""
    if isinstance(result, Response):
        return result.status_code
    # FastAPI leaves None in the Response parameter until somebody sets a status.
    own: int | None = response.status_code
    route = request.scope.get("route")
    response_class = getattr(route, "response_class", None)
    response_class = getattr(response_class, "value", response_class)
    is_redirect = isinstance(response_class, type) and issubclass(response_class, RedirectResponse)
    return own or getattr(route, "status_code", None) or (307 if is_redirect else 200)


def _answer(given: _Admitted, served: Served) -> Any:
    if served.reply.outcome == "handled":
        end(given.scope)
    else:
        # The event comes again, or came before: what the handler put off must not run twice.
        given.tasks.tasks.clear()
    if served.response is not None:
        return served.response
    response = response_of(served.reply)
    if served.reply.outcome == "handled":
        response.raw_headers.extend(given.response.raw_headers)
    return response


def _rest_of_signature(
    handler: Any, hooks: Receiver[Any], classes: tuple[type[Event], ...]
) -> inspect.Signature:
    """Return what FastAPI is to fill in: the signature without its first parameter."""
    if not callable(handler):
        raise ConfigurationError("a handler must be callable: put @webhook(...) right above it")
    name = getattr(handler, "__qualname__", "the handler")
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise ConfigurationError(f"{name} yields: a handler of webhooks returns")
    signature = inspect.signature(handler)
    scope = _globals_of(handler)
    parameters = list(signature.parameters.values())
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not parameters or parameters[0].kind not in positional:
        raise ConfigurationError(f"{name} has no event parameter: the first one is the event")
    taken = _resolved(parameters[0].annotation, scope)
    every_event: tuple[type[Event], ...] = (*hooks.family.classes.values(), UnknownEvent)
    if taken is not inspect.Parameter.empty and not _accepts(taken, classes or every_event):
        wanted = " | ".join(cls.__name__ for cls in classes)
        wanted = wanted or f"every {hooks.family.name} event, as the decorator names none"
        raise ConfigurationError(f"the first parameter of {name} is the event and takes {wanted}")
    rest = [
        # By keyword, as FastAPI passes everything: so no default is in the way of our own.
        parameter.replace(
            kind=inspect.Parameter.KEYWORD_ONLY,
            annotation=_resolved(parameter.annotation, scope),
        )
        for parameter in parameters[1:]
    ]
    returned = _resolved(signature.return_annotation, scope)
    if isinstance(returned, str) or _names_response(returned):
        # FastAPI would make it a response model, and stumble over a Response in a union.
        returned = inspect.Signature.empty
    return inspect.Signature(rest, return_annotation=returned)


def _globals_of(handler: Any) -> dict[str, Any]:
    function = inspect.unwrap(handler)
    while isinstance(function, partial):
        function = function.func
    if not hasattr(function, "__globals__"):
        function = function.__call__
    names: dict[str, Any] = getattr(function, "__globals__", {})
    return names


def _resolved(annotation: Any, scope: dict[str, Any]) -> Any:
    """Return a postponed annotation's value; as it is when only a type checker knows the name."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, scope)  # as inspect.get_annotations() does
    except NameError:
        return annotation


def _members(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the one annotation there is."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(one for member in get_args(annotation) for one in _members(member))
    return (annotation,)


def _accepts(annotation: Any, classes: tuple[type[Event], ...]) -> bool:
    """Tell whether a parameter may take all of these events; unsure means yes."""
    members = tuple(get_origin(one) or one for one in _members(annotation))
    # In Python 3.11 Any is a class, and nothing is a subclass of it.
    if Any in members or not all(isinstance(one, type) for one in members):
        return True
    return all(issubclass(cls, members) for cls in classes)


def _names_response(annotation: Any) -> bool:
    return any(isinstance(one, type) and issubclass(one, Response) for one in _members(annotation))


def _refuse_routed(handler: object) -> None:
    # FastAPI's decorators return the function as it is, so that only who refers to it tells.
    # Worth the search, once: such a route takes events that nobody has verified.
    for holder in gc.get_referrers(handler):
        attributes = cast("dict[object, object]", holder) if isinstance(holder, dict) else {}
        if isinstance(holder, APIRoute) or (
            attributes.get("endpoint") is handler and "dependant" in attributes
        ):
            raise ConfigurationError(
                "the decorators are in the wrong order, so the route runs the handler without "
                "verification: put @webhook(...) below @app.post(...), next to the function"
            )
