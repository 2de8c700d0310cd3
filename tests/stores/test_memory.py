"""The store in memory."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from dubhooks import MemoryStore
from dubhooks.idempotency import Claim
from dubhooks.stores import _done_keys, memory
from dubhooks.testing import StoreContract

if TYPE_CHECKING:
    from dubhooks.testing._contract_case import AnyStore

FINGERPRINT = sha256(b"body").hexdigest()


class TestContract(StoreContract):
    """A memory store keeps the contract."""

    def make_store(self) -> MemoryStore:
        """Return the one store of the test: it is its own storage."""
        store: MemoryStore = self.__dict__.setdefault("store", MemoryStore())
        return store


class AsyncMemoryStore:
    """A memory store as coroutines; between call and effect other tasks run."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.is_closed = False

    async def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``."""
        await asyncio.sleep(0)
        return self._store.claim(
            key, token, fingerprint=fingerprint, lease=lease, retention=retention
        )

    async def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Complete ``key``."""
        await asyncio.sleep(0)
        return self._store.complete(key, token, retention=retention)

    async def release(self, key: str, token: str) -> bool:
        """Release ``key``."""
        await asyncio.sleep(0)
        return self._store.release(key, token)

    async def forget(self, key: str) -> bool:
        """Forget ``key``."""
        await asyncio.sleep(0)
        return self._store.forget(key)

    async def aclose(self) -> None:
        """Note that the store was closed."""
        await asyncio.sleep(0)
        self.is_closed = True


class TestAsyncContract(StoreContract):
    """An async store, made by a coroutine, runs through the same contract."""

    async def make_store(self) -> AsyncMemoryStore:
        """Return another handle on the test's storage."""
        await asyncio.sleep(0)
        return AsyncMemoryStore(self.__dict__.setdefault("storage", MemoryStore()))

    def close_store(self, store: AnyStore) -> object:
        """Close the handle, as the contract does by itself."""
        closing = super().close_store(store)
        assert asyncio.iscoroutine(closing)
        return closing


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


def rows_in(store: MemoryStore) -> int:
    """Return how many keys take memory."""
    packed = sum(len(bucket) for bucket in store._done._buckets.values()) // 60
    return len(store._rows) + packed


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
    assert rows_in(store) == 30
    states = [claim(store, f"new:{number}").state for number in range(30)]
    assert states == ["done"] * 20 + ["acquired"] * 10


def test_claims_purge_held_rows(clock: Clock) -> None:
    """Claims that nobody settles do not pile up: later claims forget them."""
    store = MemoryStore()
    for number in range(20_000):
        claim(store, f"key:{number}")
        clock.now += 1.0
    assert rows_in(store) <= 2 * 4096
    assert claim(store, "key:19999").attempt == 1


def test_completions_purge_done_rows(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Done rows do not pile up either: at most as many as live are kept beyond their time."""
    monkeypatch.setattr(_done_keys, "_BUCKETS", 16)
    store = MemoryStore()
    for number in range(20_000):
        claim(store, f"key:{number}")
        store.complete(f"key:{number}", "one", retention=3600.0)
        clock.now += 3.6
    # A thousand live; a bucket may be twice as full before it is swept.
    assert 1000 <= rows_in(store) <= 3000
    assert all(claim(store, f"key:{number}").state == "done" for number in range(19_001, 20_000))
    clock.now += 3600.0
    store.purge()
    assert rows_in(store) == 0


@pytest.mark.parametrize(
    "fingerprint", ["", "body", FINGERPRINT.upper(), f" {FINGERPRINT[1:]}", "ab" * 31, "ab" * 33]
)
def test_any_fingerprint_is_kept(fingerprint: str, clock: Clock) -> None:
    """A fingerprint that is no SHA-256 in lower-case hex comes back as it was, too."""
    store = MemoryStore()
    claim(store, "key", fingerprint)
    assert store.complete("key", "one", retention=3600.0)
    assert claim(store, "key") == Claim("done", 1, fingerprint, 0.0)
    assert not store.complete("key", "one", retention=3600.0)
    clock.now += 3601.0
    assert claim(store, "key") == Claim("acquired", 1, FINGERPRINT, 0.0)


def test_equal_hashes_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys whose hashes are equal, or look like another record's bytes, stay different keys."""
    monkeypatch.setattr("dubhooks.stores._done_keys.hash", lambda _: 0, raising=False)
    store = MemoryStore()
    # Eight zero bytes stand in these fingerprints as well.
    zeros = "0" * 64
    for number in range(20):
        key = f"key:{number}"
        assert claim(store, key, zeros).state == "acquired"
        store.complete(key, "one", retention=3600.0)
        assert claim(store, key).state == "done"
    assert claim(store, "key:other").state == "acquired"
    assert [claim(store, f"key:{number}").fingerprint for number in range(20)] == [zeros] * 20


def test_done_key_that_is_over_makes_room(clock: Clock) -> None:
    """A done row that is too old goes when its key comes again, and its neighbours stay."""
    store = MemoryStore()
    keys = [f"key:{number}" for number in range(3)]
    for key, retention in zip(keys, (7200.0, 60.0, 7200.0), strict=True):
        claim(store, key)
        store.complete(key, "one", retention=retention)
    clock.now += 61.0
    assert [claim(store, key).state for key in keys] == ["done", "acquired", "done"]
    assert rows_in(store) == 3


@pytest.mark.parametrize("fingerprint", [FINGERPRINT, "body"])
def test_forgotten_keys_take_no_memory(fingerprint: str, clock: Clock) -> None:
    """Forgetting a done key frees what it took and no other, however it was kept."""
    store = MemoryStore()
    keys = [f"key:{number}" for number in range(3)]
    for key in keys:
        claim(store, key, fingerprint)
        store.complete(key, "one", retention=3600.0)
    assert store.forget(keys[1])
    assert rows_in(store) == 2
    clock.now += 3600.0
    assert not store.forget(keys[0])
    assert claim(store, keys[1]).attempt == 1


def test_equal_hashes_are_forgotten_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgetting a key leaves the done keys whose hashes are equal."""
    monkeypatch.setattr("dubhooks.stores._done_keys.hash", lambda _: 0, raising=False)
    store = MemoryStore()
    for number in range(6):
        claim(store, f"key:{number}")
        store.complete(f"key:{number}", "one", retention=3600.0)
    assert not store.forget("key:other")
    assert store.forget("key:3")
    states = [claim(store, f"key:{number}").state for number in range(6)]
    assert states == ["done"] * 3 + ["acquired"] + ["done"] * 2
