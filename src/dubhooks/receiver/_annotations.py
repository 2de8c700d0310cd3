"""Whether a route's handler can take its events, looked at where it is decorated.

Unsure means yes: an annotation that only a type checker can resolve, or a
decorator in between that takes anything, is no reason to refuse a handler.
"""

from __future__ import annotations

import inspect
from functools import partial
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from ..errors import ConfigurationError
from ..events.unknown import UnknownEvent

if TYPE_CHECKING:
    from ..events._base import Event
    from ..events._family import Family

__all__ = [
    "check_event",
    "check_handler",
    "check_kind",
    "globals_of",
    "members_of",
    "name_of",
    "own_parameters",
    "resolved",
]

_NTH = ("first", "second")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def check_handler(
    handler: Any, family: Family[Any], classes: tuple[type[Event], ...], position: int = 0
) -> None:
    """Check what a framework is going to call with the event at ``position``, from 0.

    Raises:
        ConfigurationError: ``handler`` cannot be called so, or not with these events.
    """
    check_kind(handler)
    parameters = own_parameters(handler)
    if parameters is None:
        return
    upto = parameters[: position + 1]
    if not any(one.kind is one.VAR_POSITIONAL for one in upto):
        parameter = upto[position] if len(upto) > position else None
        check_event(handler, parameter, family, classes, position)


def check_kind(handler: Any) -> None:
    """Check that ``handler`` is a function that returns.

    Raises:
        ConfigurationError: it is not.
    """
    if not callable(handler):
        raise ConfigurationError(
            "a handler must be callable: @webhook(...) decorates a function, so put it right "
            "above one"
        )
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise ConfigurationError(f"{name_of(handler)} yields: a handler of webhooks returns")


def check_event(
    handler: Any,
    parameter: inspect.Parameter | None,
    family: Family[Any],
    classes: tuple[type[Event], ...],
    position: int = 0,
) -> None:
    """Check that ``parameter`` takes these events; without ``classes``, every event.

    Raises:
        ConfigurationError: it does not, or there is none.
    """
    nth, name = _NTH[position], name_of(handler)
    if parameter is None or parameter.kind not in _POSITIONAL:
        raise ConfigurationError(f"{name} has no event parameter: the {nth} one is the event")
    taken = resolved(parameter.annotation, globals_of(handler))
    every_event: tuple[type[Event], ...] = (*family.classes.values(), UnknownEvent)
    if taken is inspect.Parameter.empty or _accepts(taken, classes or every_event):
        return
    wanted = " | ".join(cls.__name__ for cls in classes)
    wanted = wanted or f"every {family.name} event, as the decorator names none"
    raise ConfigurationError(f"the {nth} parameter of {name} is the event and takes {wanted}")


def own_parameters(handler: Any) -> list[inspect.Parameter] | None:
    """Return the parameters of ``handler`` itself, not of what it wraps; ``None``: unknown."""
    try:
        return list(inspect.signature(handler, follow_wrapped=False).parameters.values())
    except (TypeError, ValueError):  # of some that are written in C
        return None


def name_of(handler: Any) -> str:
    """Return what to call ``handler`` in a message."""
    return str(getattr(handler, "__qualname__", "the handler"))


def globals_of(handler: Any) -> dict[str, Any]:
    """Return the names that the annotations of ``handler`` were written with."""
    function = inspect.unwrap(handler)
    while isinstance(function, partial):
        function = function.func
    if not hasattr(function, "__globals__"):
        function = function.__call__
    names: dict[str, Any] = getattr(function, "__globals__", {})
    return names


def resolved(annotation: Any, scope: dict[str, Any]) -> Any:
    """Return a postponed annotation's value; as it is when only a type checker knows it."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, scope)  # as inspect.get_annotations() does
    except Exception:  # noqa: BLE001 - a name of ``if TYPE_CHECKING``, or an operator on such
        return annotation


def members_of(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the one annotation there is."""
    if get_origin(annotation) is Annotated:
        return members_of(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(one for member in get_args(annotation) for one in members_of(member))
    return (annotation,)


def _accepts(annotation: Any, classes: tuple[type[Event], ...]) -> bool:
    members = tuple(get_origin(one) or one for one in members_of(annotation))
    # In Python 3.11 Any is a class, and nothing is a subclass of it.
    if Any in members or not all(isinstance(one, type) for one in members):
        return True
    try:
        return all(issubclass(cls, members) for cls in classes)
    except TypeError:  # a protocol that is for type checkers only
        return True
