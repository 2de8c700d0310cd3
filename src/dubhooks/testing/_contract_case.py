"""What the store contract runs on: sync calls of any store, races between threads, clocks."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cached_property
from secrets import token_hex
from typing import Any, TypeVar, cast

from ..idempotency import AsyncStore, Claim, Store

AnyStore = Store | AsyncStore
ResultT = TypeVar("ResultT")

# pytest leaves the frames of this module out of what it shows.
__tracebackhide__ = True

FIRST, OTHER = "a" * 64, "b" * 64
"""Two fingerprints."""

MOMENT = 0.15
"""Seconds: a lease or a retention that ends while a test waits."""

RACERS = 16
"""How many threads a race may have."""


def expect(condition: bool, message: str) -> None:
    """Fail with ``message`` unless ``condition`` holds; ``python -O`` does not remove it."""
    if not condition:
        raise AssertionError(message)


def pause() -> None:
    """Let the other threads go on."""
    time.sleep(0.01)


def build_key(name: str = "evt") -> str:
    """Return a key that no other test has."""
    return f"contract:{name}_{token_hex(8)}"


class _Handles:
    """The handles that a test opened, and an event loop in a thread for those that are async."""

    def __init__(self, case: StoreCase) -> None:
        self.case = case
        self._stores: dict[int, AnyStore] = {}
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(RACERS))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def open(self) -> Any:
        """Make another handle."""
        store = self.finish(self.case.make_store())
        self._stores[id(store)] = store
        return store

    def finish(self, value: Any) -> Any:
        """Return ``value``, or what it comes to on the loop if it is a coroutine."""
        if not inspect.iscoroutine(value):
            return value
        future = asyncio.run_coroutine_threadsafe(value, self._loop)
        if not wait([future], self.case.patience).done:
            future.cancel()
            raise TimeoutError("the store did not return in time")
        return future.result()

    def race(self, calls: Sequence[Callable[[], ResultT]]) -> list[ResultT]:
        """Make all calls at once, each in a thread of its own; return their results."""
        start = threading.Barrier(len(calls))

        def run(call: Callable[[], ResultT]) -> ResultT:
            try:
                start.wait()
                return call()
            finally:
                self.case.leave_thread()

        async def run_all() -> list[ResultT]:
            return await asyncio.gather(*(asyncio.to_thread(run, call) for call in calls))

        return cast("list[ResultT]", self.finish(run_all()))

    def close(self) -> None:
        """Close every handle, and end the loop with whatever still runs there."""
        while self._stores:
            self.finish(self.case.close_store(self._stores.popitem()[1]))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Row:
    """One key of a store, as tests see it: its methods are sync, whatever the store's are."""

    def __init__(self, handles: _Handles, store: Any, key: str) -> None:
        self._handles, self._store, self.key = handles, store, key

    def beside(self, key: str = "") -> Row:
        """Return another key of the same handle."""
        return Row(self._handles, self._store, key or build_key())

    def elsewhere(self) -> Row:
        """Return the same key, through another handle."""
        return Row(self._handles, self._handles.open(), self.key)

    def claim(self, owner: str = "one", **changes: Any) -> Claim:
        """Claim it, and check what holds for every claim."""
        given = {"fingerprint": FIRST, "lease": 600.0, "retention": 3600.0, **changes}
        claim = self._handles.finish(self._store.claim(self.key, owner, **given))
        shown = f"claim of {self.key!r} returned {claim!r}"
        expect(isinstance(claim, Claim), f"{shown}: a dubhooks.idempotency.Claim is wanted")
        expect(claim.state in ("acquired", "done", "busy"), f"{shown}: no such state")
        is_typed = type(claim.attempt) is int and isinstance(claim.fingerprint, str)
        expect(is_typed, f"{shown}: an int and a str are wanted")
        is_told = claim.retry_after > 0 if claim.state == "busy" else claim.retry_after == 0
        expect(is_told, f"{shown}: retry_after must be positive when busy, and else 0")
        return Claim(*claim)

    def complete(self, owner: str = "one", *, retention: float = 3600.0) -> bool:
        """Complete it."""
        return self._ask("complete", owner, retention=retention)

    def release(self, owner: str = "one") -> bool:
        """Release it."""
        return self._ask("release", owner)

    def forget(self) -> bool:
        """Forget it."""
        return self._ask("forget")

    def _ask(self, method: str, *arguments: str, **options: float) -> bool:
        call = getattr(self._store, method)
        value = self._handles.finish(call(self.key, *arguments, **options))
        expect(isinstance(value, bool), f"{method} returned {value!r}: True or False is wanted")
        return bool(value)

    def expect(
        self, token: str, state: str, attempt: int, *, holder: str = FIRST, **changes: Any
    ) -> Claim:
        """Claim and compare; ``holder``: the fingerprint that the claim must tell."""
        claim, wanted = self.claim(token, **changes), (state, attempt, holder)
        message = f"claim of {self.key!r} by {token!r}: {wanted} wanted, got {claim}"
        expect(claim[:3] == wanted, message)
        return claim

    def take(self, token: str, **changes: Any) -> Claim:
        """Claim again and again until it is acquired; fail when that takes too long."""
        patience = self._handles.case.patience
        deadline = time.monotonic() + patience
        while (claim := self.claim(token, **changes)).state != "acquired":
            late = f"acquiring {self.key!r} for {token!r} did not happen in {patience} s"
            expect(time.monotonic() < deadline, late)
            pause()
        return claim

    def let_pass(self, seconds: float) -> None:
        """Return when ``seconds`` have passed by the store's own clock, and a little more."""
        clock = self.beside()
        clock.claim("one", lease=seconds + 0.05)
        clock.take("two")


class StoreCase:
    """Opens stores, calls them, and closes them."""

    patience: float = 30.0
    """Seconds to wait for what must happen: only a broken store ever waits that long."""

    def make_store(self) -> AnyStore | Awaitable[AnyStore]:
        """Return a store; called again in the same test, another handle on the same storage.

        Override it.  It may be ``async def``.  The storage may hold rows of other
        tests, because every test claims keys of its own.
        """
        raise NotImplementedError("override make_store() to return the store to test")

    def close_store(self, store: AnyStore) -> object:
        """Close a handle after the test; by default its ``aclose()`` or ``close()``, if any."""
        close = getattr(store, "aclose", None) or getattr(store, "close", None)
        return close() if close is not None else None

    def leave_thread(self) -> None:
        """Clean up after the calling thread: override it for a connection that threads keep."""

    def teardown_method(self) -> None:
        """Close every handle and the event loop; pytest calls it after each test."""
        self._handles.close()

    # Made when they are used: pytest does not collect a class that has an __init__.

    @cached_property
    def _handles(self) -> _Handles:
        return _Handles(self)

    @cached_property
    def _row(self) -> Row:
        return Row(self._handles, self._handles.open(), build_key())
