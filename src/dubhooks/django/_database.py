"""What the store and the inbox need of Django's connections."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final, Literal

from django.apps import apps
from django.conf import settings
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from ..errors import ConfigurationError
from ..stores._advice import explain_sql_error, explained
from ..stores._sql import CLAIMS_TABLE, INBOX_TABLE, Execute, find_vendor

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
            ConfigurationError: the app is not installed, the engine is not supported, or the
                parent process uses the pool, or the open transaction, as well.
        """
        connection = connections[self.alias]
        find_vendor(connection.vendor)
        if _inherited:
            _leave_to_the_parent(connection)
        return connection

    def explained(self, connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
        """Turn the database's complaints that tell of a wrong set-up into a ConfigurationError.

        There is no table, it may not be used, the database is read-only, and the like.
        """
        create = f"run manage.py migrate --database {connection.alias}"
        where, table = f" (alias {connection.alias!r})", _TABLES[self._model]
        return explained(partial(explain_sql_error, table=table, create=create, where=where))


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
    is_inherited = connection.connection in _inherited
    if pool_of(connection) in _inherited or (is_inherited and connection.in_atomic_block):
        raise ConfigurationError(
            "the connection, or its pool, was opened before this process was forked, and its "
            "parent uses it as well: call django.db.connections.close_all() before the fork, and "
            f"with a pool django.db.connections[{connection.alias!r}].close_pool() as well"
        )
    if is_inherited:
        connection.connection = None
