"""What FastAPI is to fill in beside the event, looked at where a handler is decorated."""

from __future__ import annotations

import gc
import inspect
from typing import Any, cast

from fastapi.routing import APIRoute

from ..errors import ConfigurationError
from ..receiver._functions import check_handler, globals_of, name_of, read_signature, resolve

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def read_rest(handler: Any) -> inspect.Signature:
    """Return the signature of ``handler`` without its first parameter, the event.

    Raises:
        ConfigurationError: the handler cannot take an event.
    """
    check_handler(handler)
    # Of what a decorator in between wraps, because FastAPI follows wrappers too.
    signature = read_signature(handler) or inspect.Signature()
    scope = globals_of(handler)
    rest = [
        # By keyword, as FastAPI passes everything: so no default is in the way of our own.
        parameter.replace(
            kind=inspect.Parameter.KEYWORD_ONLY, annotation=resolve(parameter.annotation, scope)
        )
        for parameter in list(signature.parameters.values())[1:]
        if parameter.kind not in _VARIADIC
    ]
    # What it returns is no response model: None and responses are no models.
    return inspect.Signature(rest)


def refuse_routed(handler: Any) -> None:
    """Refuse a handler that a route calls already, as with the decorators in the wrong order.

    Such a route runs unverified, and FastAPI's decorators return the function as it is:
    only who refers to it tells.  This is worth a search of the heap, once for each handler.

    Raises:
        ConfigurationError: a route calls it.
    """
    for holder in gc.get_referrers(handler):
        attributes = cast("dict[object, object]", holder) if isinstance(holder, dict) else {}
        if isinstance(holder, APIRoute) or (
            attributes.get("endpoint") is handler and "dependant" in attributes
        ):
            raise ConfigurationError(
                f"the decorators of {name_of(handler)} are in the wrong order, so the route runs "
                "it without verification: put @webhook(...) below @app.post(...), next to the "
                "function"
            )


def refuse_body_parameter(endpoint: Any) -> None:
    """Refuse an endpoint for which FastAPI would parse the body.

    Raises:
        ConfigurationError: a parameter of it, or of a dependency, is a body parameter.
    """
    # Which parameters are, FastAPI decides when it makes a route: this one is never served.
    if APIRoute("/", endpoint, response_model=None).body_field is not None:
        raise ConfigurationError(
            f"{name_of(endpoint)} has a body parameter, so FastAPI would parse the body before "
            "its signature is checked: take what you need from the event instead"
        )
