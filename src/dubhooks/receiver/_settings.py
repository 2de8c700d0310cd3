"""A receiver's settings, checked when it is made and not with the first delivery."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..errors import ConfigurationError
from ..reply import DeliveryRecord
from ._functions import is_async_callable, name_of

if TYPE_CHECKING:
    from ..dead_letters import DeadLetters
    from ..idempotency import AsyncStore, Store

Observer: TypeAlias = Callable[[DeliveryRecord], object]
Duration: TypeAlias = float | timedelta

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
        """Raise ``ConfigurationError`` for what cannot work, alone or together."""
        check_methods("store", self.store, "claim", "complete", "release", "forget")
        check_methods("dead_letters", self.dead_letters, "keep")
        if is_async_callable(getattr(self.dead_letters, "keep", None)):
            raise ConfigurationError(
                f"keep of {type(self.dead_letters).__name__} is async, and nobody would await it: "
                "dead_letters needs a plain method, which runs in a thread where there is a loop"
            )
        size: Any = self.max_body
        if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
            raise ConfigurationError("max_body must be a whole number of bytes, more than 0")
        if self.lease > self.retention:
            raise ConfigurationError(
                "lease is longer than retention: a claim would be forgotten while its handler runs"
            )
        if self.store is not None and self.max_age is not None and self.max_age > self.retention:
            raise ConfigurationError(
                "max_age is longer than retention: an event that is no longer remembered would "
                "run again; make retention at least as long"
            )


def check_methods(name: str, given: Any, *methods: str) -> None:
    """Raise ``ConfigurationError`` when ``given``, unless it is ``None``, lacks a method."""
    if isinstance(given, type):
        raise ConfigurationError(
            f"{name} is the class {given.__name__}: pass {given.__name__}(...)"
        )
    for method in methods:
        if given is not None and not callable(getattr(given, method, None)):
            raise ConfigurationError(
                f"{name} needs the methods {', '.join(methods)}, and {type(given).__name__} has "
                f"no {method}: pass an object that has them"
            )


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
