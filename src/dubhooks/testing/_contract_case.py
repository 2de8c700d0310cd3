"""What the store contract runs on: one way to call sync and async stores, races, clocks."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar

from ..idempotency import Claim

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable
    from typing import TypeAlias

    from ..idempotency import AsyncStore, Store

    AnyStore: TypeAlias = Store | AsyncStore
    ResultT = TypeVar("ResultT")
    Worker: TypeAlias = Generator[Callable[[], Any] | None, Any, ResultT]

__all__ = ["FIRST", "MOMENT", "OTHER", "StoreCase", "claiming", "expect"]

FIRST, OTHER = "a" * 64, "b" * 64
"""Two fingerprints."""

MOMENT = 0.15
"""Seconds: a lease or a retention that ends while a test waits."""

_PAUSE = 0.01


def expect(condition: bool, message: str) -> None:
    """Fail with ``message`` unless ``condition`` holds; ``python -O`` does not remove it."""
    __tracebackhide__ = True
    if not condition:
        raise AssertionError(message)


class StoreCase:
    """Calls a store's methods the same way whether they are coroutines or not."""

    patience = 30.0
    """Seconds to wait for what must happen: only a broken store ever waits that long."""

    _loop: asyncio.AbstractEventLoop | None = None

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
        stores = {id(store): store for store in self._handles}
        self._handles.clear()
        for store in stores.values():
            self._done(self.close_store(store))
        if self._loop is not None:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
            self._loop = None

    # -- one store ------------------------------------------------------------------------------

    @property
    def _handles(self) -> list[AnyStore]:
        # Not set in __init__: pytest does not collect a class that has one.
        handles: list[AnyStore] = self.__dict__.setdefault("_opened", [])
        return handles

    def _store(self) -> AnyStore:
        store: AnyStore = self._done(self.make_store())
        self._handles.append(store)
        return store

    def _done(self, value: Any) -> Any:
        """Return ``value``, or what it comes to if it is awaitable."""
        if not inspect.isawaitable(value):
            return value
        return self._event_loop().run_until_complete(_awaited(value))

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop

    @staticmethod
    def _key(name: str = "evt") -> str:
        return f"contract:{name}_{token_hex(8)}"

    def _claim(self, store: AnyStore, key: str, owner: str = "one", **changes: Any) -> Claim:
        __tracebackhide__ = True
        return _checked(key, self._done(claiming(store, key, owner, **changes)()))

    def _complete(
        self, store: AnyStore, key: str, owner: str = "one", *, retention: float = 3600.0
    ) -> bool:
        __tracebackhide__ = True
        return _boolean("complete", self._done(store.complete(key, owner, retention=retention)))

    def _release(self, store: AnyStore, key: str, owner: str = "one") -> bool:
        __tracebackhide__ = True
        return _boolean("release", self._done(store.release(key, owner)))

    def _forget(self, store: AnyStore, key: str) -> bool:
        __tracebackhide__ = True
        return _boolean("forget", self._done(store.forget(key)))

    def _expect_claim(
        self,
        store: AnyStore,
        key: str,
        token: str,
        state: str,
        attempt: int,
        *,
        holder: str = FIRST,
        **changes: Any,
    ) -> Claim:
        """Claim and compare; ``holder``: the fingerprint that the claim must tell."""
        __tracebackhide__ = True
        claim = self._claim(store, key, token, **changes)
        wanted = (state, attempt, holder)
        expect(claim[:3] == wanted, f"claim of {key!r} by {token!r}: {wanted} wanted, got {claim}")
        return claim

    # -- many callers ---------------------------------------------------------------------------

    def _race(self, store: AnyStore, workers: Iterable[Worker[ResultT]]) -> list[ResultT]:
        """Run workers at once: in threads, or as tasks for a store of coroutines.

        A worker yields calls and is sent what they return; ``None`` is a pause.
        """
        if inspect.iscoroutinefunction(store.claim):
            return self._event_loop().run_until_complete(_tasks(workers, self.patience))
        return self._threads(workers)

    def _threads(self, workers: Iterable[Worker[ResultT]]) -> list[ResultT]:
        workers = list(workers)
        start = threading.Barrier(len(workers))
        results: list[Any] = [TimeoutError("the store did not return in time")] * len(workers)

        def run(index: int, worker: Worker[ResultT]) -> None:
            try:
                start.wait()
                results[index] = _run(worker)
            except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
                results[index] = error
            finally:
                self.leave_thread()

        threads = [
            threading.Thread(target=run, args=each, daemon=True) for each in enumerate(workers)
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + self.patience
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return results

    # -- time -----------------------------------------------------------------------------------

    def _until(self, attempt: Callable[[], ResultT | None], what: str) -> ResultT:
        """Call ``attempt`` until it returns something; fail when that takes too long."""
        __tracebackhide__ = True
        deadline = time.monotonic() + self.patience
        while True:
            result = attempt()
            if result is not None:
                return result
            expect(time.monotonic() < deadline, f"{what} did not happen in {self.patience} s")
            time.sleep(_PAUSE)

    def _until_acquired(self, store: AnyStore, key: str, token: str, **changes: Any) -> Claim:
        """Claim ``key`` again and again until it is acquired."""
        __tracebackhide__ = True

        def attempt() -> Claim | None:
            claim = self._claim(store, key, token, **changes)
            return claim if claim.state == "acquired" else None

        return self._until(attempt, f"acquiring {key!r} for {token!r}")

    def _let_pass(self, store: AnyStore, seconds: float) -> None:
        """Return when ``seconds`` have passed by the store's own clock, and a little more."""
        __tracebackhide__ = True
        key = self._key("clock")
        self._claim(store, key, "one", lease=seconds + 0.05)
        self._until_acquired(store, key, "two")


def claiming(
    store: AnyStore,
    key: str,
    token: str,
    *,
    fingerprint: str = FIRST,
    lease: float = 600.0,
    retention: float = 3600.0,
) -> Callable[[], Any]:
    """Return the call that claims ``key``."""
    return lambda: store.claim(
        key, token, fingerprint=fingerprint, lease=lease, retention=retention
    )


def _checked(key: str, claim: Any) -> Claim:
    """Check what holds for every claim."""
    __tracebackhide__ = True
    shown = f"claim of {key!r} returned {claim!r}"
    expect(isinstance(claim, Claim), f"{shown}: a dubhooks.idempotency.Claim is wanted")
    expect(claim.state in ("acquired", "done", "busy"), f"{shown}: no such state")
    expect(type(claim.attempt) is int and claim.attempt >= 1, f"{shown}: attempt must be an int")
    expect(isinstance(claim.fingerprint, str), f"{shown}: fingerprint must be a str")
    if claim.state == "busy":
        expect(claim.retry_after > 0, f"{shown}: retry_after of a busy key must be positive")
    else:
        expect(claim.retry_after == 0, f"{shown}: retry_after must be 0 unless busy")
    return Claim(*claim)


def _boolean(method: str, value: Any) -> bool:
    __tracebackhide__ = True
    expect(isinstance(value, bool), f"{method} returned {value!r}: True or False is wanted")
    return bool(value)


def _run(worker: Worker[ResultT]) -> ResultT:
    call = next(worker)
    while True:
        try:
            call = worker.send((call or _pause)())
        except StopIteration as stop:
            result: ResultT = stop.value
            return result


async def _run_async(worker: Worker[ResultT]) -> ResultT:
    call = next(worker)
    while True:
        try:
            call = worker.send(await (call or _pause_async)())
        except StopIteration as stop:
            result: ResultT = stop.value
            return result


def _pause() -> None:
    time.sleep(_PAUSE)


async def _pause_async() -> None:
    await asyncio.sleep(_PAUSE)


async def _tasks(workers: Iterable[Worker[ResultT]], seconds: float) -> list[ResultT]:
    return list(await asyncio.wait_for(asyncio.gather(*map(_run_async, workers)), seconds))


async def _awaited(value: Awaitable[ResultT]) -> ResultT:
    return await value
