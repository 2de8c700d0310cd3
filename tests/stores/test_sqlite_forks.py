"""The store in an SQLite file, made before a fork."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from dubhooks import SQLiteStore
from tests.support.stores.sqlite_cases import PATIENCE, claim, in_child, path, rows_in, store

pytestmark = pytest.mark.slow

__all__ = ["path", "store"]  # fixtures


def test_fork_while_threads_claim(store: SQLiteStore, path: Path) -> None:
    """Children of a process whose threads are claiming can claim, and nothing is lost."""
    stop = threading.Event()
    done: list[str] = []

    def work(number: int) -> None:
        count = 0
        while not stop.is_set():
            key, count = f"parent:{number}:{count}", count + 1
            assert claim(store, key).state == "acquired"
            assert store.complete(key, "one", retention=3600.0)
            done.append(key)

    def use(key: str) -> None:
        assert claim(store, key).state == "acquired"
        assert claim(store, key, "two").state == "busy"
        assert store.complete(key, "one", retention=3600.0)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(25):
            in_child(lambda key=f"child:{number}": use(key))  # type: ignore[misc]
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
    done += [f"child:{number}" for number in range(25)]
    assert [key for key in done if claim(store, key, "three").state != "done"] == []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_child_and_parent_go_on(store: SQLiteStore, path: Path) -> None:
    """The child's claims survive the parent closing the file, and the other way round."""
    claim(store, "before")
    to_child, to_parent = os.pipe(), os.pipe()

    def child() -> None:
        assert claim(store, "before", "two").state == "busy"
        os.write(to_parent[1], b"1")
        os.read(to_child[0], 1)
        assert claim(store, "from child").state == "acquired"
        assert claim(store, "from parent", "two").state == "busy"
        store.close()

    def parent() -> None:
        os.read(to_parent[0], 1)
        claim(store, "from parent")
        # Had the child no lock of its own, this would delete the log that it writes to.
        store.close()
        os.write(to_child[1], b"1")

    thread = threading.Thread(target=parent)
    thread.start()
    in_child(child)
    thread.join(PATIENCE)
    assert claim(store, "from child", "two").state == "busy"
    assert rows_in(path) == 3
    for end in (*to_child, *to_parent):
        os.close(end)


def test_fork_waits_for_the_transaction(store: SQLiteStore) -> None:
    """A fork never copies a transaction of another thread: it waits for its end."""
    is_open, order = threading.Event(), []

    def write() -> None:
        with store._connections.writing():
            is_open.set()
            time.sleep(0.2)
            order.append("written")

    thread = threading.Thread(target=write)
    thread.start()
    assert is_open.wait(PATIENCE)
    in_child(lambda: claim(store, "key"))
    order.append("forked")
    thread.join(PATIENCE)
    assert order == ["written", "forked"]
