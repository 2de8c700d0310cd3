"""Claim, handle, complete or release: one delivery's way through a store.

Deliveries come at least once.  A claim lets one live runner at a time handle an
event, and a completed claim turns every later delivery of it into a duplicate.
A crash between the handler's effect and the completion can repeat the effect;
only an effect in the same database transaction as the claim cannot (see the
inboxes).
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import Reject, RetryLater
from . import AsyncStore, Claim, Store
from ._drivers import Caller
from ._log import Log, log_store_error
from ._renewal import LoopRenewal, RenewalThread, ThreadRenewal

if TYPE_CHECKING:
    from ..reply import Outcome


class Job(NamedTuple):
    """What to run for a delivery, and under which keys."""

    call: Callable[[], Any]
    """The handler with its arguments."""
    is_async: bool
    """``call`` returns an awaitable that belongs on the caller's event loop."""
    status_of: Callable[[Any], int]
    """The HTTP status in the handler's result."""
    keys: tuple[str, ...] = ()
    """The event's key first, then the natural key, if that counts too; none without a store."""
    fingerprints: tuple[str, ...] = ()
    """One for each key, in hex: of the body, and of what a natural key stands for."""
    outcome: Outcome = "handled"
    """What it comes to when the handler returns."""
    is_payout: bool = False
    """A reply below 400 marks a payout as paid."""


class Ending(NamedTuple):
    """How a job ended."""

    outcome: Outcome
    attempt: int | None = None
    is_done: bool = False
    """The claims are completed, not released."""
    result: Any = None
    """What the handler returned."""
    status: int | None = None
    """HTTP status in the handler's result."""
    retry_after: float | None = None
    """Seconds."""
    error: BaseException | None = None
    """What the handler raised."""
    reason: str | None = None
    """Why it asked for the event later, or rejected it; for the log."""


@dataclass(frozen=True)
class ClaimTerms:
    """How one receiver claims."""

    store: Store | AsyncStore
    lease: float
    """Seconds after a crash until another delivery may take an event over."""
    retention: float
    """Seconds for which a done event is remembered."""
    log: Log
    renewals: RenewalThread | None
    """The thread that renews claims in a sync store; an async one has timers of its loop."""


async def run_claimed(job: Job, terms: ClaimTerms, caller: Caller) -> Ending:
    """Claim, run and complete or release a job."""
    claims = _ClaimSet(job, terms, caller)
    ending = Ending("failed")  # what stops the process can come between any two lines
    try:
        refused = await claims.acquire()
        if refused is not None:
            ending = refused
        else:
            renewal = claims.start_renewing()
            try:
                ending = await run_handler(job, caller, terms.log, claims.attempt)
            finally:  # a renewal after a release would take the claim again
                with suppress(CancelledError):  # of a loop that closes, which ends renewals too
                    await renewal.stop(caller)
    finally:
        await (claims.complete() if ending.is_done else claims.release())
    if ending.error is None and caller.interrupt is not None:
        return ending._replace(error=caller.interrupt)
    return ending


async def run_handler(job: Job, caller: Caller, log: Log, attempt: int | None = None) -> Ending:
    """Run a job's handler and decide how it ended."""
    try:
        result = await caller.run(job.call, job.is_async)
        status = job.status_of(result)
    except BaseException as error:  # noqa: BLE001 - claims are released on every one of them
        return _decide_failure(job, error, log)._replace(attempt=attempt)
    return _decide_ending(job, result, status, log, attempt)


def _decide_ending(
    job: Job, result: object, status: int, log: Log, attempt: int | None = None
) -> Ending:
    if 200 <= status < 300:
        if job.outcome == "handled":
            return Ending("handled", attempt, True, result, status)
        # ``on_unhandled`` never changes the outcome, and does not accept a payout.
        return Ending(job.outcome, attempt, job.outcome != "unhandled_payout")
    if job.outcome == "unhandled_payout":
        return Ending("unhandled_payout", attempt)
    if status < 400:
        log.error(
            "the handler answered %d: Dub takes a redirect as success and its queue does not, so "
            "500 is sent instead; answer 2xx or from 400 on",
            status,
        )
        return Ending("failed", attempt)
    return Ending("failed", attempt, False, result, status)


def _decide_failure(job: Job, error: BaseException, log: Log) -> Ending:
    if job.outcome == "unhandled_payout" and isinstance(error, Exception):
        if not isinstance(error, (Reject, RetryLater)):
            log.error("on_unhandled failed for a payout, which nobody took", exc_info=error)
        return Ending("unhandled_payout")
    if isinstance(error, RetryLater):
        return Ending("retry", retry_after=error.after, reason=error.reason)
    if isinstance(error, Reject):
        # A payout that comes again is decided again: a lost reply must not mark it as paid.
        return Ending("rejected", is_done=not job.is_payout, reason=error.reason)
    return Ending("failed", error=error)


class _ClaimSet:
    """One runner's claims on the keys of one job."""

    def __init__(self, job: Job, terms: ClaimTerms, caller: Caller) -> None:
        self._job = job
        self._terms = terms
        self._caller = caller
        self._token = token_hex(16)
        self._fingerprints = dict(zip(job.keys, job.fingerprints, strict=True))
        self._held: list[str] = []
        self.attempt = 1

    async def acquire(self) -> Ending | None:
        """Claim every key; return how the job ends when it must not run."""
        for key in self._job.keys:
            # Held before the store says so: what stops the process can come before its answer.
            self._held.append(key)
            try:
                claim: Claim = await self._caller.call(self._claim, key)
            except Exception as error:  # noqa: BLE001 - drivers raise what they like
                self._held.remove(key)
                log_store_error(
                    self._terms.log,
                    "the store did not answer a claim, so the handler does not run",
                    error,
                )
                return Ending("unavailable", self.attempt)
            except BaseException as error:  # noqa: BLE001 - whatever the store decided is undone
                return Ending("failed", self.attempt, error=error)
            if claim.state != "acquired":
                self._held.remove(key)
            refused = self._judge(key, claim)
            if refused is not None:
                return refused
        return None

    def start_renewing(self) -> ThreadRenewal | LoopRenewal:
        """Renew the claims until what is returned is stopped."""
        terms = self._terms
        given = (self._claim, tuple(self._held), terms.lease, terms.log)
        if terms.renewals is None:
            return LoopRenewal(*given)
        return ThreadRenewal(terms.renewals, *given)

    async def complete(self) -> None:
        """Complete every claim that is held."""
        retention = self._terms.retention
        # The natural key first: after a crash in between, the event comes again and meets it.
        for key in reversed(self._held):
            is_completed = await self._settle(
                self._terms.store.complete,
                key,
                "an event is done but its claim could not be completed: it runs again if it is "
                "delivered after the lease",
                retention=retention,
            )
            if is_completed is False:
                self._terms.log.error(
                    "the lease was over before its event was done, and another worker may have "
                    "run it too: was this process frozen, or did the handler run for ten leases?"
                )

    async def release(self) -> None:
        """Release every claim that is held."""
        for key in self._held:
            await self._settle(
                self._terms.store.release,
                key,
                "a claim could not be released: the event waits for the end of the lease",
            )

    def _claim(self, key: str) -> Any:
        terms = self._terms
        return terms.store.claim(
            key,
            self._token,
            fingerprint=self._fingerprints[key],
            lease=terms.lease,
            retention=terms.retention,
        )

    def _judge(self, key: str, claim: Claim) -> Ending | None:
        """Return how the job ends unless ``claim`` was acquired."""
        if key == self._job.keys[0]:
            self.attempt = claim.attempt
        if claim.state == "acquired":
            # The task was cancelled while the store decided.
            interrupt = self._caller.interrupt
            return Ending("failed", self.attempt, error=interrupt) if interrupt else None
        # A natural key may come in another body, under another event id.
        is_other = claim.fingerprint != self._fingerprints[key]
        if is_other and key == self._job.keys[0]:
            return Ending("conflict", self.attempt)
        if is_other and self._job.is_payout:
            self._terms.log.error(
                "this payout was taken before under another event id and with another amount: it "
                "is not handled again, so see which of the two was paid"
            )
        if claim.state == "done":
            # An event whose natural key is done is done as well.
            return Ending("duplicate", self.attempt, is_done=True)
        return Ending("busy", self.attempt, retry_after=max(1.0, claim.retry_after))

    async def _settle(
        self, method: Callable[..., Any], key: str, failure: str, **arguments: float
    ) -> bool | None:
        """Complete or release one claim; ``None``: it could not be, which is logged."""
        try:
            try:
                is_settled: bool = await self._caller.call(method, key, self._token, **arguments)
            except CancelledError:
                # A loop that closes cancels even the task of this step, once: it may not be done.
                await self._caller.call(method, key, self._token, **arguments)
                return True
        except BaseException as error:  # noqa: BLE001 - the other claims are settled all the same
            log_store_error(self._terms.log, failure, error)
            if not isinstance(error, Exception):
                self._caller.interrupt = error
            return None
        return is_settled
