"""What the store contract runs on: sync calls of any store, races between threads, clocks."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from concurrent.futures import wait
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar

from ..idempotency import Claim, is_async_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import TypeAlias

    from ..idempotency import AsyncStore, Store

    AnyStore: TypeAlias = Store | AsyncStore
    ResultT = TypeVar("ResultT")

__all__ = ["FIRST", "MOMENT", "OTHER", "StoreCase", "expect", "pause"]

FIRST, OTHER = "a" * 64, "b" * 64
"""Two fingerprints."""

MOMENT = 0.15
"""Seconds: a lease or a retention that ends while a test waits."""

_PAUSE = 0.01
_TOO_LATE = "the store did not return in time"


def expect(condition: bool, message: str) -> None:
    """Fail with ``message`` unless ``condition`` holds; ``python -O`` does not remove it."""
    __tracebackhide__ = True
    if not condition:
        raise AssertionError(message)


def pause() -> None:
    """Let the other threads go on."""
    time.sleep(_PAUSE)


class _EventLoop:
    """An event loop in a thread of its own."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, awaitable: Awaitable[ResultT]) -> ResultT:
        """Return what ``awaitable`` comes to on the loop."""
        future = asyncio.run_coroutine_threadsafe(_wait_for(awaitable), self._loop)
        if not wait([future], self._patience).done:
            future.cancel()
            raise TimeoutError(_TOO_LATE)
        return future.result()

    def close(self) -> None:
        """End the loop and its thread."""
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _SyncView:
    """An async store as threads see it: its methods wait for those on the event loop."""

    def __init__(self, store: AsyncStore, loop: _EventLoop) -> None:
        self._store, self._loop = store, loop

    def claim(self, key: str, token: str, **terms: Any) -> Claim:
        return self._loop.run(self._store.claim(key, token, **terms))

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        return self._loop.run(self._store.complete(key, token, retention=retention))

    def release(self, key: str, token: str) -> bool:
        return self._loop.run(self._store.release(key, token))

    def forget(self, key: str) -> bool:
        return self._loop.run(self._store.forget(key))


class StoreCase:
    """Opens stores, calls them, and closes them."""

    patience = 30.0
    """Seconds to wait for what must happen: only a broken store ever waits that long."""

    _loop: _EventLoop | None = None

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
            self._finish(self.close_store(store))
        if self._loop is not None:
            self._loop.close()
            self._loop = None

    # -- one store ------------------------------------------------------------------------------

    @property
    def _handles(self) -> list[AnyStore]:
        # Not set in __init__: pytest does not collect a class that has one.
        handles: list[AnyStore] = self.__dict__.setdefault("_opened", [])
        return handles

    def _open(self) -> Any:
        store = self._finish(self.make_store())
        self._handles.append(store)
        return store

    def _store(self) -> Store:
        store: Any = self._open()
        return _SyncView(store, self._event_loop()) if is_async_store(store) else store

    def _finish(self, value: Any) -> Any:
        """Return ``value``, or what it comes to if it is awaitable."""
        return self._event_loop().run(value) if inspect.isawaitable(value) else value

    def _event_loop(self) -> _EventLoop:
        if self._loop is None:
            self._loop = _EventLoop(self.patience)
        return self._loop

    @staticmethod
    def _key(name: str = "evt") -> str:
        return f"contract:{name}_{token_hex(8)}"

    def _claim(
        self,
        store: Store,
        key: str,
        owner: str = "one",
        *,
        fingerprint: str = FIRST,
        lease: float = 600.0,
        retention: float = 3600.0,
    ) -> Claim:
        __tracebackhide__ = True
        terms = {"fingerprint": fingerprint, "lease": lease, "retention": retention}
        claim: Any = store.claim(key, owner, **terms)  # type: ignore[arg-type]
        return _check_claim(key, claim)

    def _complete(
        self, store: Store, key: str, owner: str = "one", *, retention: float = 3600.0
    ) -> bool:
        __tracebackhide__ = True
        return _check_bool("complete", store.complete(key, owner, retention=retention))

    def _release(self, store: Store, key: str, owner: str = "one") -> bool:
        __tracebackhide__ = True
        return _check_bool("release", store.release(key, owner))

    def _forget(self, store: Store, key: str) -> bool:
        __tracebackhide__ = True
        return _check_bool("forget", store.forget(key))

    def _expect_claim(
        self,
        store: Store,
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

    def _race(self, calls: Iterable[Callable[[], ResultT]]) -> list[ResultT]:
        """Make all calls at once, each in a thread of its own; return their results."""
        calls = list(calls)
        start = threading.Barrier(len(calls))
        results: list[Any] = [TimeoutError(_TOO_LATE)] * len(calls)

        def run(index: int, call: Callable[[], ResultT]) -> None:
            try:
                start.wait()
                results[index] = call()
            except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
                results[index] = error
            finally:
                self.leave_thread()

        threads = [
            threading.Thread(target=run, args=each, daemon=True) for each in enumerate(calls)
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
            pause()

    def _until_acquired(self, store: Store, key: str, token: str, **changes: Any) -> Claim:
        """Claim ``key`` again and again until it is acquired."""
        __tracebackhide__ = True

        def attempt() -> Claim | None:
            claim = self._claim(store, key, token, **changes)
            return claim if claim.state == "acquired" else None

        return self._until(attempt, f"acquiring {key!r} for {token!r}")

    def _let_pass(self, store: Store, seconds: float) -> None:
        """Return when ``seconds`` have passed by the store's own clock, and a little more."""
        __tracebackhide__ = True
        key = self._key("clock")
        self._claim(store, key, "one", lease=seconds + 0.05)
        self._until_acquired(store, key, "two")


def _check_claim(key: str, claim: Any) -> Claim:
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


def _check_bool(method: str, value: Any) -> bool:
    __tracebackhide__ = True
    expect(isinstance(value, bool), f"{method} returned {value!r}: True or False is wanted")
    return bool(value)


async def _wait_for(awaitable: Awaitable[ResultT]) -> ResultT:
    return await awaitable
