"""Claims in an SQLite file, and an inbox: for all threads and processes of one machine."""

from __future__ import annotations

import os
import weakref
from datetime import timedelta
from typing import Any, TypeVar

from ...errors import ConfigurationError, to_seconds
from .._base import SQLStore
from .._sql import ClaimStatements, Work
from ._connections import INSTANT, Connections
from ._inbox import SQLiteInbox

__all__ = ["SQLiteInbox", "SQLiteStore"]

ResultT = TypeVar("ResultT")

# Not the other stores' name: their table may be in the same file, and goes by another clock.
_TABLE = "dubhooks_sqlite_claims"
# Keys compare byte by byte: SQLite's default collation is BINARY.
_SCHEMA = (
    f"""
    CREATE TABLE IF NOT EXISTS {_TABLE} (
        claim_key TEXT NOT NULL PRIMARY KEY,
        token TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        done INTEGER NOT NULL,
        since INTEGER NOT NULL,
        lease_until INTEGER NOT NULL,
        keep_until INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    f"CREATE INDEX IF NOT EXISTS {_TABLE}_keep_until ON {_TABLE} (keep_until)",
)


class SQLiteStore(SQLStore):
    """Claims in an SQLite file, in WAL mode, flushed to the disk with every change.

    You may create it before a server forks: every thread of every process opens its
    own connection.  The file must be on a local disk.
    """

    _purges_itself = True

    def __init__(self, path: str | os.PathLike[str], *, timeout: float | timedelta = 10.0) -> None:
        """Choose the file; the first claim creates it.

        Args:
            path: the file, in a directory that exists.
            timeout: seconds to wait for another writer, as a number or a ``timedelta``.

        Raises:
            ConfigurationError: there can be no such file.
        """
        super().__init__()
        self._statements = ClaimStatements("sqlite", "qmark", _TABLE, INSTANT)
        # Absolute: a thread that starts after a change of directory must open the same file.
        self._path = _check_path(os.path.abspath(os.fsdecode(path) or os.curdir))
        seconds = to_seconds("SQLiteStore(timeout=...)", timeout)
        self._connections = Connections(self._path, _SCHEMA, seconds)
        # Python warns about connections that nobody closed.
        weakref.finalize(self, self._connections.close)

    def close(self) -> None:
        """Close the connections that this process opened."""
        self._connections.close()

    def _run(self, work: Work[ResultT], *, is_patient: bool = False) -> ResultT:  # noqa: ARG002
        with self._connections.writing() as connection:

            def execute(text: str, parameters: Any) -> tuple[Any, int]:
                cursor = connection.execute(text, parameters)
                return cursor.fetchall(), cursor.rowcount

            return work(execute, False)


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
    return path
