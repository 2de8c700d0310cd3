"""Statements that are built once and sent with as little as possible around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy.exc import DBAPIError

from ._sql_errors import Retries, explained, is_unprepared

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection, Dialect, Executable

__all__ = ["Prepared", "Tried", "attempt", "commits_by_itself"]


class Prepared:
    """A statement as text for a driver.

    SQLAlchemy needs longer to build this text, and to wrap up the result, than
    the driver needs to send it, so both are done without it.
    """

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        untyped: Any = statement
        compiled: Any = untyped.compile(dialect=dialect)
        self._text: str = compiled.string
        self._constants: dict[str, Any] = compiled.params
        self._order: list[str] | None = compiled.positiontup

    def row(self, connection: Connection, parameters: Mapping[str, Any]) -> Any:
        """Run it and return the only row."""
        return self._run(connection, parameters, lambda cursor: cursor.fetchone())

    def count(self, connection: Connection, parameters: Mapping[str, Any]) -> int:
        """Run it and return how many rows it changed."""
        return int(self._run(connection, parameters, lambda cursor: cursor.rowcount))

    def _run(
        self, connection: Connection, parameters: Mapping[str, Any], read: Callable[[Any], Any]
    ) -> Any:
        values: Any = {**self._constants, **parameters}
        if self._order is not None:
            values = tuple([values[name] for name in self._order])
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self._text, values)
            return read(cursor)
        finally:
            cursor.close()


class Tried(NamedTuple):
    """What a try came to: a result, or how many seconds to wait before the next one."""

    result: Any = None
    pause: float | None = None
    is_torn: bool = False
    """PgBouncer gave a statement's preparation and its execution to two server connections."""


def attempt(
    connection: Connection, work: Callable[[Connection], Any], retries: Retries, commits: bool
) -> Tried:
    """Do ``work``, and commit it unless every statement does so by itself.

    Raises:
        ConfigurationError: the database is set up in a way that cannot work.
        Exception: the driver's error, if another try is not worth it.
    """
    driver: Any = connection.dialect.loaded_dbapi
    try:
        if retries.reconnections:
            # When this connection is stale as well, SQLAlchemy notices and renews the pool.
            connection.exec_driver_sql("SELECT 1")
        result = work(connection)
        if commits:
            connection.connection.commit()
        return Tried(result)
    except (DBAPIError, driver.Error) as error:
        if not commits and connection.dialect.driver == "asyncpg" and is_unprepared(error):
            # In a transaction both go to one.
            return Tried(pause=0.0, is_torn=True)
        pause = retries.pause_after(error, _is_lost(connection, error))
        if pause is not None:
            return Tried(pause=pause)
        better = explained(error)
        if better is None:
            raise
        raise better from error
    except Exception:
        raise
    except BaseException:
        # Stopped in the middle: nobody knows what this connection would answer next.
        connection.invalidate()
        raise


def _is_lost(connection: Connection, error: Exception) -> bool:
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    pooled: Any = connection.connection.dbapi_connection
    is_lost = connection.dialect.is_disconnect(error, pooled, None)  # type: ignore[arg-type]
    if is_lost:
        connection.invalidate(error)
    return is_lost


def commits_by_itself(connection: Connection) -> bool:
    """Tell whether every statement is a transaction of its own, without asking the server."""
    adapter: Any = connection.connection.dbapi_connection
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return adapter.isolation_level is None and not driver.in_transaction
    if hasattr(driver, "get_autocommit"):
        return bool(driver.get_autocommit())
    return getattr(adapter, "autocommit", False) is True
