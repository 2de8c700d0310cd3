"""Claims in an SQLite file, and an inbox: for all threads and processes of one machine."""

from __future__ import annotations

import os
import sqlite3
from datetime import timedelta
from random import randrange
from time import time
from typing import TYPE_CHECKING

from ...errors import ConfigurationError
from ...idempotency import Claim
from ...idempotency._keys import build_inbox_key, check_namespace
from ._clock import boot_clock
from ._connections import Connections

if TYPE_CHECKING:
    from ...events._base import Event
    from ...idempotency._keys import Dedupe

__all__ = ["SQLiteInbox", "SQLiteStore"]

_FREE, _HELD, _DONE = 0, 1, 2

# Not the other stores' name: their table may be in the same file.
_TABLE = "dubhooks_sqlite_claims"
_COLUMNS = "key, token, state, attempt, fingerprint, lease_clock, lease_until, keep_until"
# Keys compare byte by byte: SQLite's default collation is BINARY.
_SCHEMA = (
    f"""
    CREATE TABLE IF NOT EXISTS {_TABLE} (
        key TEXT NOT NULL PRIMARY KEY,
        token TEXT NOT NULL,
        state INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        lease_clock TEXT NOT NULL,
        lease_until REAL NOT NULL,
        keep_until REAL NOT NULL
    ) WITHOUT ROWID
    """,
    f"CREATE INDEX IF NOT EXISTS {_TABLE}_keep_until ON {_TABLE} (keep_until)",
    # Fails for a table with other columns, before anything is claimed.
    f"SELECT {_COLUMNS} FROM {_TABLE} LIMIT 0",
)
_FIND = (
    f"SELECT token, state, attempt, fingerprint, lease_clock, lease_until FROM {_TABLE} "
    "WHERE key = ? AND keep_until > ?"
)
_PUT = f"INSERT OR REPLACE INTO {_TABLE} ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_OWNED = "WHERE key = ? AND token = ? AND state = ? AND keep_until > ?"
_COMPLETE = f"UPDATE {_TABLE} SET state = ?, keep_until = ? {_OWNED}"
_RELEASE = f"UPDATE {_TABLE} SET state = ? {_OWNED}"
_DELETE = (
    f"DELETE FROM {_TABLE} WHERE key = ? AND keep_until > ? "
    "AND NOT (state = ? AND lease_clock = ? AND lease_until > ?)"
)
_PURGE = (
    f"DELETE FROM {_TABLE} WHERE key IN (SELECT key FROM {_TABLE} WHERE keep_until <= ? LIMIT ?)"
)
_PURGE_EVERY, _PURGE_BATCH = 256, 1_024


class SQLiteStore:
    """Claims in an SQLite file, in WAL mode, flushed to the disk with every change.

    You may create it before a server forks: every thread of every process opens its
    own connection.  The file must be on a local disk.
    """

    def __init__(self, path: str | os.PathLike[str], *, timeout: float = 10.0) -> None:
        """Choose the file; the first claim creates it.

        Args:
            path: the file, in a directory that exists.
            timeout: seconds to wait for another writer.

        Raises:
            ConfigurationError: there can be no such file.
        """
        # Absolute: a thread that starts after a change of directory must open the same file.
        self._path = _checked(os.path.abspath(os.fsdecode(path) or os.curdir))
        self._connections = Connections(self._path, _SCHEMA, timeout)
        # A random start: processes that claim only a few times must purge now and then, too.
        self._claims = randrange(_PURGE_EVERY)

    def __repr__(self) -> str:
        return f"SQLiteStore({self._path!r})"

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`dubhooks.idempotency.Store.claim`."""
        with self._connections.writing() as connection:
            now = time()
            clock, instant = boot_clock()
            row = connection.execute(_FIND, (key, now)).fetchone()
            attempt = 1
            if row is not None:
                owner, state, attempt, theirs, lease_clock, lease_until = row
                if state == _DONE:
                    return Claim("done", attempt, theirs, 0.0)
                is_live = lease_clock == clock and lease_until > instant
                if state == _HELD and owner != token and is_live:
                    return Claim("busy", attempt, theirs, lease_until - instant)
                attempt += state == _FREE or owner != token
            held = (key, token, _HELD, attempt, fingerprint, clock, instant + lease)
            connection.execute(_PUT, (*held, now + retention))
            self._purge_a_little(connection, now)
            return Claim("acquired", attempt, fingerprint, 0.0)

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        with self._connections.writing() as connection:
            now = time()
            change = (_DONE, now + retention, key, token, _HELD, now)
            return connection.execute(_COMPLETE, change).rowcount == 1

    def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        with self._connections.writing() as connection:
            return connection.execute(_RELEASE, (_FREE, key, token, _HELD, time())).rowcount == 1

    def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        with self._connections.writing() as connection:
            parameters = (key, time(), _HELD, *boot_clock())
            return connection.execute(_DELETE, parameters).rowcount == 1

    def purge(self) -> int:
        """Delete the rows whose retention is over.

        Claims do this now and then, so calling it is optional.

        Returns:
            How many rows were deleted.
        """
        deleted = 0
        while True:
            # In batches: a claim must not wait long.
            with self._connections.writing() as connection:
                count = connection.execute(_PURGE, (time(), _PURGE_BATCH)).rowcount
            deleted += count
            if count < _PURGE_BATCH:
                return deleted

    def close(self) -> None:
        """Close the connections that this process opened."""
        self._connections.close()

    def _purge_a_little(self, connection: sqlite3.Connection, now: float) -> None:
        self._claims += 1
        if self._claims % _PURGE_EVERY == 0:
            connection.execute(_PURGE, (now, _PURGE_BATCH))


def _checked(path: str) -> str:
    # The file is not opened here: closing it would drop the locks of all connections that this
    # process has to it.
    directory, name = os.path.split(path)
    if name == ":memory:":
        raise ConfigurationError(
            "SQLiteStore keeps claims in a file; use MemoryStore() to keep them in memory"
        )
    if os.path.isdir(path) or not os.path.isdir(directory):
        raise ConfigurationError(
            f"SQLiteStore needs the path of a file in a directory that exists, not {path!r}"
        )
    # SQLite keeps two more files in the same directory.
    if not os.access(directory, os.W_OK) or (
        os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK)
    ):
        raise ConfigurationError(
            f"this process must be able to write the file {path!r} and its directory"
        )
    return path


# Only an existing key is ignored: OR IGNORE would hide other errors as well.
_NOTE = (
    "INSERT INTO dubhooks_sqlite_inbox (key, seen_at) VALUES (?, ?) ON CONFLICT (key) DO NOTHING"
)
_FORGET = "DELETE FROM dubhooks_sqlite_inbox WHERE seen_at < ?"
_FOREIGN = (
    "the table dubhooks_sqlite_inbox was not made by dubhooks, or its columns were changed: "
    "rename it and call create_table(connection)"
)
_UNFIT = (
    (
        "no such table",
        "there is no table dubhooks_sqlite_inbox: call create_table(connection) once",
    ),
    ("has no column", _FOREIGN),
    ("ON CONFLICT clause does not match", _FOREIGN),
)


class SQLiteInbox:
    """Exactly-once effects in your own SQLite database.

    The note that an event was seen is part of the transaction of its effect, so both
    happen or neither does::

        with connection:  # sqlite3 commits at the end, or rolls back
            if inbox.first(connection, event):
                connection.execute("INSERT INTO sales ...")

    Call ``first`` before any query of the transaction: SQLite cannot upgrade a read
    transaction while another connection is writing.
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
        connection.execute(
            "CREATE TABLE IF NOT EXISTS dubhooks_sqlite_inbox "
            "(key TEXT NOT NULL PRIMARY KEY, seen_at REAL NOT NULL) WITHOUT ROWID"
        )

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
        if not connection.in_transaction and _commits_by_itself(connection):
            raise ConfigurationError(
                "the connection commits every statement by itself, so the event would be noted "
                "even if its effect fails: begin a transaction first"
            )
        key = build_inbox_key(self._namespace, event, dedupe)
        try:
            noted = connection.execute(_NOTE, (key, time()))
        except sqlite3.OperationalError as error:
            for words, advice in _UNFIT:
                if words in str(error):
                    raise ConfigurationError(advice) from None
            raise
        return noted.rowcount == 1

    def purge(self, connection: sqlite3.Connection, older_than: timedelta) -> int:
        """Delete notes.

        Args:
            connection: a connection to your database.
            older_than: how old a note must be.

        Returns:
            How many notes were deleted.
        """
        limit = time() - older_than.total_seconds()
        return connection.execute(_FORGET, (limit,)).rowcount


def _commits_by_itself(connection: sqlite3.Connection) -> bool:
    # The attribute exists from Python 3.12 on; its legacy value defers to isolation_level.
    autocommit = getattr(connection, "autocommit", -1)
    return bool(autocommit) if autocommit != -1 else connection.isolation_level is None
