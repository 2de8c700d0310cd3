"""Logging what a store raised: enough to act on, and nothing that a driver may quote."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

from ..errors import DubhooksError

if TYPE_CHECKING:
    from typing import TypeAlias

    Log: TypeAlias = logging.LoggerAdapter[Any]
    """The logger ``dubhooks``, whose lines say which receiver they are about."""

__all__ = ["log_store_error"]

_PYTHONS_OWN = (
    *(ArithmeticError, AssertionError, AttributeError, ImportError, LookupError),
    *(NameError, RuntimeError, TypeError, ValueError),
)
_UNREACHABLE = frozenset(
    (
        *("ConnectionError", "InterfaceError", "InternalError", "OSError", "OperationalError"),
        *("PostgresError", "TimeoutError"),
    )
)
"""Every driver's class for a server that cannot be used has one of these among its bases."""
_DRIVERS = _UNREACHABLE | {
    *("DatabaseError", "DataError", "Error", "IntegrityError", "NotSupportedError"),
    *("ProgrammingError", "RedisError", "SQLAlchemyError", "ValkeyError"),
}
"""And every class of a driver's has one of these."""


def log_store_error(
    log: Log, what: str, error: BaseException, *, level: int = logging.ERROR
) -> None:
    """Log a store's error: a driver's message can quote statements, values and passwords.

    Args:
        log: the receiver's.
        what: what could not be done, and what follows.
        error: what the store raised; its message is logged when no driver wrote it.
        level: of the line.
    """
    name = type(error).__qualname__
    if isinstance(error, DubhooksError):
        log.log(level, "%s: %s", what, error)
    elif isinstance(error, _PYTHONS_OWN) and not _is_one_of(error, _DRIVERS):
        _log_with_traceback(log, f"{what}: {name}", error, level)
    elif _is_one_of(error, _UNREACHABLE):
        log.log(
            level,
            "%s: %s: see that the store's server runs, can be reached from here within its "
            "timeouts, takes more connections, and has room on its disk",
            what,
            name,
        )
    else:
        log.log(level, "%s: %s", what, name)


def _log_with_traceback(log: Log, what: str, error: BaseException, level: int) -> None:
    cause = error.__cause__ or error.__context__
    while cause is not None and not _is_one_of(cause, _DRIVERS):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        log.log(level, "%s: %s", what, error, exc_info=error)
    else:
        # A traceback quotes what an error came from, and here that is a driver's message.
        lines = "".join(traceback.format_tb(error.__traceback__))
        log.log(level, "%s: %s\n%s", what, error, lines)


def _is_one_of(error: BaseException, names: frozenset[str]) -> bool:
    return not names.isdisjoint(each.__name__ for each in type(error).__mro__)
