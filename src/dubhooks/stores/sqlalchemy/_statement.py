"""Statements that are built once and sent with as little as possible around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Dialect, Executable, PoolProxiedConnection

__all__ = ["Prepared", "commits_by_itself"]

_CURSOR = "dubhooks.cursor"
"""Where the pool keeps it, as long as the connection lives."""


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
        # Its cursors take long to make.  Others may leave a statement open until they are closed.
        self._keeps_cursor = dialect.driver == "psycopg"

    def row(self, connection: PoolProxiedConnection, parameters: Mapping[str, Any]) -> Any:
        """Run it and return the only row."""
        return self._run(connection, parameters, lambda cursor: cursor.fetchone())

    def column(self, connection: PoolProxiedConnection, parameters: Mapping[str, Any]) -> list[Any]:
        """Run it and return the first value of every row."""
        return [row[0] for row in self._run(connection, parameters, lambda c: c.fetchall())]

    def count(self, connection: PoolProxiedConnection, parameters: Mapping[str, Any]) -> int:
        """Run it and return how many rows it changed."""
        return int(self._run(connection, parameters, lambda cursor: cursor.rowcount))

    def _run(
        self,
        connection: PoolProxiedConnection,
        parameters: Mapping[str, Any],
        read: Callable[[Any], Any],
    ) -> Any:
        values: Any = {**self._constants, **parameters}
        if self._order is not None:
            values = tuple([values[name] for name in self._order])
        if self._keeps_cursor:
            cursor: Any = connection.info.get(_CURSOR)
            if cursor is None:
                cursor = connection.info[_CURSOR] = connection.cursor()
            cursor.execute(self._text, values)
            return read(cursor)
        cursor = connection.cursor()
        try:
            cursor.execute(self._text, values)
            return read(cursor)
        finally:
            cursor.close()


def commits_by_itself(connection: PoolProxiedConnection, dialect: Dialect) -> bool:
    """Tell whether every statement is a transaction of its own, without asking the server."""
    adapter: Any = connection.dbapi_connection
    driver: Any = connection.driver_connection
    if dialect.name == "sqlite":
        # From Python 3.12 on there is the attribute; its legacy value leaves it to isolation_level.
        by_itself = getattr(driver, "autocommit", None)
        if not isinstance(by_itself, bool):  # pragma: no branch - before Python 3.12
            by_itself = adapter.isolation_level is None
        return by_itself and not driver.in_transaction
    if hasattr(driver, "get_autocommit"):
        return bool(driver.get_autocommit())
    return getattr(adapter, "autocommit", False) is True
