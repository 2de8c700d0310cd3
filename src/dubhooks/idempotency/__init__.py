"""Run-once: claim, handle, complete or release.

Deliveries come at least once.  A claim lets one live runner at a time handle an
event, and a completed claim turns every later delivery of it into a duplicate.
A crash between the handler's effect and the completion can repeat the effect;
only an effect in the same database transaction as the claim cannot (see the
inboxes).

The lifecycle is a generator that yields the steps to take, so that it is
written once; the drivers take the steps, in a thread or on an event loop.
"""

from __future__ import annotations

import inspect
import logging
from asyncio import CancelledError
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from ..errors import DubhooksError, Reject, RetryLater
from ._drivers import Step
from ._keys import rejection_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..reply import Outcome
    from ._drivers import Answer, Mode, Steps

__all__ = [
    "AsyncStore",
    "Claim",
    "Ending",
    "Job",
    "Store",
    "is_async_store",
    "judged",
    "lifecycle",
]

logger = logging.getLogger("dubhooks")


class Claim(NamedTuple):
    """A store's decision about one delivery."""

    state: Literal["acquired", "done", "busy"]
    """Run it, it was done before, or another worker holds it."""
    attempt: int
    """Grows with every takeover: a fencing number."""
    fingerprint: str
    """SHA-256, in hex, of the body that holds or completed this key; your own when acquired."""
    retry_after: float
    """Seconds until the lease may be taken over; 0 unless busy."""


class Store(Protocol):
    """Where claims live.  Every method is one atomic decision by the store's clock.

    ``lease`` and ``retention`` are durations in seconds; points in time never
    cross this interface.  A row older than its retention counts as absent.
    ``dubhooks.testing.StoreContract`` tests an implementation.
    """

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key`` for the owner of ``token``.

        Absent, expired or released: acquired.  Held by ``token`` itself:
        acquired again, with a new lease.  Lease over: acquired, with the next
        attempt.  Held by another token: busy.  Completed: done.

        Whoever acquires the key brings its own ``fingerprint``; busy and done
        tell that of the body that holds or completed it.
        """
        ...

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done for ``retention`` seconds; false when ``token`` does not hold it."""
        ...

    def release(self, key: str, token: str) -> bool:
        """Free ``key`` for the next delivery; false when ``token`` does not hold it."""
        ...

    def forget(self, key: str) -> bool:
        """Delete the row of ``key``, but not while a lease runs; true when a row was deleted.

        The next claim finds the key absent.  False for a row older than its
        retention, which counts as absent.  A store that asks its server again
        because a reply was lost may say false although the row is gone.
        """
        ...


class AsyncStore(Protocol):
    """A :class:`Store` whose methods are coroutines."""

    async def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """See :meth:`Store.claim`."""
        ...

    async def complete(self, key: str, token: str, *, retention: float) -> bool:
        """See :meth:`Store.complete`."""
        ...

    async def release(self, key: str, token: str) -> bool:
        """See :meth:`Store.release`."""
        ...

    async def forget(self, key: str) -> bool:
        """See :meth:`Store.forget`."""
        ...


class Job(NamedTuple):
    """What to run for a delivery, and under which keys."""

    call: Callable[[], Any]
    """The handler with its arguments."""
    is_async: bool
    """``call`` returns an awaitable that belongs on the caller's event loop."""
    keys: tuple[str, ...]
    """The event's key first, then the natural key, if that counts too; none without a store."""
    fingerprint: str
    """SHA-256 of the body in hex."""
    status_of: Callable[[Any], int]
    """The HTTP status in the handler's result."""
    outcome: Outcome = "handled"
    """What it comes to when the handler returns."""
    is_payout: bool = False
    """An answer below 400 marks a payout as paid."""


class Ending(NamedTuple):
    """How a lifecycle ended."""

    outcome: Outcome
    attempt: int | None = None
    result: Any = None
    """What the handler returned."""
    status: int | None = None
    """HTTP status in the handler's result."""
    retry_after: float | None = None
    """Seconds."""
    error: BaseException | None = None
    """What the handler raised."""


def is_async_store(store: Store | AsyncStore) -> bool:
    """Tell whether ``store`` has coroutines for methods."""
    return inspect.iscoroutinefunction(store.claim)


def lifecycle(
    store: Store | AsyncStore, job: Job, *, lease: float, retention: float
) -> Steps[Ending]:
    """Claim, run and complete or release a job."""
    run = Step(job.call, "await" if job.is_async else "thread", can_cancel=job.is_async)
    holder = _Holder(store, job, lease, retention)
    ending = yield from holder.claim_all()
    if ending is None:
        ran = yield run
        ending, is_done = judged(job, ran, holder.attempt)
        if job.is_payout and ending.outcome == "rejected":
            is_done = yield from holder.mark_rejected()
        yield from holder.complete_all() if is_done else holder.release_all()
    return ending._replace(error=holder.interrupt) if holder.interrupt else ending


class _Holder:
    """One runner's claims on the keys of one job."""

    def __init__(self, store: Store | AsyncStore, job: Job, lease: float, retention: float) -> None:
        self._store = store
        self._mode: Mode = _mode_of(store)
        self._job = job
        self._lease = lease
        self._retention = retention
        self._token = token_hex(16)
        self._held: list[str] = []
        self.attempt = 1
        self.interrupt: BaseException | None = None
        """What told the process to stop while a claim was completed or released."""

    def claim_all(self) -> Steps[Ending | None]:
        """Claim every key, or say why the job must not run and hold nothing."""
        for key in self._job.keys:
            claimed = yield self._claim(key)
            if claimed.error is None and not claimed.cancelled:
                refused = self._refused(key, claimed.value)
                if refused is None:
                    continue
                if refused.outcome == "duplicate" and self._job.is_payout:
                    refused = yield from self._told_again(key)
            else:
                refused = self._not_claimed(key, claimed)
            # An event whose natural key is done is done as well.
            is_done = refused.outcome == "duplicate"
            if refused.outcome == "rejected":
                is_done = yield from self.mark_rejected()
            yield from self.complete_all() if is_done else self.release_all()
            return refused
        return None

    def _told_again(self, key: str) -> Steps[Ending]:
        """Return the answer to a payout that is done: paid, or rejected as it was the first time.

        When the first answer was lost on its way, the next one decides.
        """
        mark = rejection_key(key)
        answer = yield self._claim(mark)
        if answer.error is not None or answer.cancelled:
            return self._not_claimed(mark, answer)
        if answer.value.state == "acquired":
            # Nobody rejected it; the mark is free again when this is over.
            yield from self._settle("release", mark)
            return Ending("duplicate", self.attempt)
        if answer.value.state == "done":
            return Ending("rejected", self.attempt)
        return Ending("busy", self.attempt, retry_after=max(1.0, answer.value.retry_after))

    def mark_rejected(self) -> Steps[bool]:
        """Note that a payout was rejected, under every key it may come again with."""
        for key in self._held:
            mark = rejection_key(key)
            answer = yield self._claim(mark)
            if answer.error is None:
                answer = yield from self._settle("complete", mark, retention=self._retention)
            if answer.error is not None:
                logger.error(
                    "a payout was rejected and that could not be noted, so its handler runs again "
                    "if it comes again: %s",
                    _described(answer.error),
                )
                return False
        return True

    def _claim(self, key: str) -> Step:
        return self._step(
            "claim",
            key,
            fingerprint=self._job.fingerprint,
            lease=self._lease,
            retention=self._retention,
        )

    def _not_claimed(self, key: str, answer: Answer) -> Ending:
        if isinstance(answer.error, Exception):
            logger.error(
                "the store did not answer a claim, so the handler does not run: %s",
                _described(answer.error),
            )
            return Ending("unavailable", self.attempt)
        # Stopped while the store was deciding: whatever it decided is taken back.
        self._held.append(key)
        return Ending("failed", self.attempt, error=answer.error)

    def _refused(self, key: str, claim: Claim) -> Ending | None:
        if claim.state == "acquired":
            self._held.append(key)
        if key == self._job.keys[0]:
            self.attempt = claim.attempt
            # A natural key may come in another body, under another event id.
            if claim.fingerprint != self._job.fingerprint:
                return Ending("conflict", self.attempt)
        if claim.state == "done":
            return Ending("duplicate", self.attempt)
        if claim.state == "busy":
            return Ending("busy", self.attempt, retry_after=max(1.0, claim.retry_after))
        return None

    def complete_all(self) -> Steps[None]:
        """Complete every claim that is held."""
        # The natural key first: after a crash in between, the event comes again and meets it.
        for key in reversed(self._held):
            answer = yield from self._settle("complete", key, retention=self._retention)
            if answer.error is not None:
                logger.error(
                    "an event is done but its claim could not be completed: it runs again if it "
                    "is delivered after the lease: %s",
                    _described(answer.error),
                )
            elif not answer.value:
                logger.error(
                    "the lease was over before its event was done, and another worker may have "
                    "run it too: use a lease longer than the slowest handler"
                )

    def release_all(self) -> Steps[None]:
        """Release every claim that is held."""
        for key in self._held:
            answer = yield from self._settle("release", key)
            if answer.error is not None:
                logger.error(
                    "a claim could not be released: the event waits for the end of the lease: %s",
                    _described(answer.error),
                )

    def _settle(self, method: str, key: str, **arguments: Any) -> Steps[Answer]:
        answer = yield self._step(method, key, **arguments)
        if isinstance(answer.error, CancelledError):
            # A loop that closes cancels even the task of this step, once: it may not be done.
            answer = (yield self._step(method, key, **arguments))._replace(value=True)
        if answer.error is not None and not isinstance(answer.error, Exception):
            self.interrupt = answer.error
        return answer

    def _step(self, method: str, key: str, **arguments: Any) -> Step:
        call = getattr(self._store, method)
        return Step(lambda: call(key, self._token, **arguments), self._mode)


def _mode_of(store: Store | AsyncStore) -> Mode:
    if is_async_store(store):
        return "await"
    return "inline" if getattr(store, "never_blocks", False) else "thread"


def judged(job: Job, ran: Answer, attempt: int = 1) -> tuple[Ending, bool]:
    """Return how the handler ended, and whether the event is done."""
    error, status = ran.error, 200
    if error is None:
        try:
            status = job.status_of(ran.value)
        except BaseException as unusable:  # noqa: BLE001 - claims are released on every one
            error = unusable
    if job.outcome == "unhandled_payout" and (error is None or isinstance(error, Exception)):
        # Telling takes nothing, however it ends, so the payout comes again.
        if error is not None and not isinstance(error, (Reject, RetryLater)):
            logger.error("on_unhandled failed for a payout, which nobody took", exc_info=error)
        return Ending(job.outcome, attempt), False
    if isinstance(error, RetryLater):
        return Ending("retry", attempt, retry_after=error.after), False
    if isinstance(error, Reject):
        return Ending("rejected", attempt), True
    if error is not None:
        return Ending("failed", attempt, error=error), False
    if 200 <= status < 300:
        if job.outcome == "handled":
            return Ending("handled", attempt, ran.value, status), True
        # Told is not handled: the outcome decides, not what was returned.
        return Ending(job.outcome, attempt), True
    if status < 400:
        logger.error(
            "the handler answered %d: Dub takes a redirect as success and its queue does not, so "
            "500 is sent instead; answer 2xx or from 400 on",
            status,
        )
        return Ending("failed", attempt), False
    return Ending("failed", attempt, ran.value, status), False


# Every driver's class for a server that cannot be used has one of these among its bases.
_UNUSABLE = frozenset(
    (
        *("ConnectionError", "InterfaceError", "InternalError", "OSError", "OperationalError"),
        *("PostgresError", "TimeoutError"),
    )
)


def _described(error: BaseException | None) -> str:
    # A driver's message can quote statements, their values and passwords; our own never do.
    if isinstance(error, DubhooksError):
        return str(error)
    name = type(error).__qualname__
    if _UNUSABLE.isdisjoint(each.__name__ for each in type(error).__mro__):
        return name
    return (
        f"{name}: see that the store's server runs, can be reached from here within its timeouts, "
        "takes more connections, and has room on its disk"
    )
