"""The route decorator: a handler's signature with a verified delivery in front."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeAlias

from fastapi import BackgroundTasks, Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..receiver._functions import is_async_callable
from ..receiver._pipeline import Result
from ..receiver._registry import Route
from ..reply import Reply, build_reply
from ._handler import read_rest, refuse_body_parameter, refuse_routed
from ._request import build_error, build_response, is_signed, open_request

if TYPE_CHECKING:
    from ..receiver._pipeline import Delivery, Pipeline
    from ..receiver._route import RoutePlan

Endpoint: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]
_ADMITTED = "dubhooks_admitted"
"""The parameter that carries the delivery through FastAPI."""


@dataclass(frozen=True)
class _Admitted:
    """A delivery whose signature has passed, and what FastAPI shares among a request's parts."""

    opened: Delivery | Reply
    default_status: int
    """The route's own status."""
    response: Response
    tasks: BackgroundTasks


class _Call(partial[Any]):
    """A handler with its arguments, which this ``repr`` does not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<_Call>"


def build_endpoint(plan: RoutePlan, read_timeout: float, handler: Any) -> Endpoint:
    """Return the endpoint for FastAPI: verify, other dependencies, claim, ``handler``, complete.

    Raises:
        ConfigurationError: ``handler`` cannot handle these events, or is a route already.
    """
    rest = read_rest(handler)
    refuse_routed(handler)
    pipeline = plan.pipeline

    @wraps(handler)
    async def endpoint(**values: Any) -> Any:
        admitted: _Admitted = values.pop(_ADMITTED)
        opened = admitted.opened
        if isinstance(opened, Reply):
            return _answer(admitted, Result(opened), is_own=False)
        call = _Call(handler, opened.event, **values)
        del values  # error trackers send the variables of a frame that a handler is called from
        own = route._replace(status_of=partial(_read_status, admitted=admitted))
        result = await pipeline.arun(opened, pipeline.find(opened, own, call))
        return _answer(admitted, result, is_own=route.matches(opened.event))

    admission = Depends(_build_admission(pipeline, read_timeout))
    first = inspect.Parameter(
        _ADMITTED, inspect.Parameter.KEYWORD_ONLY, default=admission, annotation=Any
    )
    # First, because FastAPI solves dependencies in the order of the parameters.
    endpoint.__dict__["__signature__"] = rest.replace(parameters=[first, *rest.parameters.values()])
    refuse_body_parameter(endpoint)
    route = plan.add_route(handler, is_async=is_async_callable(handler), status_of=_read_status)
    return endpoint


def build_verifier(plan: RoutePlan, read_timeout: float) -> Endpoint:
    """Return a dependency that gives the verified event, and claims nothing."""
    taken = ", ".join(one if isinstance(one, str) else one.__name__ for one in plan.takes)
    route = Route(f"verified({taken})", plan.takes, True, _read_status, plan.dedupe)

    async def verified_event(request: Request) -> Any:
        opened = await open_request(plan.pipeline, request, read_timeout)
        del request
        if isinstance(opened, Reply):
            raise build_error(opened)
        if not route.matches(opened.event):
            raise build_error(plan.pipeline.turn_away(opened, route))
        return opened.event

    return verified_event


def _build_admission(
    pipeline: Pipeline[Any], read_timeout: float
) -> Callable[..., AsyncIterator[_Admitted]]:
    """Return the dependency that verifies, and lets no redirect of what comes after it out."""

    async def admission(
        request: Request, response: Response, tasks: BackgroundTasks
    ) -> AsyncIterator[_Admitted]:
        opened = await open_request(pipeline, request, read_timeout)
        status = _find_status(request.scope.get("route"))
        del request
        if isinstance(opened, Reply) and not is_signed(opened):
            raise build_error(opened)
        try:
            yield _Admitted(opened, status, response, tasks)
        except HTTPException as error:
            if error.status_code >= 400:
                raise
            pipeline.log.error(
                "a handler or a dependency raised HTTPException(%d): Dub takes that as success, so "
                "500 is sent instead; raise one from 400 on",
                error.status_code,
            )
            raise build_error(build_reply("failed")) from error

    return admission


def _answer(admitted: _Admitted, result: Result, *, is_own: bool) -> Any:
    reply = result.reply
    if reply.outcome != "handled":
        # The event comes again, or came before: what the handler put off must not run twice.
        admitted.tasks.tasks.clear()
    if is_own and result.response is not None:
        return result.response
    if reply.outcome in ("retry", "rejected", "failed"):
        raise build_error(reply)
    response = build_response(reply)
    if reply.outcome == "handled":
        response.raw_headers.extend(admitted.response.raw_headers)
    return response


def _read_status(result: object, admitted: _Admitted | None = None) -> int:
    """Return the status that FastAPI would send for ``result``."""
    if isinstance(result, Response):
        return result.status_code
    # FastAPI leaves None in the Response parameter until somebody sets a status.
    return 200 if admitted is None else admitted.response.status_code or admitted.default_status


def _find_status(route: object) -> int:
    """Return the status of what a route makes of a result that is no response."""
    response_class = getattr(route, "response_class", None)
    response_class = getattr(response_class, "value", response_class)
    is_redirect = isinstance(response_class, type) and issubclass(response_class, RedirectResponse)
    status: int | None = getattr(route, "status_code", None)
    return status or (307 if is_redirect else 200)
