"""The store in an SQLite file that cannot work, or fails while it does."""

from __future__ import annotations

import itertools
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dubhooks import SQLiteStore, Webhooks
from dubhooks.errors import ConfigurationError
from dubhooks.idempotency import Claim
from dubhooks.stores import sqlite
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.stores.sqlite_cases import (
    FINGERPRINT,
    PATIENCE,
    claim,
    in_thread,
    locked,
    open_files,
    path,
    rows_in,
    store,
)

__all__ = ["path", "store"]  # fixtures

SECRET = "whsec_" + "0" * 32


def test_memory_is_no_file() -> None:
    """An in-memory database is refused, and the message names the store for it."""
    with pytest.raises(ConfigurationError, match=r"use MemoryStore\(\)"):
        SQLiteStore(":memory:")


@pytest.mark.parametrize("name", ["", ".", "missing/claims.db", "file/claims.db"])
def test_path_that_cannot_be_a_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory, or a file in no directory, is refused at once."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(ConfigurationError, match="a file in a directory that exists"):
        SQLiteStore(name)


@contextmanager
def as_anyone() -> Generator[None, None, None]:
    """Be a user to whom things can be forbidden."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.parametrize(("mode", "advice"), [(0o777, "written"), (0o555, "opened")])
def test_path_that_cannot_be_written(mode: int, advice: str) -> None:
    """A file or directory that this user may not write is named by the first claim."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "claims.db"
        if mode == 0o777:
            path.touch()
            path.chmod(0o444)
        Path(name).chmod(mode)
        with (
            as_anyone(),
            closing(SQLiteStore(path)) as store,
            pytest.raises(ConfigurationError, match=f"cannot be {advice}: let this process"),
        ):
            claim(store, "key")
        Path(name).chmod(0o777)


def test_file_that_is_no_database(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A claim in another kind of file says so; a delivery is answered 503 and not handled."""
    path.write_bytes(b"%PDF-1.7 " * 1000)
    with closing(SQLiteStore(path)) as store:
        with pytest.raises(ConfigurationError, match="is not an SQLite database"):
            claim(store, "key")
        hooks = Webhooks(SECRET, store=store)
        hooks.on(SaleCreated)(lambda _: pytest.fail("handled without a claim"))
        reply = hooks.handle(*signed_request(make_event(SaleCreated), SECRET))
    assert (reply.outcome, reply.status, reply.headers["Retry-After"]) == ("unavailable", 503, "30")
    assert "is not an SQLite database" in caplog.text
    assert path.read_bytes() == b"%PDF-1.7 " * 1000


def test_other_error_while_opening(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other errors while opening come through as they are."""
    monkeypatch.setattr(sqlite, "_SCHEMA", ("CREATE TABLE",))
    with closing(SQLiteStore(path)) as store, pytest.raises(sqlite3.OperationalError):
        claim(store, "key")
    assert open_files(path) == 0


def test_disk_full(store: SQLiteStore) -> None:
    """When the disk is full a claim raises and claims nothing, and later it works again."""

    def limit(pages: int) -> None:
        with store._connections.writing() as connection:
            connection.execute(f"PRAGMA max_page_count={pages}")

    claim(store, "held")
    limit(10)
    number = itertools.count()
    with pytest.raises(sqlite3.OperationalError, match="full"):
        any(claim(store, f"key:{next(number)}").state == "busy" for _ in range(1000))
    limit(100_000)
    assert claim(store, f"key:{next(number) - 1}", "two") == Claim("acquired", 1, FINGERPRINT, 0.0)
    assert claim(store, "held", "two").state == "busy"


_FULL = """
import resource, signal, sqlite3, sys
from dubhooks import SQLiteStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SQLiteStore(sys.argv[1])
def claim(key):
    return store.claim(key, "one", fingerprint="f" * 64, lease=600.0, retention=3600.0)
claim("held")
size = 150_000
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
number = 0
try:
    while True:
        claim(f"key:{number}")
        number += 1
except sqlite3.OperationalError:
    pass
failed = 0
for call in (lambda: claim("more"), lambda: store.complete("held", "one", retention=60.0),
             lambda: store.release("held", "one")):
    try:
        call()
    except sqlite3.OperationalError:
        failed += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert claim(f"key:{number}").state == "acquired"
print(number, failed)
store.close()
"""


def test_writes_that_fail(path: Path) -> None:
    """When the system refuses to write, every change raises, and what was done before stays."""
    command = [sys.executable, "-c", _FULL, str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ran.returncode == 0, ran.stderr
    number, failed = map(int, ran.stdout.split())
    assert failed == 3
    with closing(SQLiteStore(path)) as store:
        assert rows_in(path) == 2 + number
        assert claim(store, "held", "two").state == "busy"
        assert claim(store, "more", "two") == Claim("acquired", 1, FINGERPRINT, 0.0)


def test_file_locked_by_another_process(path: Path) -> None:
    """A claim waits for another writer, but not beyond the timeout."""
    with closing(SQLiteStore(path, timeout=0.3)) as store:
        claim(store, "key")
        with locked(path):
            begin = time.monotonic()
            for call in (
                lambda: claim(store, "other"),
                lambda: store.release("key", "one"),
                lambda: store.forget("key"),
            ):
                with pytest.raises(sqlite3.OperationalError, match="locked"):
                    call()
            assert 0.9 <= time.monotonic() - begin < 10
        assert rows_in(path) == 1
        assert store.release("key", "one")


def test_locked_by_a_thread(path: Path) -> None:
    """A thread waits for another thread of its process no longer than the timeout."""
    refused = pytest.raises(sqlite3.OperationalError, match="by a thread of this process")
    with closing(SQLiteStore(path, timeout=0.2)) as store:
        with store._connections.writing(), refused:
            in_thread(lambda: claim(store, "key"))
        assert claim(store, "key").state == "acquired"


def test_interrupt_rolls_back(store: SQLiteStore) -> None:
    """A claim that is interrupted halfway leaves nothing, and the store works on."""
    durations = {"lease": 60.0, "retention": 60.0}
    halfway = store._statements.claim("key", "one", fingerprint=FINGERPRINT, **durations)

    def interrupt(execute: Any, is_retry: bool) -> None:
        halfway(execute, is_retry)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store._run(interrupt)
    assert claim(store, "key", "two") == Claim("acquired", 1, FINGERPRINT, 0.0)
