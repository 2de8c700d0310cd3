"""The route decorator: a handler's signature with a verified delivery in front."""

from __future__ import annotations

import gc
import inspect
from dataclasses import dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, cast

from fastapi import BackgroundTasks, Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..errors import ConfigurationError
from ..receiver._annotations import check_event, check_kind, globals_of, members_of, resolved
from ..receiver._registry import is_async_callable
from ._guard import begin, end, response_of
from ._request import admitted, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..asgi import Scope
    from ..events._base import Event
    from ..idempotency import Job
    from ..receiver import Receiver
    from ..receiver._delivery import Delivery, Served
    from ..receiver._registry import Dedupe

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
    hooks: Receiver[Any],
    classes: tuple[type[Event], ...],
    read_timeout: float,
    dedupe: Dedupe,
    handler: Any,
) -> Endpoint:
    """Return the endpoint for FastAPI: verify, other dependencies, claim, ``handler``, complete.

    Raises:
        ConfigurationError: ``handler`` cannot handle these events, or is a route already.
    """
    rest = _rest_of_signature(handler, hooks, classes)
    _refuse_routed(handler)
    taken = partial(_taken, hooks, classes, is_async=is_async_callable(handler), dedupe=dedupe)
    admission = _admission(hooks, read_timeout, taken)

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
        _taken(hooks, classes, delivery, request, response)
        return delivery.event

    return verified_event


def _admission(hooks: Receiver[Any], read_timeout: float, taken: Callable[..., Job]) -> Endpoint:
    async def admission(request: Request, response: Response, tasks: BackgroundTasks) -> _Admitted:
        begin(request.scope)
        delivery = await admitted(hooks, request, read_timeout)
        job = taken(delivery, request, response)
        return _Admitted(delivery, job, request.scope, response, tasks)

    return admission


def _taken(
    hooks: Receiver[Any],
    classes: tuple[type[Event], ...],
    delivery: Delivery[Any],
    request: Request,
    response: Response,
    *,
    is_async: bool = False,
    dedupe: Dedupe = "id",
) -> Job:
    """Return the job of a delivery that this route takes; its call has no arguments yet.

    Raises:
        Refused: the route is for other events.
    """
    status_of = partial(_status_of, request, response)
    job = hooks.route(
        delivery, _nothing, is_async=is_async, events=classes, status_of=status_of, dedupe=dedupe
    )
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
    check_kind(handler)
    # FastAPI follows wrappers too.
    signature = inspect.signature(handler)
    scope = globals_of(handler)
    parameters = list(signature.parameters.values())
    check_event(handler, parameters[0] if parameters else None, hooks.family, classes)
    rest = [
        # By keyword, as FastAPI passes everything: so no default is in the way of our own.
        parameter.replace(
            kind=inspect.Parameter.KEYWORD_ONLY,
            annotation=resolved(parameter.annotation, scope),
        )
        for parameter in parameters[1:]
    ]
    returned = resolved(signature.return_annotation, scope)
    if isinstance(returned, str) or _names_response(returned):
        # FastAPI would make it a response model, and stumble over a Response in a union.
        returned = inspect.Signature.empty
    return inspect.Signature(rest, return_annotation=returned)


def _names_response(annotation: Any) -> bool:
    return any(
        isinstance(one, type) and issubclass(one, Response) for one in members_of(annotation)
    )


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
