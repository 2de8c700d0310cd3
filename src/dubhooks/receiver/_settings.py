"""A receiver's settings, checked when it is made and not with the first delivery."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from ..errors import ConfigurationError
from ..idempotency._keys import checked_namespace
from ._registry import is_async_callable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from ..dead_letters import DeadLetters
    from ..idempotency import AsyncStore, Store
    from ..reply import DeliveryRecord

    Observer: TypeAlias = Callable[[DeliveryRecord], object]

__all__ = ["DEFAULT_RETENTION", "UNSET", "Settings", "Unset", "checked_settings"]

NumberT = TypeVar("NumberT", int, float)

DEFAULT_RETENTION: Final = timedelta(days=30)

_FOREVER: Final = 10.0**10


class Unset:
    """The type of an argument that was left out."""

    def __repr__(self) -> str:
        return "<retention when there is a store, else None>"


UNSET: Final = Unset()


@dataclass(frozen=True)
class Settings:
    """What the pipeline needs to know; durations in seconds."""

    store: Store | AsyncStore | None
    namespace: str
    lease: float
    retention: float
    max_age: timedelta | None
    max_body: int
    dead_letters: DeadLetters | None
    observers: tuple[Observer, ...]


def checked_settings(
    store: Store | AsyncStore | None,
    namespace: str,
    lease: float,
    retention: timedelta,
    max_age: timedelta | Unset | None,
    max_body: int,
    dead_letters: DeadLetters | None,
    observers: Iterable[Observer],
) -> Settings:
    """Return the settings.

    Raises:
        ConfigurationError: one of them cannot work.
    """
    return Settings(
        _checked_store(store),
        checked_namespace(namespace),
        _checked_lease(lease, _seconds("retention", retention)),
        _seconds("retention", retention),
        _checked_max_age(store is not None, retention, max_age),
        _whole("max_body", _positive("max_body", max_body)),
        _checked_dead_letters(dead_letters),
        _checked_observers(observers),
    )


def _checked_store(store: Store | AsyncStore | None) -> Store | AsyncStore | None:
    if isinstance(store, type):
        raise ConfigurationError(f"store is the class {store.__name__}: pass {store.__name__}(...)")
    for method in ("claim", "complete", "release"):
        if store is not None and not callable(getattr(store, method, None)):
            raise ConfigurationError(
                f"a store needs claim, complete and release, and {type(store).__name__} has no "
                f"{method}: pass an object such as SQLiteStore(path)"
            )
    return store


def _checked_lease(lease: float, retention: float) -> float:
    if _positive("lease", lease) > retention:
        raise ConfigurationError(
            "lease is longer than retention: a claim would be forgotten while its handler runs"
        )
    return lease


def _checked_dead_letters(dead_letters: DeadLetters | None) -> DeadLetters | None:
    if dead_letters is not None and not callable(getattr(dead_letters, "keep", None)):
        raise ConfigurationError(
            "dead_letters needs a method keep: pass an object such as DeadLetterDirectory(path)"
        )
    return dead_letters


def _checked_observers(observers: Iterable[Observer]) -> tuple[Observer, ...]:
    given = tuple(observers) if isinstance(observers, Iterable) else ()
    if not isinstance(observers, Iterable) or not all(_can_observe(one) for one in given):
        raise ConfigurationError(
            "observers must be a list of callables that are not async, such as [FailureWatch()]"
        )
    return given


def _can_observe(observer: object) -> bool:
    return callable(observer) and not is_async_callable(observer)


def _checked_max_age(
    has_store: bool, retention: timedelta, max_age: timedelta | Unset | None
) -> timedelta | None:
    if isinstance(max_age, Unset):
        return retention if has_store else None
    if max_age is None:
        return None
    _seconds("max_age", max_age)
    if has_store and max_age > retention:
        raise ConfigurationError(
            "max_age is longer than retention: an event that is no longer remembered would run "
            "again; make retention at least as long"
        )
    return max_age


def _seconds(name: str, duration: timedelta) -> float:
    if not isinstance(duration, timedelta):
        raise ConfigurationError(f"{name} must be a timedelta, for example timedelta(days=30)")
    return _positive(name, duration.total_seconds())


def _positive(name: str, value: NumberT) -> NumberT:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < _FOREVER:
        raise ConfigurationError(f"{name} must be a positive number")
    return value


def _whole(name: str, value: int) -> int:
    if not isinstance(value, int):
        raise ConfigurationError(f"{name} must be a whole number of bytes")
    return value
