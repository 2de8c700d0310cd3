"""Logging what a store raised: enough to act on, and nothing that a driver may quote."""

from __future__ import annotations

import logging
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
    elif isinstance(error, _PYTHONS_OWN) and type(error).__module__ == "builtins":
        log.log(level, "%s: %s: %s", what, name, error, exc_info=error)
    elif _UNREACHABLE.isdisjoint(each.__name__ for each in type(error).__mro__):
        log.log(level, "%s: %s", what, name)
    else:
        log.log(
            level,
            "%s: %s: see that the store's server runs, can be reached from here within its "
            "timeouts, takes more connections, and has room on its disk",
            what,
            name,
        )
