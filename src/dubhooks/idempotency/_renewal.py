"""Renewing claims while their handler runs, so that a lease only measures crashes.

Claims are claimed again with their own token every third of a lease, for ten leases
at most: a handler that hangs must not hold its event forever.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any, Final
from weakref import WeakSet

from . import Claim, Store
from ._drivers import Caller, finish
from ._log import Log, log_store_error

MOST_LEASES: Final = 10


class _Renewal:
    """What is renewed, until when, and what is logged when that fails."""

    def __init__(
        self, claim: Callable[[str], Any], keys: tuple[str, ...], lease: float, log: Log
    ) -> None:
        self._claim, self._keys, self._log = claim, keys, log
        self._every = lease / 3
        # The last renewal holds for a lease more.
        self._ends_at = monotonic() + (MOST_LEASES - 1) * lease

    def _is_over(self) -> bool:
        """Tell, and log, whether the handler has run for too long."""
        if monotonic() <= self._ends_at:
            return False
        self._log.error(
            "the handler of %s has been running for %d leases: its claim is renewed no more, and "
            "another delivery of the event will run it again",
            self._keys[0],
            MOST_LEASES - 1,
        )
        return True

    def _is_lost(self, claim: Claim) -> bool:
        """Tell, and log, whether somebody else has the claim now."""
        if claim.state == "acquired":
            return False
        self._log.error(
            "the claim on %s was lost while its handler runs (it is %s now), so another worker "
            "may run the event too: is the store's data deleted, or was this process frozen?",
            self._keys[0],
            claim.state,
        )
        return True

    def _log_failure(self, error: BaseException) -> None:
        """Say that a renewal failed, and is tried again."""
        what = "a claim could not be renewed while its handler runs, which is tried again"
        log_store_error(self._log, what, error, level=logging.WARNING)


class ThreadRenewal(_Renewal):
    """Renews the claims of one handler in a sync store, by that store's thread."""

    def __init__(self, thread: RenewalThread, *terms: Any) -> None:
        super().__init__(*terms)
        self.due_at = monotonic() + self._every
        """When to renew, by the monotonic clock."""
        self._has_ended = False
        self._lock = Lock()
        self._thread = thread
        thread.add(self)

    def renew(self) -> None:
        """Renew every claim once."""
        with self._lock:
            if self._has_ended:
                return
            try:
                self._has_ended = self._is_over() or any(
                    self._is_lost(self._claim(key)) for key in self._keys
                )
            except BaseException as error:  # noqa: BLE001 - the thread must last; it tries again
                self._log_failure(error)
            self.due_at = monotonic() + self._every
        if self._has_ended:
            self._thread.discard(self)

    async def stop(self, caller: Caller) -> None:
        """Renew no more."""
        self._thread.discard(self)
        if self._lock.acquire(blocking=False):
            self._has_ended = True
            self._lock.release()
        else:  # a renewal is under way, and must not come after the release
            await caller.call(self._wait_for_renewal)

    def _wait_for_renewal(self) -> None:
        with self._lock:
            self._has_ended = True


class RenewalThread:
    """The thread that renews one receiver's claims in its store; it ends when there are none.

    Each has its own: a frozen store must not stop the renewals in others.
    """

    def __init__(self, store: Store) -> None:
        # Nobody else closes the connection that a store opens for a thread of ours.
        self._close: Callable[[], None] | None = getattr(store, "close_connection", None)
        self.start_anew()
        _THREADS.add(self)

    def start_anew(self) -> None:
        """Forget everything, as a forked child must."""
        self._lock = Lock()
        self._renewals: set[ThreadRenewal] = set()
        self._thread: Thread | None = None

    def add(self, renewal: ThreadRenewal) -> None:
        """Renew from now on.

        Raises:
            RuntimeError: there can be no more threads.
        """
        with self._lock:
            if self._thread is None:
                thread = Thread(target=self._run, name="dubhooks renewals", daemon=True)
                thread.start()
                self._thread = thread
            # Nobody is woken: with one lease, those that were there before are due before it.
            self._renewals.add(renewal)

    def discard(self, renewal: ThreadRenewal) -> None:
        """Renew no more."""
        with self._lock:
            self._renewals.discard(renewal)

    def _run(self) -> None:
        while True:
            due = self._wait_for_due()
            if due is None:
                return
            for renewal in due:
                renewal.renew()
            if self._close is not None:
                with suppress(Exception):  # a connection that is lost needs no closing
                    self._close()

    def _wait_for_due(self) -> list[ThreadRenewal] | None:
        while True:
            with self._lock:
                if not self._renewals:
                    self._thread = None
                    return None
                now = monotonic()
                due = [renewal for renewal in self._renewals if renewal.due_at <= now]
                if due:
                    return due
                pause = min(renewal.due_at for renewal in self._renewals) - now
            sleep(pause)


class LoopRenewal(_Renewal):
    """Renews the claims of one handler in an async store, by a timer of the event loop."""

    def __init__(self, *terms: Any) -> None:
        super().__init__(*terms)
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(self._every, self._begin)

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._renew())

    async def _renew(self) -> None:
        if self._is_over():
            return
        try:
            for key in self._keys:
                if self._is_lost(await self._claim(key)):
                    return
        except Exception as error:  # noqa: BLE001 - the next third of the lease tries again
            self._log_failure(error)
        self._timer = self._loop.call_later(self._every, self._begin)

    async def stop(self, caller: Caller) -> None:
        """Renew no more."""
        self._timer.cancel()
        if self._task is not None and not self._task.done():
            await finish(caller, asyncio.ensure_future(asyncio.wait([self._task])))
            self._timer.cancel()


_THREADS: WeakSet[RenewalThread] = WeakSet()


def _start_anew_in_child() -> None:  # pragma: no cover - in a forked child
    for thread in _THREADS:
        thread.start_anew()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_start_anew_in_child)
