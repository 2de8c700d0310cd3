"""What the store and the inbox need of PostgreSQL, MariaDB, MySQL and SQLite."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connections, router
from django.utils.connection import ConnectionDoesNotExist

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


# SQLSTATE of PostgreSQL, error numbers of MySQL and MariaDB, words of SQLite.
_ADVICE: Final[tuple[tuple[tuple[str | int, ...], str], ...]] = (
    (
        ("42P01", 1146, "no such table"),
        "there is no table {table} in the database {alias!r}: run manage.py migrate "
        "--database {alias}",
    ),
    (
        ("25006", 1290, 1792, 1836, "attempt to write a readonly database"),
        "the database {alias!r} is read-only, perhaps a replica: let using= or the routers name "
        "the primary",
    ),
    (
        ("42501", 1044, 1142, 1143),
        "the user of the database {alias!r} may not use the table {table}: GRANT it SELECT, "
        "INSERT, UPDATE and DELETE",
    ),
)

# Never closed in this process: that would end the session of the process that opened them.
_inherited: list[Any] = []


def _note_inherited() -> None:
    if settings.configured:
        opened = connections.all(initialized_only=True)
        _inherited.extend(each.connection for each in opened if each.connection is not None)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_note_inherited)


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
        """Return this thread's connection, and never one that a parent process opened.

        Raises:
            ConfigurationError: the app is not installed, the alias or the engine is unknown,
                or a transaction is open on a connection that the parent process shares.
        """
        try:
            connection = connections[self.alias]
        except ConnectionDoesNotExist:
            raise ConfigurationError(
                f"DATABASES has no {self.alias!r}: it has {sorted(connections)}"
            ) from None
        if connection.vendor not in _ENGINES:
            raise ConfigurationError(
                f"{connection.vendor} is not supported: use PostgreSQL, MariaDB, MySQL or SQLite"
            )
        if connection.connection in _inherited:
            if connection.in_atomic_block:
                raise ConfigurationError(
                    "the connection was opened before this process was forked, and its parent uses "
                    "it as well: call django.db.connections.close_all() before the fork"
                )
            connection.connection = None
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
        """Turn the database's complaints that tell of a wrong set-up into ours.

        Raises:
            ConfigurationError: there is no table, it may not be used, or the database is read-only.
        """
        try:
            yield
        except DatabaseError as error:
            better = self.advice(connection, error)
            if better is None:
                raise
            raise better from None

    def advice(
        self, connection: BaseDatabaseWrapper, error: Exception
    ) -> ConfigurationError | None:
        """Return an error that says what to do, if ``error`` tells of a wrong set-up."""
        for kinds, advice in _ADVICE:
            if _is(error, kinds):
                return ConfigurationError(advice.format(table=self.table, alias=connection.alias))
        return None

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


def _is(error: Exception, kinds: tuple[str | int, ...]) -> bool:
    cause = error.__cause__
    number = error.args[0] if error.args else None
    codes = {getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None), number}
    if not codes.isdisjoint(kinds):
        return True
    return any(isinstance(kind, str) and " " in kind and kind in str(error) for kind in kinds)
