"""Handlers of either kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any


def of_kind(handler: Callable[..., Any], *, is_async: bool) -> Any:
    """Return the handler, or a coroutine function that takes and does the same."""
    if not is_async:
        return handler

    @wraps(handler)
    async def run(*arguments: Any, **names: Any) -> Any:
        return handler(*arguments, **names)

    setattr(run, "__signature__", signature(handler))  # noqa: B010 - it has no such type
    return run
