"""What the tests of the store in an SQLite file share."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from coverage import Coverage

from dubhooks import SQLiteStore
from dubhooks.idempotency import Claim

FINGERPRINT = "f" * 64
PATIENCE = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A place for the file."""
    return tmp_path / "claims.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    """A store on that file."""
    with closing(SQLiteStore(path)) as store:
        yield store


def claim(
    store: SQLiteStore, key: str, owner: str = "one", lease: float = 600.0, keep: float = 3600.0
) -> Claim:
    """Claim ``key``."""
    return store.claim(key, owner, fingerprint=FINGERPRINT, lease=lease, retention=keep)


def rows_in(path: Path) -> int:
    """Return how many rows the file has."""
    with closing(sqlite3.connect(path)) as connection:
        count: int = connection.execute("SELECT count(*) FROM dubhooks_sqlite_claims").fetchone()[0]
        return count


def open_files(path: Path) -> int:
    """Return how often this process has the file open."""
    links = Path("/proc/self/fd").iterdir()
    return sum(os.path.realpath(link) == str(path) for link in links)


def in_thread(call: Callable[[], object]) -> None:
    """Call in a thread of its own, to its end."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(call).result(PATIENCE)


def in_child(call: Callable[[], object]) -> None:
    """Call in a forked process; fail unless it comes to its end."""
    child = os.fork()
    if child == 0:
        # A deadlock must not hang the test.
        signal.alarm(int(PATIENCE))
        code = 1
        try:
            call()
            code = 0
        finally:
            try:
                measuring = Coverage.current()
                if measuring is not None:
                    measuring.save()
            finally:
                os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@contextmanager
def locked(path: Path) -> Generator[None, None, None]:
    """Hold the file's write lock, as another process does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
