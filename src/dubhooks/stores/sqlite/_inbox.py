"""Exactly once, in a transaction of the user's own SQLite database."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from time import time
from typing import TYPE_CHECKING

from ...errors import ConfigurationError, to_seconds
from ...events._base import Event
from ...idempotency._keys import Dedupe, build_inbox_key, check_namespace, list_inbox_keys
from .._advice import explain_sql_error, explained

if TYPE_CHECKING:
    import aiosqlite


# Not the other inboxes' name: their table may be in the same file.
_TABLE = "dubhooks_sqlite_inbox"
_SCHEMA = (
    f"CREATE TABLE IF NOT EXISTS {_TABLE} "
    "(key TEXT NOT NULL PRIMARY KEY, seen_at REAL NOT NULL) WITHOUT ROWID"
)
# Only an existing key is ignored: OR IGNORE would hide other errors as well.
_NOTE = f"INSERT INTO {_TABLE} (key, seen_at) VALUES (?, ?) ON CONFLICT (key) DO NOTHING"
_TOUCH = f"DELETE FROM {_TABLE} WHERE FALSE"
_PURGE = f"DELETE FROM {_TABLE} WHERE seen_at < ?"


class SQLiteInbox:
    """Exactly-once effects in your own SQLite database.

    The note that an event was seen is part of the transaction of its effect, so both
    happen or neither does::

        with connection:  # sqlite3 commits at the end, or rolls back
            if inbox.first(connection, event):
                connection.execute("INSERT INTO sales ...")

    Call ``first`` before any query of the transaction: SQLite cannot upgrade a read
    transaction while another connection is writing.

    Methods that begin with ``a`` do the same with a connection of ``aiosqlite``.
    """

    def __init__(self, *, namespace: str = "default") -> None:
        """Create the inbox.

        Args:
            namespace: keeps receivers that share a database apart.

        Raises:
            ConfigurationError: the namespace is not 1 to 64 letters, digits, dots, dashes or
                underscores.
        """
        self._namespace = check_namespace(namespace)

    def create_table(self, connection: sqlite3.Connection) -> None:
        """Create the table ``dubhooks_sqlite_inbox`` unless it exists.

        Args:
            connection: a connection to your database.
        """
        connection.execute(_SCHEMA)

    async def acreate_table(self, connection: aiosqlite.Connection) -> None:
        """Do what :meth:`create_table` does."""
        await connection.execute(_SCHEMA)

    def first(self, connection: sqlite3.Connection, event: Event, *, dedupe: Dedupe = "id") -> bool:
        """Note an event in the current transaction.

        Args:
            connection: the connection of the transaction.
            event: the event.
            dedupe: ``"natural"`` notes the event's ``natural_key``, which is the same under
                another event id.

        Returns:
            Whether this is the first time; false when the event was noted before.

        Raises:
            ConfigurationError: the connection is in autocommit mode, or the table is missing
                or not from dubhooks.
        """
        key = build_inbox_key(self._namespace, event, dedupe)
        with _explaining_errors():
            if not connection.in_transaction:
                connection.execute(_TOUCH)  # begins one, unless the connection never does
                _check_transaction(connection.in_transaction)
            return connection.execute(_NOTE, (key, time())).rowcount == 1

    async def afirst(
        self, connection: aiosqlite.Connection, event: Event, *, dedupe: Dedupe = "id"
    ) -> bool:
        """Do what :meth:`first` does."""
        key = build_inbox_key(self._namespace, event, dedupe)
        with _explaining_errors():
            if not connection.in_transaction:
                await connection.execute(_TOUCH)
                _check_transaction(connection.in_transaction)
            return (await connection.execute(_NOTE, (key, time()))).rowcount == 1

    def forget(self, connection: sqlite3.Connection, event: Event | str) -> bool:
        """Forget an event, so that it has its effect again when it comes again.

        Args:
            connection: a connection to your database; commit it afterwards.
            event: the event, its id, or its natural key.

        Returns:
            Whether there was a note of it.
        """
        with _explaining_errors():
            return connection.execute(*self._write_forget(event)).rowcount > 0

    async def aforget(self, connection: aiosqlite.Connection, event: Event | str) -> bool:
        """Do what :meth:`forget` does."""
        with _explaining_errors():
            return (await connection.execute(*self._write_forget(event))).rowcount > 0

    def purge(self, connection: sqlite3.Connection, older_than: float | timedelta) -> int:
        """Delete notes.

        Args:
            connection: a connection to your database; commit it afterwards.
            older_than: how old a note must be, in seconds or as a ``timedelta``.

        Returns:
            How many notes were deleted.
        """
        with _explaining_errors():
            return connection.execute(_PURGE, _moment_before(older_than)).rowcount

    async def apurge(self, connection: aiosqlite.Connection, older_than: float | timedelta) -> int:
        """Do what :meth:`purge` does."""
        with _explaining_errors():
            return (await connection.execute(_PURGE, _moment_before(older_than))).rowcount

    def _write_forget(self, event: Event | str) -> tuple[str, list[str]]:
        keys = list_inbox_keys(self._namespace, event)
        return f"DELETE FROM {_TABLE} WHERE key IN ({', '.join('?' * len(keys))})", keys


def _moment_before(older_than: float | timedelta) -> tuple[float]:
    return (time() - to_seconds("purge(older_than=...)", older_than, least=0),)


def _check_transaction(is_open: bool) -> None:
    if not is_open:
        raise ConfigurationError(
            "the connection commits every statement by itself, so the event would be noted "
            "even if its effect fails: begin a transaction first"
        )


def _explaining_errors() -> AbstractContextManager[None]:
    create = "call create_table(connection) once"
    return explained(partial(explain_sql_error, table=_TABLE, create=create))
