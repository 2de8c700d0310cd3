"""What a function takes, looked at where it is registered.

When in doubt, accept: a decorator in between that takes anything is no reason to
refuse a handler.  Whether its annotation fits the events is for type checkers to say.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from ..errors import ConfigurationError

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def check_handler(function: Any, *, position: int = 0) -> list[inspect.Parameter]:
    """Check that a framework can call ``function`` with the event at ``position``.

    Args:
        function: the handler.
        position: of the event, counted from 0; 1 where the framework's request comes first.

    Returns:
        The parameters of ``function`` itself, not of what it wraps; none when Python cannot tell.

    Raises:
        ConfigurationError: it cannot be called so, or yields.
    """
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
    signature = read_signature(function, follow_wrapped=False)
    if signature is None:
        return []
    parameters = list(signature.parameters.values())
    if parameters and parameters[0].name in ("self", "cls"):
        raise ConfigurationError(
            f"{name_of(function)} is a method, and nobody passes its {parameters[0].name}: "
            "decorate a function, or register the method of an object, hooks.on(...)(it.method)"
        )
    kinds = [one.kind for one in parameters if one.kind <= one.VAR_POSITIONAL]
    if len(kinds) <= position and inspect.Parameter.VAR_POSITIONAL not in kinds:
        nth = "second" if position else "first"
        raise ConfigurationError(
            f"{name_of(function)} has no event parameter: the {nth} one is the event"
        )
    return parameters


def check_takes_event_only(function: Any) -> None:
    """Check a handler of ``on``, which is called with the event and nothing else.

    Raises:
        ConfigurationError: it takes more, or less.
    """
    parameters = check_handler(function)
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


def _matches(is_kind: Callable[[object], bool], function: object) -> bool:
    while isinstance(function, partial):
        function = function.func
    # Calling an object calls its type's method; calling a class makes an object.
    return is_kind(function) or is_kind(getattr(type(function), "__call__", None))  # noqa: B004
