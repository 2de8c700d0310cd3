"""The store in memory."""

from __future__ import annotations

import asyncio
import tracemalloc
from hashlib import sha256

import pytest

from dubhooks import MemoryStore
from dubhooks.idempotency import Claim
from dubhooks.stores import memory
from dubhooks.testing import StoreContract
from tests.support.receiving import AsyncMemoryStore

FINGERPRINT = sha256(b"body").hexdigest()


class TestContract(StoreContract):
    """A memory store keeps the contract."""

    def make_store(self) -> MemoryStore:
        """Return the one store of the test: it is its own storage."""
        store: MemoryStore = self.__dict__.setdefault("store", MemoryStore())
        return store


class TestAsyncContract(StoreContract):
    """An async store, made by a coroutine, runs through the same contract."""

    async def make_store(self) -> AsyncMemoryStore:
        """Return the one store of the test: it is its own storage."""
        await asyncio.sleep(0)
        store: AsyncMemoryStore = self.__dict__.setdefault("store", AsyncMemoryStore())
        return store


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the moment."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the store."""
    clock = Clock()
    monkeypatch.setattr(memory, "monotonic", clock)
    return clock


def claim(store: MemoryStore, key: str, fingerprint: str = FINGERPRINT) -> Claim:
    """Claim for a minute, kept for an hour."""
    return store.claim(key, "one", fingerprint=fingerprint, lease=60.0, retention=3600.0)


def test_purge_deletes_what_is_over(clock: Clock) -> None:
    """A purge forgets held, free and done rows whose retention is over, and no other."""
    store = MemoryStore()
    for number in range(40):
        claim(store, f"old:{number}")
        if number % 4 == 0:
            store.release(f"old:{number}", "one")
        elif number % 4 < 3:
            store.complete(f"old:{number}", "one", retention=3600.0)
    clock.now += 3000.0
    for number in range(30):
        claim(store, f"new:{number}")
        if number < 20:
            store.complete(f"new:{number}", "one", retention=3600.0)
    assert store.purge() == 0
    clock.now += 601.0
    assert store.purge() == 40
    assert store.purge() == 0
    assert len(store._rows) == 30
    states = [claim(store, f"new:{number}").state for number in range(30)]
    assert states == ["done"] * 20 + ["acquired"] * 10


def test_claims_purge_done_rows(clock: Clock) -> None:
    """Done rows do not pile up either."""
    store = MemoryStore()
    for number in range(20_000):
        claim(store, f"key:{number}")
        store.complete(f"key:{number}", "one", retention=3600.0)
        clock.now += 3.6
    assert 1000 <= len(store._rows) <= 4096
    assert all(claim(store, f"key:{number}").state == "done" for number in range(19_001, 20_000))


def test_done_row_takes_no_more_than_it_must() -> None:
    """A million done keys with ids like Dub's fit in 400 MiB."""
    store, count = MemoryStore(), 20_000
    tracemalloc.start()
    try:
        for number in range(count):
            key = f"default:evt_{number:024d}"
            claim(store, key, sha256(key.encode()).hexdigest())
            store.complete(key, "one", retention=3600.0)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / count < 400 * 2**20 / 1_000_000
