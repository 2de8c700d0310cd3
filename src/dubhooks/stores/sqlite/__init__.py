"""Claims in an SQLite file, and an inbox: for all threads and processes of one machine."""

from __future__ import annotations

import os
import weakref
from random import randrange
from time import time
from typing import TYPE_CHECKING

from ...errors import ConfigurationError, to_seconds
from ...idempotency import Claim
from ._clock import boot_clock
from ._connections import Connections
from ._inbox import SQLiteInbox

if TYPE_CHECKING:
    import sqlite3
    from datetime import timedelta

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

    def __init__(self, path: str | os.PathLike[str], *, timeout: float | timedelta = 10.0) -> None:
        """Choose the file; the first claim creates it.

        Args:
            path: the file, in a directory that exists.
            timeout: seconds to wait for another writer, as a number or a ``timedelta``.

        Raises:
            ConfigurationError: there can be no such file.
        """
        # Absolute: a thread that starts after a change of directory must open the same file.
        self._path = _check_path(os.path.abspath(os.fsdecode(path) or os.curdir))
        seconds = to_seconds("SQLiteStore(timeout=...)", timeout)
        self._connections = Connections(self._path, _SCHEMA, seconds)
        # Python warns about connections that nobody closed.
        weakref.finalize(self, self._connections.close)
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


def _check_path(path: str) -> str:
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
