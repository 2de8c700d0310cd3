"""A receiver's settings, checked when it is made and not with the first delivery."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigurationError, to_seconds
from ..idempotency._keys import check_namespace
from ._functions import is_async_callable, name_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from ..dead_letters import DeadLetters
    from ..idempotency import AsyncStore, Store
    from ..reply import DeliveryRecord

    Observer: TypeAlias = Callable[[DeliveryRecord], object]
    Duration: TypeAlias = float | timedelta

__all__ = ["DEFAULT_RETENTION", "UNSET", "Settings", "Unset", "check_methods"]

DEFAULT_RETENTION: Final = timedelta(days=30)


class Unset:
    """The type of an argument that was left out."""

    def __repr__(self) -> str:
        return "<retention when there is a store, else None>"


UNSET: Final = Unset()


@dataclass(init=False, repr=False)
class Settings:
    """What the pipeline needs to know; durations in seconds."""

    store: Store | AsyncStore | None
    namespace: str
    lease: float
    retention: float
    max_age: float | None
    max_body: int
    dead_letters: DeadLetters | None
    observers: tuple[Observer, ...]

    def __init__(
        self,
        *,
        store: Store | AsyncStore | None,
        namespace: str,
        lease: Duration,
        retention: Duration,
        max_age: Duration | Unset | None,
        max_body: int,
        dead_letters: DeadLetters | None,
        observers: Iterable[Observer],
    ) -> None:
        """Check every setting.

        Raises:
            ConfigurationError: one of them cannot work.
        """
        self.store = check_methods("store", store, "claim", "complete", "release", "forget")
        self.namespace = check_namespace(namespace)
        self.lease = to_seconds("lease", lease)
        self.retention = to_seconds("retention", retention)
        if self.lease > self.retention:
            raise ConfigurationError(
                "lease is longer than retention: a claim would be forgotten while its handler runs"
            )
        self.max_age = self._choose_max_age(max_age)
        if not isinstance(max_body, int) or isinstance(max_body, bool) or max_body <= 0:
            raise ConfigurationError("max_body must be a whole number of bytes, more than 0")
        self.max_body = max_body
        self.dead_letters = check_methods("dead_letters", dead_letters, "keep")
        if is_async_callable(getattr(dead_letters, "keep", None)):
            raise ConfigurationError(
                f"keep of {type(dead_letters).__name__} is async, and nobody would await it: "
                "dead_letters needs a plain method, which runs in a thread where there is a loop"
            )
        self.observers = _check_observers(observers)

    def _choose_max_age(self, max_age: Duration | Unset | None) -> float | None:
        if isinstance(max_age, Unset):
            return None if self.store is None else self.retention
        if max_age is None:
            return None
        seconds = to_seconds("max_age", max_age)
        if self.store is not None and seconds > self.retention:
            raise ConfigurationError(
                "max_age is longer than retention: an event that is no longer remembered would "
                "run again; make retention at least as long"
            )
        return seconds


_EXAMPLES: Final = {
    "store": "SQLiteStore(path)",
    "dead_letters": "DeadLetterDirectory(path)",
    "queue": "dubhooks.queues.celery.CeleryQueue(app)",
}


def check_methods(name: str, given: Any, *methods: str) -> Any:
    """Return ``given``, unless it is a class or lacks one of these methods."""
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


def _check_observers(observers: Iterable[Observer]) -> tuple[Observer, ...]:
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
