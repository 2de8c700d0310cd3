"""Logging what a store raised: enough to act on, and nothing that a driver may quote."""

from __future__ import annotations

import logging
import traceback
from typing import Any, TypeAlias

from ..errors import DubhooksError

Log: TypeAlias = "logging.LoggerAdapter[Any]"
"""The logger ``dubhooks``, whose lines say which receiver they are about."""


_PYTHONS_OWN = (
    *(ArithmeticError, AssertionError, AttributeError, ImportError, LookupError),
    *(NameError, RuntimeError, TypeError, ValueError),
)
_DRIVERS = {
    *("DataError", "Error", "InterfaceError", "PostgresError"),
    *("RedisError", "SQLAlchemyError", "ValkeyError"),
}
"""Every driver's class has one of these among its bases, or is it."""


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
    elif not _is_pythons_own(error):
        log.log(
            level,
            "%s: %s: see that the store's server runs, can be reached from here within its "
            "timeouts, takes more connections, and has room on its disk",
            what,
            name,
        )
    elif error.__cause__ or error.__context__:
        # A whole traceback would quote that one's message, which a driver may have written.
        lines = "".join(traceback.format_tb(error.__traceback__))
        log.log(level, "%s: %s: %s\n%s", what, name, error, lines)
    else:
        log.log(level, "%s: %s: %s", what, name, error, exc_info=error)


def _is_pythons_own(error: BaseException) -> bool:
    """Tell whether no driver made ``error``; some derive theirs from Python's classes as well."""
    names = {each.__name__ for each in type(error).__mro__}
    return isinstance(error, _PYTHONS_OWN) and names.isdisjoint(_DRIVERS)
