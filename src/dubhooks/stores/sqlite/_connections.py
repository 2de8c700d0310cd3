"""SQLite connections: one per thread and process, with fair waiting for the write lock."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic, sleep
from weakref import WeakSet

from .._advice import explain_sqlite_error

INSTANT = "dubhooks_instant()"
"""The machine's monotonic clock in SQL: milliseconds since the boot, which nobody can set."""

# SQLite's own waiting backs off to 100 ms, which starves whoever has waited longest.  Here
# pauses shrink instead, from the first to the last, so that one asks most often.
_FIRST_PAUSE, _LAST_PAUSE, _HALF_AFTER = 0.002, 0.000_2, 0.01


class Connections:
    """Opens one connection for each thread of each process."""

    def __init__(self, path: str, schema: tuple[str, ...], timeout: float) -> None:
        self._path = path
        self._schema = schema
        self._timeout = timeout
        # Threads queue here, so that only processes compete for the file.  Reentrant, because a
        # signal handler may interrupt the thread that holds it.
        self._lock = threading.RLock()
        self._of_threads: dict[int, sqlite3.Connection] = {}
        _every.add(self)

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection, None, None]:
        """Open a write transaction; commit it at the end, or roll it back on an error.

        Raises:
            ConfigurationError: the file can never be used.
            sqlite3.Error: it cannot be used now, or stays locked longer than the timeout.
        """
        lock = self._lock
        deadline = monotonic() + self._timeout
        if not lock.acquire(timeout=self._timeout):
            raise sqlite3.OperationalError("database is locked by a thread of this process")
        try:
            connection = self._connection(deadline)
            _execute_in_turn(connection, "BEGIN IMMEDIATE", deadline)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        finally:
            lock.release()

    def close(self) -> None:
        """Close the connections that this process opened; the next use opens new ones."""
        with self._lock:
            while self._of_threads:
                self._of_threads.popitem()[1].close()

    def _connection(self, deadline: float) -> sqlite3.Connection:
        connection = self._of_threads.get(threading.get_ident())
        if connection is None:
            connection = self._open(deadline)
            self._close_those_of_dead_threads()
            self._of_threads[threading.get_ident()] = connection
        return connection

    def _close_those_of_dead_threads(self) -> None:
        # A server may start a thread for every request.
        alive = {thread.ident for thread in threading.enumerate()}
        for ident in self._of_threads.keys() - alive:
            self._of_threads.pop(ident).close()

    def _open(self, deadline: float) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self._path, timeout=0, isolation_level=None, check_same_thread=False
            )
            try:
                connection.create_function(INSTANT[:-2], 0, _read_instant)
                _execute_in_turn(connection, "PRAGMA journal_mode=WAL", deadline)
                # FULL: a completed claim survives a power cut, or the event would run again.
                connection.execute("PRAGMA synchronous=FULL")
                for statement in self._schema:
                    _execute_in_turn(connection, statement, deadline)
            except BaseException:
                connection.close()
                raise
        except sqlite3.DatabaseError as error:
            raise explain_sqlite_error(error, self._path) or error from None
        return connection

    # -- fork -----------------------------------------------------------------------------------

    def pause(self) -> None:
        """Close everything and let nothing be opened, so that this process can fork."""
        # SQLite's notes in memory about its locks would be copied: the child would believe that
        # it holds the parent's locks, and that another thread's lock is never released.
        self._lock.acquire()
        self.close()

    def resume_in_parent(self) -> None:
        """End the pause in the parent."""
        self._lock.release()

    def resume_in_child(self) -> None:
        """End the pause in the child."""
        # The threads that waited for the old lock do not exist here.
        self._lock = threading.RLock()


def _read_instant() -> int:
    return int(monotonic() * 1000)


def _execute_in_turn(connection: sqlite3.Connection, statement: str, deadline: float) -> None:
    begin = monotonic()
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            waited = monotonic() - begin
            if "locked" not in str(error) or begin + waited > deadline:
                raise
        pause = max(_LAST_PAUSE, _FIRST_PAUSE / (1 + waited / _HALF_AFTER))
        sleep(random.uniform(pause / 2, pause))


_every: WeakSet[Connections] = WeakSet()
_forking = threading.local()


def _before_fork() -> None:
    # Always in the same order, or two threads that fork would wait for each other.
    _forking.paused = sorted(_every, key=id)
    for connections in _forking.paused:
        connections.pause()


def _after_fork() -> None:
    for connections in _forking.paused:
        connections.resume_in_parent()
    del _forking.paused


def _in_child() -> None:
    for connections in _forking.paused:
        connections.resume_in_child()
    del _forking.paused


if hasattr(os, "register_at_fork"):  # pragma: no branch - only Windows has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
