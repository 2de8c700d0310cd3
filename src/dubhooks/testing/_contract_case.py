"""What the store contract runs on: sync calls of any store, races between threads, clocks."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from functools import cached_property
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar

from ..idempotency import Claim

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import TypeAlias

    from ..idempotency import AsyncStore, Store

    AnyStore: TypeAlias = Store | AsyncStore
    ResultT = TypeVar("ResultT")

__all__ = ["FIRST", "MOMENT", "OTHER", "Row", "StoreCase", "build_key", "expect", "pause"]

FIRST, OTHER = "a" * 64, "b" * 64
"""Two fingerprints."""

MOMENT = 0.15
"""Seconds: a lease or a retention that ends while a test waits."""


def expect(condition: bool, message: str) -> None:
    """Fail with ``message`` unless ``condition`` holds; ``python -O`` does not remove it."""
    __tracebackhide__ = True
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
        started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=asyncio.run, args=(_live(started),), daemon=True)
        self._thread.start()
        self._loop, self._is_over = started.result()

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
        return _result_of([future], self.case.patience)[0]

    def close(self) -> None:
        """Close every handle, and end the loop with whatever still runs there."""
        while self._stores:
            self.finish(self.case.close_store(self._stores.popitem()[1]))
        self._loop.call_soon_threadsafe(self._is_over.set)
        self._thread.join()


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
        __tracebackhide__ = True
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
        __tracebackhide__ = True
        return self._check("complete", self._store.complete(self.key, owner, retention=retention))

    def release(self, owner: str = "one") -> bool:
        """Release it."""
        __tracebackhide__ = True
        return self._check("release", self._store.release(self.key, owner))

    def forget(self) -> bool:
        """Forget it."""
        __tracebackhide__ = True
        return self._check("forget", self._store.forget(self.key))

    def expect(
        self, token: str, state: str, attempt: int, *, holder: str = FIRST, **changes: Any
    ) -> Claim:
        """Claim and compare; ``holder``: the fingerprint that the claim must tell."""
        __tracebackhide__ = True
        claim, wanted = self.claim(token, **changes), (state, attempt, holder)
        message = f"claim of {self.key!r} by {token!r}: {wanted} wanted, got {claim}"
        expect(claim[:3] == wanted, message)
        return claim

    def take(self, token: str, **changes: Any) -> Claim:
        """Claim again and again until it is acquired; fail when that takes too long."""
        __tracebackhide__ = True
        patience = self._handles.case.patience
        deadline = time.monotonic() + patience
        while True:
            claim = self.claim(token, **changes)
            if claim.state == "acquired":
                return claim
            late = f"acquiring {self.key!r} for {token!r} did not happen in {patience} s"
            expect(time.monotonic() < deadline, late)
            pause()

    def let_pass(self, seconds: float) -> None:
        """Return when ``seconds`` have passed by the store's own clock, and a little more."""
        __tracebackhide__ = True
        clock = self.beside()
        clock.claim("one", lease=seconds + 0.05)
        clock.take("two")

    def _check(self, method: str, value: Any) -> bool:
        __tracebackhide__ = True
        value = self._handles.finish(value)
        expect(isinstance(value, bool), f"{method} returned {value!r}: True or False is wanted")
        return bool(value)


class StoreCase:
    """Opens stores, calls them, and closes them."""

    patience = 30.0
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
        if "_handles" in vars(self):
            self._handles.close()

    # Made when they are used: pytest does not collect a class that has an __init__.

    @cached_property
    def _handles(self) -> _Handles:
        return _Handles(self)

    @cached_property
    def _row(self) -> Row:
        return Row(self._handles, self._handles.open(), build_key())

    def _race(self, calls: Iterable[Callable[[], ResultT]]) -> list[ResultT]:
        """Make all calls at once, each in a thread of its own; return their results."""
        races: list[tuple[Callable[[], ResultT], Future[ResultT]]] = [(c, Future()) for c in calls]
        start = threading.Barrier(len(races))

        def run(call: Callable[[], ResultT]) -> ResultT:
            try:
                start.wait()
                return call()
            finally:
                self.leave_thread()

        def fulfil(call: Callable[[], ResultT], future: Future[ResultT]) -> None:
            try:
                future.set_result(run(call))
            except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
                future.set_exception(error)

        for each in races:
            threading.Thread(target=fulfil, args=each, daemon=True).start()
        return _result_of([future for _, future in races], self.patience)


def _result_of(futures: list[Future[ResultT]], patience: float) -> list[ResultT]:
    done, late = wait(futures, patience, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()
    if late:
        raise TimeoutError("the store did not return in time")
    return [future.result() for future in futures]


async def _live(started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    is_over = asyncio.Event()
    started.set_result((asyncio.get_running_loop(), is_over))
    await is_over.wait()
