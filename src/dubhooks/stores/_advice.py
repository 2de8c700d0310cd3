"""What a driver's error means, and what to do about it: once for all stores and inboxes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, cast

from ..errors import ConfigurationError

# SQLSTATE of PostgreSQL, error numbers of MySQL and MariaDB, words of SQLite and, where it has no
# SQLSTATE because there is no connection yet, of psycopg.
_SQL: Final[dict[str, tuple[str | int, ...]]] = {
    "there is no table {table}{where}: {create}": ("42P01", 1146, "no such table"),
    "the database{where} is read-only, perhaps a replica: connect to the primary": (
        *("25006", 1290, 1792, 1836, "attempt to write a readonly database"),
    ),
    "the database{where} refuses this user: check user, password and the database's name, and that "
    "the server lets this user in from here; GRANT it SELECT, INSERT, UPDATE and DELETE on "
    "{table}": (
        *("28000", "28P01", "3D000", "42501", 1044, 1045, 1049, 1142, 1143, 1698),
        *("password authentication failed", "no password supplied", "no pg_hba.conf entry"),
        *('FATAL:  role "', 'FATAL:  database "'),
    ),
}
# A transaction that lost against another one: nothing of it was done.
_BEATEN: Final = (
    *("40001", "40P01", "55P03", 1020, 1205, 1213),
    *("database is locked", "database table is locked"),
)
# The server ended the connection, takes no more, is shutting down or starting up, or the network
# failed.
_LOST: Final = (
    *("08000", "08001", "08003", "08006", "53300", "57P01", "57P02", "57P03"),
    *(1040, 1053, 1158, 1159, 1160, 1161, 1927, 2002, 2003, 2006, 2013, 2055, 3024, 4031),
    "MySQL Connection not available",
)
# Of drivers on SQL; and of redis-py and valkey-py.
# asyncpg has the last one for a connection that went in the middle of an answer.
_LOST_CLASSES: Final = ("InterfaceError", "ConnectionError", "TimeoutError", "InternalClientError")


@contextmanager
def explained(
    explain: Callable[[Exception], ConfigurationError | None],
) -> Generator[None, None, None]:
    """Raise what ``explain`` makes of an error, if it says what to do, in place of the error.

    Raises:
        ConfigurationError: there is such an error.
    """
    try:
        yield
    except Exception as error:
        better = explain(error)
        if better is None:
            raise
        raise better from error


def explain_sql_error(
    error: BaseException, *, table: str, create: str, where: str = ""
) -> ConfigurationError | None:
    """Return an error that says what to do, if that is known.

    Args:
        error: a driver's, SQLAlchemy's or Django's.
        table: the table's name.
        create: how it is made, such as ``call create_table() once``.
        where: which database it is, such as `` (alias 'default')``.
    """
    for advice, kinds in _SQL.items():
        if _is(error, kinds):
            return ConfigurationError(advice.format(table=table, create=create, where=where))
    return explain_loop_error(error)


def is_beaten(error: BaseException) -> bool:
    """Tell whether a statement lost against another one, so that it is worth another try."""
    return _is(error, _BEATEN)


def is_lost(error: BaseException) -> bool:
    """Tell whether an error says that there is no connection any more, or none to be had."""
    cause = _find_cause(error)
    if isinstance(cause, (OSError, EOFError)):
        return True
    names = _names(cause)
    states = [getattr(cause, name) for name in ("sqlstate", "pgcode") if hasattr(cause, name)]
    # What libpq, a driver or a pool says by itself has no SQLSTATE.
    is_of_client = "OperationalError" in names and states == [None]
    return is_of_client or not names.isdisjoint(_LOST_CLASSES) or _is(error, _LOST)


def _find_cause(error: BaseException) -> Any:
    # SQLAlchemy and Django have errors of their own around the driver's.
    return getattr(error, "orig", None) or error.__cause__ or error


def _is(error: BaseException, kinds: tuple[str | int, ...]) -> bool:
    cause = _find_cause(error)
    first: Any = cause.args[0] if cause.args else None
    if isinstance(first, dict):  # pg8000: the fields of the server's message
        first = cast("dict[str, Any]", first).get("C")
    # Some drivers of MySQL have the number only, newer ones a less exact SQLSTATE as well.
    codes = {getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None), first}
    if not codes.isdisjoint(kinds):
        return True
    text = " ".join(map(str, cause.args))
    return any(isinstance(kind, str) and " " in kind and kind in text for kind in kinds)


def _names(error: BaseException) -> set[str]:
    return {each.__name__ for each in type(error).__mro__}


# Words of the server, and names of error classes of redis-py and valkey-py.  Servers before
# Redis 7 put the error's name into the middle of the text.
_REDIS: Final = {
    "this Redis server is a read-only replica: connect the client to the primary": (
        *("READONLY", "read only replica"),
    ),
    "Redis refuses this client: check the user and the password that it was made with, and let "
    "this user use the store's keys and +eval +evalsha +script|load +time +hmget +hset +hdel "
    "+pexpire +del": (
        *("AuthenticationError", "NOAUTH", "WRONGPASS"),
        *("NoPermissionError", "executing the script can't run", "ACL failure in script"),
    ),
    "this Redis server runs no scripts, and a claim is one: let it run EVAL, EVALSHA and SCRIPT "
    "LOAD (fakeredis needs its extra: install fakeredis[lua])": ("unknown command",),
}


def explain_redis_error(error: BaseException) -> ConfigurationError | None:
    """Return an error that says what to do, if that is known.

    Args:
        error: what was raised by a client of redis-py or valkey-py, or by asyncio under it.
    """
    if _names(error).isdisjoint(("RedisError", "ValkeyError")):
        return explain_loop_error(error)
    text = f"{type(error).__name__} {error}"
    for advice, words in _REDIS.items():
        if any(word in text for word in words):
            return ConfigurationError(advice)
    return None


def explain_loop_error(error: BaseException) -> ConfigurationError | None:
    """Return an error that says what to do when a connection met another event loop."""
    words = ("attached to a different loop", "Event loop is closed", "different event loop")
    if any(word in str(error) for word in words):
        return ConfigurationError(
            "this async store was used on another event loop before, and its connections belong "
            "to that one: make one store for each event loop, use the sync store where no loop "
            "lasts, and in tests keep one loop: with TestClient(app) as client"
        )
    return None


# Python 3.10 has no error codes.
_SQLITE: Final = {
    "not a database": "is not an SQLite database: give the store a file of its own",
    "readonly": "cannot be written: let this process write the file and its directory",
    "unable to open": "cannot be opened: let this process read and write it and its directory",
}


def explain_sqlite_error(error: BaseException, path: str) -> ConfigurationError | None:
    """Return an error that says what to do about the store's file, if that is known."""
    for words, advice in _SQLITE.items():
        if words in str(error):
            return ConfigurationError(f"the file {path!r} {advice}")
    return None
