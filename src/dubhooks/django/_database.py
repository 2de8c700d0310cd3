"""What the store and the inbox need of PostgreSQL, MariaDB, MySQL and SQLite."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from django.apps import apps
from django.db import DatabaseError, connections, router

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Generator

    from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = ["Database"]


class _Engine(NamedTuple):
    """What differs; the clock is in seconds since 1970 in UTC, by the database's own clock."""

    now: str
    insert: str
    on_conflict: str


_ENGINES: Final = {
    "postgresql": _Engine(
        # now() stands still during a transaction.
        "extract(epoch from clock_timestamp())::double precision",
        "INSERT INTO",
        "ON CONFLICT DO NOTHING",
    ),
    "mysql": _Engine(
        # Not UNIX_TIMESTAMP(NOW()): local time is ambiguous for an hour every autumn.
        "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1e6)",
        "INSERT IGNORE INTO",
        "",
    ),
    "sqlite": _Engine(
        "((julianday('now') - 2440587.5) * 86400.0)",
        "INSERT INTO",
        "ON CONFLICT DO NOTHING",
    ),
}


class Database:
    """One of our tables, in the database that it is in."""

    def __init__(self, model: str, using: str | None) -> None:
        self._model = model
        self._given = using
        self._where: tuple[str, str] | None = None

    def __repr__(self) -> str:
        return f"using={self._given!r}"

    @property
    def alias(self) -> str:
        """The database's alias: the one given, or else the routers' choice for writing.

        Raises:
            ConfigurationError: the app is not installed.
        """
        return self._found()[0]

    @property
    def table(self) -> str:
        """The table's name.

        Raises:
            ConfigurationError: the app is not installed.
        """
        return self._found()[1]

    def connection(self) -> BaseDatabaseWrapper:
        """Return this thread's connection.

        Raises:
            ConfigurationError: the app is not installed, or the engine is unknown.
        """
        connection = connections[self.alias]
        if connection.vendor not in _ENGINES:
            raise ConfigurationError(
                f"{connection.vendor} is not supported: use PostgreSQL, MariaDB, MySQL or SQLite"
            )
        return connection

    def now(self, connection: BaseDatabaseWrapper) -> str:
        """Return SQL for the time, in seconds since 1970 by the database's clock."""
        return _ENGINES[connection.vendor].now

    def insert_unless_there(self, connection: BaseDatabaseWrapper, columns_and_values: str) -> str:
        """Return SQL for an INSERT that counts 0 rows when the key is there."""
        engine = _ENGINES[connection.vendor]
        return f"{engine.insert} {self.table} {columns_and_values} {engine.on_conflict}"

    @contextmanager
    def explained(self, connection: BaseDatabaseWrapper) -> Generator[None, None, None]:
        """Turn the database's complaint about a missing table into ours.

        Raises:
            ConfigurationError: there is no table.
        """
        try:
            yield
        except DatabaseError as error:
            if not _tells_of_missing_table(error):
                raise
            raise ConfigurationError(
                f"there is no table {self.table} in the database {connection.alias!r}: run "
                f"manage.py migrate --database {connection.alias}"
            ) from None

    def _found(self) -> tuple[str, str]:
        if self._where is None:
            try:
                model = apps.get_model("dubhooks", self._model)
            except LookupError:
                raise ConfigurationError(
                    'the tables belong to the app: add "dubhooks.django" to INSTALLED_APPS'
                ) from None
            # Asked once: a router that depends on the request must not send the end of a claim
            # elsewhere than its beginning.
            alias = self._given or router.db_for_write(model)
            self._where = alias, model._meta.db_table
        return self._where


def _tells_of_missing_table(error: DatabaseError) -> bool:
    # By code: PostgreSQL's undefined_table, MySQL's ER_NO_SUCH_TABLE.  SQLite has only words.
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    number = error.args[0] if error.args else None
    return code == "42P01" or number == 1146 or "no such table" in str(error)
