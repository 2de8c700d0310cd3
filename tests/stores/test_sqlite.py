"""The store in an SQLite file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from dubhooks import SQLiteStore
from dubhooks.idempotency import Claim
from dubhooks.stores import _base
from dubhooks.testing import StoreContract
from tests.support.fake_clock import FakeClock
from tests.support.processes import importing, until
from tests.support.stores.sqlite_cases import (
    FINGERPRINT,
    PATIENCE,
    claim,
    in_thread,
    open_files,
    path,
    rows_in,
    store,
)

__all__ = ["path", "store"]  # fixtures


class TestContract(StoreContract):
    """An SQLite store keeps the contract."""

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "claims.db"

    def make_store(self) -> SQLiteStore:
        """Return another handle on the test's file."""
        return SQLiteStore(self.path)


def test_claims_outlive_the_store(path: Path) -> None:
    """Another store object on the same file knows what was claimed and done."""
    with closing(SQLiteStore(path)) as first:
        for key in ("done", "held"):
            claim(first, key)
        first.complete("done", "one", retention=3600.0)
    with closing(SQLiteStore(str(path).encode())) as second:  # type: ignore[arg-type]
        assert claim(second, "done", "two").state == "done"
        assert claim(second, "held", "two").state == "busy"
        assert claim(second, "held", "one") == Claim("acquired", 1, FINGERPRINT, 0.0)


def test_file_is_safe_against_power_cuts(store: SQLiteStore, path: Path) -> None:
    """The file is in WAL mode, and every commit waits for the disk."""
    claim(store, "key")
    with store._connections.writing() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_connections_of_ended_threads_are_closed(store: SQLiteStore, path: Path) -> None:
    """A server that starts a thread for every request does not run out of files."""
    everyone = threading.Barrier(8)

    def use(number: int) -> None:
        claim(store, f"{threading.get_ident()}-{number}")
        everyone.wait(PATIENCE)

    for number in range(5):
        threads = [threading.Thread(target=use, args=(number,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    # Of the database itself SQLite keeps descriptors for later, so its log is counted.
    log = path.with_name(f"{path.name}-wal")
    assert open_files(log) <= 8
    claim(store, "a new thread")
    assert open_files(log) == 1
    store.close()
    assert open_files(log) == open_files(path) == 0


UNCLOSED = """
import gc, sys, threading
from dubhooks import SQLiteStore

def use(store, name):
    for number in range(20):
        store.claim(f"{name}:{number}", "one", fingerprint="f", lease=60.0, retention=60.0)

def lose():
    store = SQLiteStore(sys.argv[1])
    store.itself = store  # freed by the garbage collector only
    threads = [threading.Thread(target=use, args=(store, name)) for name in "abc"]
    for thread in threads:
        thread.start()
    use(store, "main")
    for thread in threads:
        thread.join()

def use_for_ever():
    number = 0
    while True:
        use(kept, f"daemon-{number}")
        number += 1

for _ in range(3):
    lose()
    gc.collect()
kept = SQLiteStore(sys.argv[1])
use(kept, "kept")
threading.Thread(target=use, args=(kept, "thread")).start()
"""
DAEMON = "threading.Thread(target=use_for_ever, daemon=True).start(); use(kept, 'beside')"


@pytest.mark.parametrize("ending", ["", pytest.param(DAEMON, marks=pytest.mark.slow)])
def test_store_that_nobody_closed(ending: str, path: Path) -> None:
    """It closes its connections when it is lost, or when the process ends: Python warns of none."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", UNCLOSED + ending, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")


def test_change_of_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path means the same file after the process changes its directory."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with closing(SQLiteStore("claims.db")) as store:
        claim(store, "key")
        monkeypatch.chdir(tmp_path / "elsewhere")
        in_thread(lambda: claim(store, "other"))
    assert rows_in(tmp_path / "claims.db") == 2


def test_purge(store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A purge deletes the rows whose retention is over and no other; claims do so now and then."""
    monkeypatch.setattr(_base, "_PURGE_EVERY", 10**9)
    for number in range(50):
        claim(store, f"old:{number}", keep=0.001)
    for number in range(5):
        claim(store, f"new:{number}")
    assert rows_in(path) == 55
    time.sleep(0.01)
    assert store.purge() == 50
    assert store.purge() == 0
    assert rows_in(path) == 5
    claim(store, "old", keep=0.001)
    time.sleep(0.01)  # or the purge comes before its retention is over
    monkeypatch.setattr(_base, "_PURGE_EVERY", 8)
    for _ in range(9):
        claim(store, "new:0")
    assert rows_in(path) == 5
    assert claim(store, "new:0", "two").state == "busy"


JUMPS = """
import os, sys
from pathlib import Path
from dubhooks import SQLiteStore

store = SQLiteStore(sys.argv[1])
def claim(key, owner):
    return store.claim(key, owner, fingerprint="f", lease=60.0, retention=86_400.0)
claim("held", "one")
claim("done", "one")
assert store.complete("done", "one", retention=86_400.0)
for offset in ("-3600", "+3600"):
    Path(os.environ["FAKETIME_TIMESTAMP_FILE"]).write_text(offset)
    busy = claim("held", "two")
    assert busy.state == "busy", busy
    assert 50 < busy.retry_after <= 60, busy
    assert claim("done", "two").state == "done"
    assert not store.forget("held")
assert store.complete("held", "one", retention=86_400.0)
"""


@pytest.mark.slow
def test_wall_clock_jumps(path: Path) -> None:
    """Setting the wall clock by an hour neither ends a lease nor forgets what is done."""
    with closing(FakeClock()) as clock:
        environment = {**os.environ, **clock.environment, **importing()}
        command = [sys.executable, "-c", JUMPS, str(path)]
        subprocess.run(command, env=environment, check=True, timeout=60)


def test_lease_of_an_earlier_boot(store: SQLiteStore, path: Path) -> None:
    """After a restart of the machine, whose clock begins anew, a takeover waits for one lease."""
    claim(store, "held", lease=0.2)
    claim(store, "done")
    store.complete("done", "one", retention=3600.0)
    with closing(sqlite3.connect(path)) as connection, connection:
        later = "since = since + 1000000000, lease_until = lease_until + 1000000000"
        connection.execute(f"UPDATE dubhooks_sqlite_claims SET {later}")
    assert claim(store, "done", "two").state == "done"
    busy = claim(store, "held", "two")
    assert (busy.state, busy.retry_after <= 0.2) == ("busy", True)
    until(lambda: claim(store, "held", "two").state != "busy", "the lease is over")
    assert claim(store, "held", "two") == Claim("acquired", 2, FINGERPRINT, 0.0)
    assert not store.complete("held", "one", retention=3600.0)
