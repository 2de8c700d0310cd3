"""What an engine's error means for a claim."""

from __future__ import annotations

import random
from time import monotonic
from typing import Any

from sqlalchemy.exc import DBAPIError

from ...errors import ConfigurationError

__all__ = ["Retries", "explained", "is_duplicate", "is_unprepared"]

# SQLSTATE of PostgreSQL, error numbers of MySQL and MariaDB, words of SQLite and, where it has no
# SQLSTATE because there is no connection yet, of psycopg.
_NO_TABLE = ("42P01", 1146, "no such table")
# Unknown or additional columns, other types, no primary key.
_OTHER_COLUMNS = (
    *("42703", "42804", "42883", "42P10", "23502", 1054, 1364),
    *("no such column", "has no column named", "ON CONFLICT clause does not match"),
    "NOT NULL constraint failed",
)
_READ_ONLY = ("25006", 1290, 1792, 1836, "attempt to write a readonly database")
_REFUSED = (
    *("28000", "28P01", 1045, 1698, "password authentication failed", "no password supplied"),
    *("no pg_hba.conf entry", 'FATAL:  role "'),
)
_NO_DATABASE = ("3D000", 1049, 'FATAL:  database "')
_NO_PRIVILEGE = ("42501", 1044, 1142, 1143)
# A transaction that lost against another one: nothing of it was done.
_BEATEN = ("40001", "40P01", 1020, 1213, "database is locked", "database table is locked")
_DUPLICATE = (1062,)
# A prepared statement that this server connection does not know, or knows already.
_UNPREPARED = ("26000", "42P05")

_PATIENCE = 5.0
_LONGEST_PAUSE = 0.05
_MOST_RECONNECTIONS = 2


class Retries:
    """Decides whether work is worth another try, and when.

    All of our work may be done again: a statement whose reply was lost finds
    its own token and says the same once more.
    """

    reconnections = 0
    """How often the connection was lost: the server restarted while it was in the pool."""
    _pause = 0.001
    _deadline: float | None = None

    def pause_after(self, error: Exception, is_lost: bool) -> float | None:
        """Return how many seconds to wait before the next try; none is worth it after ``None``."""
        if is_lost and self.reconnections < _MOST_RECONNECTIONS:
            self.reconnections += 1
            return 0.0
        if self._deadline is None:
            self._deadline = monotonic() + _PATIENCE
        if _is(error, _BEATEN) and monotonic() < self._deadline:
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            return random.uniform(0.0, self._pause)
        return None


_ADVICE = (
    (
        _NO_TABLE,
        "the table of dubhooks is missing: call create_table() once, or add "
        "dubhooks.stores.sqlalchemy.metadata to your migrations",
    ),
    (
        _OTHER_COLUMNS,
        "the table of dubhooks has other columns than dubhooks needs: make it with "
        "create_table() or from dubhooks.stores.sqlalchemy.metadata, after you have renamed "
        "the one that is there",
    ),
    (_READ_ONLY, "this database is read-only, perhaps a replica: connect to the primary"),
    (
        _REFUSED,
        "the database refuses this user: check user and password in the engine's URL, and that "
        "the server lets this user in from here",
    ),
    (
        _NO_DATABASE,
        "the server has no such database: check its name in the engine's URL, or create it",
    ),
    (
        _NO_PRIVILEGE,
        "this user may not use the table of dubhooks: GRANT it SELECT, INSERT, UPDATE and DELETE",
    ),
    (
        _UNPREPARED,
        "the connection pooler keeps no prepared statements: connect with "
        "prepare_threshold=None (psycopg), or see SQLAlchemy's page on asyncpg and PgBouncer",
    ),
)


def explained(error: Exception) -> ConfigurationError | None:
    """Return an error that says what to do, if that is known."""
    for kinds, advice in _ADVICE:
        if _is(error, kinds):
            return ConfigurationError(advice)
    return None


def is_unprepared(error: Exception) -> bool:
    """Tell whether a pooler such as PgBouncer lost or mixed up prepared statements."""
    return _is(error, _UNPREPARED)


def is_duplicate(error: Exception) -> bool:
    """Tell whether MySQL or MariaDB refused a key that is there."""
    return _is(error, _DUPLICATE)


def _is(error: Exception, kinds: tuple[str | int, ...]) -> bool:
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    first: object = cause.args[0] if getattr(cause, "args", ()) else None
    # Some drivers of MySQL have the number only, newer ones a less exact SQLSTATE as well.
    codes = {getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None), first}
    if not codes.isdisjoint(kinds):
        return True
    return any(isinstance(kind, str) and " " in kind and kind in str(first) for kind in kinds)
