"""What the store and the inbox need of Django's connections."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.conf import settings
from django.db import Error, connections, router
from django.utils.connection import ConnectionDoesNotExist

from ..errors import ConfigurationError
from ..stores._advice import explain_sql_error
from ..stores._sql import CLAIMS_TABLE, INBOX_TABLE, VENDORS

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import Literal

    from django.db.backends.base.base import BaseDatabaseWrapper

    from ..stores._sql import Execute

__all__ = ["Database", "build_execute", "pool_of"]

_TABLES: Final = {"Claim": CLAIMS_TABLE, "SeenEvent": INBOX_TABLE}

# Never used or closed in this process: that would end the session of the process that opened them.
_inherited: list[Any] = []


def _note_inherited() -> None:
    if not settings.configured:
        return
    for each in connections.all(initialized_only=True):
        if each.connection is not None:
            _inherited.append(each.connection)
        pool = pool_of(each)
        if pool is not None and not pool.closed:
            _inherited.append(pool)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_note_inherited)


class Database:
    """One of our tables, in the database that it is in."""

    def __init__(self, model: Literal["Claim", "SeenEvent"], using: str | None) -> None:
        self._model = model
        self._given = using
        self._alias: str | None = None

    def __repr__(self) -> str:
        return f"using={self._given!r}"

    @property
    def alias(self) -> str:
        """The database's alias: the one given, or else the routers' choice for writing.

        Raises:
            ConfigurationError: the app is not installed.
        """
        if self._alias is None:
            try:
                model = apps.get_model("dubhooks", self._model)
            except LookupError:
                raise ConfigurationError(
                    'the tables belong to the app: add "dubhooks.django" to INSTALLED_APPS'
                ) from None
            # Asked once: a router that depends on the request must not send the end of a claim
            # elsewhere than its beginning.
            self._alias = self._given or router.db_for_write(model)
        return self._alias

    def connection(self) -> BaseDatabaseWrapper:
        """Return this thread's connection, and never one that a parent process opened.

        Raises:
            ConfigurationError: the app is not installed, the alias or the engine is unknown, or
                the parent process uses the pool, or the open transaction, as well.
        """
        try:
            connection = connections[self.alias]
        except ConnectionDoesNotExist:
            raise ConfigurationError(
                f"DATABASES has no {self.alias!r}: it has {sorted(connections)}"
            ) from None
        if connection.vendor not in VENDORS:
            raise ConfigurationError(
                f"{connection.vendor} is not supported: use PostgreSQL, MariaDB, MySQL or SQLite"
            )
        if _inherited:
            _leave_to_the_parent(connection)
        return connection

    @contextmanager
    def explained(self, connection: BaseDatabaseWrapper) -> Generator[None, None, None]:
        """Turn the database's complaints that tell of a wrong set-up into ours.

        Raises:
            ConfigurationError: there is no table, it may not be used, the database is read-only, …
        """
        try:
            yield
        except Error as error:
            better = self.explain(connection, error)
            if better is None:
                raise
            raise better from None

    def explain(
        self, connection: BaseDatabaseWrapper, error: Exception
    ) -> ConfigurationError | None:
        """Return an error that says what to do, if ``error`` tells of a wrong set-up."""
        alias = connection.alias
        return explain_sql_error(
            error,
            table=_TABLES[self._model],
            create=f"run manage.py migrate --database {alias}",
            where=f" (alias {alias!r})",
        )


def build_execute(connection: BaseDatabaseWrapper) -> Execute:
    """Return what runs our statements on a connection of Django's."""

    def execute(statement: str, parameters: Any) -> tuple[Sequence[Any], int]:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else (), cursor.rowcount

    return execute


def pool_of(connection: BaseDatabaseWrapper) -> Any:
    """Return the pool that Django takes connections from, or ``None``."""
    return getattr(connection, "pool", None)


def _leave_to_the_parent(connection: BaseDatabaseWrapper) -> None:
    if pool_of(connection) in _inherited:
        raise ConfigurationError(
            "the pool was opened before this process was forked, and its parent uses it as well: "
            f"call django.db.connections[{connection.alias!r}].close_pool() before the fork"
        )
    if connection.connection in _inherited:
        if connection.in_atomic_block:
            raise ConfigurationError(
                "the connection was opened before this process was forked, and its parent uses "
                "it as well: call django.db.connections.close_all() before the fork"
            )
        connection.connection = None
