"""What a function takes, looked at where it is registered.

When in doubt, accept: an annotation that only a type checker can resolve, or a
decorator in between that takes anything, is no reason to refuse a handler.
"""

from __future__ import annotations

import inspect
import sys
from functools import partial
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from ..errors import ConfigurationError
from ..events._base import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "check_callable",
    "check_event",
    "check_handler",
    "check_takes_event_only",
    "globals_of",
    "hide_event",
    "is_async_callable",
    "list_parameters",
    "members_of",
    "name_of",
    "read_signature",
    "resolve",
]

_NTH = ("first", "second")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def check_callable(function: Any) -> None:
    """Raise ``ConfigurationError`` unless ``function`` can be called, and returns."""
    if not callable(function):
        raise ConfigurationError(
            f"a handler must be callable, and this is {type(function).__name__}: a decorator of "
            "dubhooks stands right above a function, as @hooks.on(SaleCreated) does"
        )
    if _matches(inspect.isgeneratorfunction, function) or _matches(
        inspect.isasyncgenfunction, function
    ):
        raise ConfigurationError(
            f"{name_of(function)} yields, so calling it would run none of it: a handler returns"
        )


def check_handler(function: Any, events: Sequence[type[Event]], position: int = 0) -> None:
    """Check what a framework calls with the event at ``position``, counted from 0.

    Args:
        function: the handler.
        events: the classes that it is to take.
        position: 1 where the framework's request comes first.

    Raises:
        ConfigurationError: it cannot be called so, or not with these events.
    """
    check_callable(function)
    parameters = list_parameters(function)
    if parameters is None:
        return
    _refuse_method(function, parameters)
    upto = parameters[: position + 1]
    if not any(one.kind is one.VAR_POSITIONAL for one in upto):
        check_event(function, upto[position] if len(upto) > position else None, events, position)


def check_takes_event_only(function: Any, events: Sequence[type[Event]]) -> None:
    """Check a handler of ``on``, which is called with the event and nothing else.

    Raises:
        ConfigurationError: it takes more, less, or other events.
    """
    check_handler(function, events)
    parameters = list_parameters(function) or []
    given = function.keywords if isinstance(function, partial) else {}
    more = [
        one.name for one in parameters[1:] if one.kind not in _VARIADIC and one.name not in given
    ]
    if more:
        raise ConfigurationError(
            f"{name_of(function)} takes {', '.join(more)} beside the event: a handler of on() "
            "gets only the event; for dependencies and parts of the URL decorate a route with "
            "@webhook(hooks, ...)"
        )


def check_event(
    function: Any,
    parameter: inspect.Parameter | None,
    events: Sequence[type[Event]],
    position: int = 0,
) -> None:
    """Check that ``parameter`` takes all of these events.

    Raises:
        ConfigurationError: it does not, or there is none.
    """
    nth, name = _NTH[position], name_of(function)
    if parameter is None or parameter.kind not in _POSITIONAL:
        raise ConfigurationError(f"{name} has no event parameter: the {nth} one is the event")
    annotation = resolve(parameter.annotation, globals_of(function))
    if annotation is inspect.Parameter.empty or _accepts(annotation, events):
        return
    wanted = " | ".join(cls.__name__ for cls in events) if len(events) <= 4 else "every event"
    raise ConfigurationError(f"the {nth} parameter of {name} is the event and takes {wanted}")


def list_parameters(function: Any) -> list[inspect.Parameter] | None:
    """Return the parameters of ``function`` itself, not of what it wraps; ``None``: unknown."""
    signature = read_signature(function, follow_wrapped=False)
    return None if signature is None else list(signature.parameters.values())


def read_signature(function: Any, *, follow_wrapped: bool = True) -> inspect.Signature | None:
    """Return a signature, or ``None`` for one that Python cannot tell."""
    options: dict[str, Any] = {}
    if sys.version_info >= (3, 14):  # pragma: no cover - tested with that Python
        from annotationlib import Format

        # Names that only type checkers import stay as they are written.
        options["annotation_format"] = Format.FORWARDREF
    try:
        return inspect.signature(function, follow_wrapped=follow_wrapped, **options)
    except (TypeError, ValueError, NameError):  # some are written in C
        return None


def hide_event(view: Any, handler: Any, position: int = 0) -> None:
    """Give ``view`` the signature of ``handler`` without its event, which no caller passes.

    Annotations are resolved here: they name things of the handler's module, not of the view's.

    Args:
        view: what the framework calls.
        handler: the function behind it.
        position: of the event, counted from 0; 1 where the framework's request comes first.
    """
    signature = read_signature(handler, follow_wrapped=False)
    if signature is None:
        return
    scope = globals_of(handler)
    parameters = [
        one.replace(annotation=resolve(one.annotation, scope))
        for one in signature.parameters.values()
    ]
    if not any(one.kind is one.VAR_POSITIONAL for one in parameters[: position + 1]):
        del parameters[position]
    view.__signature__ = signature.replace(parameters=parameters)


def name_of(function: Any) -> str:
    """Return what to call ``function`` in a message or a record."""
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def is_async_callable(function: object) -> bool:
    """Tell whether calling ``function`` gives a coroutine."""
    return _matches(inspect.iscoroutinefunction, function)


def globals_of(function: Any) -> dict[str, Any]:
    """Return the names that the annotations of ``function`` were written with."""
    function = inspect.unwrap(function)
    while isinstance(function, partial):
        function = function.func
    if not hasattr(function, "__globals__"):
        function = function.__call__
    names: dict[str, Any] = getattr(function, "__globals__", {})
    return names


def resolve(annotation: Any, scope: dict[str, Any]) -> Any:
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


def _refuse_method(function: Any, parameters: list[inspect.Parameter]) -> None:
    if parameters and parameters[0].name in ("self", "cls"):
        raise ConfigurationError(
            f"{name_of(function)} is a method, and nobody passes its {parameters[0].name}: "
            "decorate a function, or register the method of an object, hooks.on(...)(it.method)"
        )


def _accepts(annotation: Any, events: Sequence[type[Event]]) -> bool:
    members = tuple(get_origin(one) or one for one in members_of(annotation))
    # In Python 3.11 Any is a class, and nothing is a subclass of it.
    if Any in members or not all(isinstance(one, type) for one in members):
        return True
    try:
        return all(issubclass(cls, members) for cls in events)
    except TypeError:  # a protocol that is for type checkers only
        return True


def _matches(is_kind: Callable[[object], bool], function: object) -> bool:
    while isinstance(function, partial):
        function = function.func
    # Calling an object calls its type's method; calling a class makes an object.
    return is_kind(function) or is_kind(getattr(type(function), "__call__", None))  # noqa: B004
