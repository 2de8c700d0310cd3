"""SQLite connections: one for each thread of each process, and fair waiting for the lock."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Connections"]

# SQLite's own waiting backs off to 100 ms and starves whoever has waited longest, so the
# waiting is done here, evenly.
_SHORTEST_WAIT, _LONGEST_WAIT = 0.000_5, 0.004

# Connections of a parent process.  Closing one here would disturb its locks, so a forked
# child only forgets them, and this list keeps the garbage collector from closing them.
_forgotten: list[object] = []


class _Process:
    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.local = threading.local()
        self.all: list[sqlite3.Connection] = []


class Connections:
    """Gives every thread of every process a connection of its own."""

    def __init__(self, path: str, schema: tuple[str, ...], timeout: float) -> None:
        self._path = path
        self._schema = schema
        self._timeout = timeout
        self._process = _Process()

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection, None, None]:
        """Open a write transaction; commit it at the end, roll it back on any error.

        Raises:
            sqlite3.Error: the file cannot be used, or stays locked beyond the timeout.
        """
        process = self._here()
        deadline = monotonic() + self._timeout
        # Threads queue here, so only processes compete for the file.
        if not process.lock.acquire(timeout=self._timeout):
            raise sqlite3.OperationalError("database is locked by a thread of this process")
        try:
            connection = self._connection(process, deadline)
            _patiently(connection, "BEGIN IMMEDIATE", deadline)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        finally:
            process.lock.release()

    def close(self) -> None:
        """Close the connections that this process opened."""
        process = self._here()
        with process.lock:
            for connection in process.all:
                connection.close()
            self._process = _Process()

    def _here(self) -> _Process:
        if self._process.pid != os.getpid():
            _forgotten.append(self._process)
            self._process = _Process()
        return self._process

    def _connection(self, process: _Process, deadline: float) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(process.local, "connection", None)
        if connection is None:
            connection = self._opened(deadline)
            process.local.connection = connection
            process.all.append(connection)
        return connection

    def _opened(self, deadline: float) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            _patiently(connection, "PRAGMA journal_mode=WAL", deadline)
            # FULL: a completed claim survives a power cut, or the event would run again.
            connection.execute("PRAGMA synchronous=FULL")
            for statement in self._schema:
                _patiently(connection, statement, deadline)
        except BaseException:
            connection.close()
            raise
        return connection


def _patiently(connection: sqlite3.Connection, statement: str, deadline: float) -> None:
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            # Python 3.10 has no error codes.
            if "locked" not in str(error) or monotonic() > deadline:
                raise
        sleep(random.uniform(_SHORTEST_WAIT, _LONGEST_WAIT))
