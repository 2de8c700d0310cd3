"""A receiver's settings, checked when it is made and not with the first delivery."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigurationError
from ._functions import is_async_callable, name_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from ..dead_letters import DeadLetters
    from ..idempotency import AsyncStore, Store
    from ..reply import DeliveryRecord

    Observer: TypeAlias = Callable[[DeliveryRecord], object]
    Duration: TypeAlias = float | timedelta

__all__ = [
    "DEFAULT_RETENTION",
    "UNSET",
    "Settings",
    "Unset",
    "check_dead_letters",
    "check_max_body",
    "check_methods",
    "check_observers",
]

DEFAULT_RETENTION: Final = timedelta(days=30)


class Unset:
    """The type of an argument that was left out."""

    def __repr__(self) -> str:
        return "<retention when there is a store, else None>"


UNSET: Final = Unset()


@dataclass(frozen=True, repr=False)
class Settings:
    """What the pipeline needs to know, each of it checked; durations in seconds."""

    store: Store | AsyncStore | None
    namespace: str
    lease: float
    retention: float
    max_age: float | None
    max_body: int
    dead_letters: DeadLetters | None
    observers: tuple[Observer, ...]

    def __post_init__(self) -> None:
        """Raise ``ConfigurationError`` for settings that do not fit together."""
        if self.lease > self.retention:
            raise ConfigurationError(
                "lease is longer than retention: a claim would be forgotten while its handler runs"
            )
        if self.store is not None and self.max_age is not None and self.max_age > self.retention:
            raise ConfigurationError(
                "max_age is longer than retention: an event that is no longer remembered would "
                "run again; make retention at least as long"
            )


def check_max_body(max_body: int) -> int:
    """Return ``max_body``, or raise ``ConfigurationError`` when it is no number of bytes."""
    if not isinstance(max_body, int) or isinstance(max_body, bool) or max_body <= 0:
        raise ConfigurationError("max_body must be a whole number of bytes, more than 0")
    return max_body


def check_dead_letters(dead_letters: Any) -> Any:
    """Return ``dead_letters``, or raise ``ConfigurationError`` when they could keep nothing."""
    if is_async_callable(getattr(dead_letters, "keep", None)):
        raise ConfigurationError(
            f"keep of {type(dead_letters).__name__} is async, and nobody would await it: "
            "dead_letters needs a plain method, which runs in a thread where there is a loop"
        )
    return check_methods("dead_letters", dead_letters, "keep")


_EXAMPLES: Final = {
    "store": "SQLiteStore(path)",
    "dead_letters": "DeadLetterDirectory(path)",
    "queue": "dubhooks.queues.celery.CeleryQueue(app)",
}


def check_methods(name: str, given: Any, *methods: str) -> Any:
    """Return ``given``, or raise ``ConfigurationError`` when it lacks a method."""
    if isinstance(given, type):
        raise ConfigurationError(
            f"{name} is the class {given.__name__}: pass {given.__name__}(...)"
        )
    for method in methods:
        if given is not None and not callable(getattr(given, method, None)):
            raise ConfigurationError(
                f"{name} needs the methods {', '.join(methods)}, and {type(given).__name__} has "
                f"no {method}: pass an object such as {_EXAMPLES[name]}"
            )
    return given


def check_observers(observers: Iterable[Observer]) -> tuple[Observer, ...]:
    """Return ``observers`` as a tuple, or raise ``ConfigurationError`` for one that is none."""
    if not isinstance(observers, Iterable):
        raise ConfigurationError("observers must be a list of callables, such as [FailureWatch()]")
    given = tuple(observers)
    for observer in given:
        if not callable(observer) or is_async_callable(observer):
            raise ConfigurationError(
                f"the observer {name_of(observer)} cannot be called, or is async: observers are "
                "plain callables, such as FailureWatch()"
            )
    return given
