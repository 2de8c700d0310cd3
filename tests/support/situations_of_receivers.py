"""What can become of deliveries: one table, for every way to deliver them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType, SimpleNamespace
from typing import Any, Literal, NamedTuple

from dubhooks import Reject, RetryLater, Webhooks
from dubhooks.events._base import Event
from dubhooks.testing import make_event
from dubhooks.webhooks import LinkClicked, PayoutConfirmed, SaleCreated
from tests.support.receiving import Outage, claim_elsewhere, rows_of, sale, state_of

NOT_RUN: Any = object()
"""The handler does not run."""


class Stop(BaseException):
    """Something that tells the process to stop."""


class Step(NamedTuple):
    """One delivery: what the handler does with it, and what comes of it."""

    result: Any
    """What the handler returns or raises; ``NOT_RUN``: it must not run."""
    status: int
    outcome: str
    headers: Mapping[str, str] = MappingProxyType({})
    raises: tuple[type[BaseException], ...] = ()
    """What leaves the receiver instead of the reply."""
    attempt: int | None = 1
    """For observers; without a store every attempt is the first."""
    code: str | None = None
    """For observers: the code of an error of ours that the handler raised."""
    again: dict[str, Any] | None = None
    """Members of the envelope that differ from those of the first delivery."""
    before: Callable[[Any, Event], object] | None = None
    """What is done to the store before the delivery."""
    logs: tuple[tuple[str, str], ...] = ()
    """Level and a part of each line from WARNING on."""


@dataclass(frozen=True)
class Situation:
    """Deliveries of one event, and in which state they leave its claim."""

    steps: tuple[Step, ...]
    event: Callable[[], Event] = sale
    takes: tuple[Any, ...] | Literal["unhandled", "nothing"] = (SaleCreated,)
    """What the handler is registered for."""
    dedupe: Any = "id"
    needs_store: bool = False
    state: str | None = None
    """Of the event's claim afterwards."""

    def register(self, hooks: Webhooks, handler: Callable[[Any], Any]) -> None:
        """Register the handler."""
        if self.takes == "nothing":
            hooks.on(LinkClicked)(lambda _: None)
        elif self.takes == "unhandled":
            hooks.on_unhandled(handler)
        else:
            hooks.on(*self.takes, dedupe=self.dedupe)(handler)

    @property
    def key(self) -> str:
        """The end of the key under which the claim is."""
        return ":unhandled" if self.takes == "unhandled" else ""


def fail(method: str, error: BaseException) -> Callable[[Any, Event], None]:
    """Return what lets a method of the store fail from now on."""
    return lambda store, _: store.fails.__setitem__(method, error)


def mend(store: Any, _: Event) -> None:
    """Let the store work again."""
    store.fails.clear()


def let_a_worker_die(store: Any, event: Event) -> None:
    """Claim the event as another worker would, and wait until that lease is over."""
    claim_elsewhere(store, event, 0.02)
    while state_of(store, f"default:{event.id}") == "busy":
        pass


def another_worker_handled(store: Any, event: Event) -> None:
    """Do what another worker does, which has another body under the same id."""
    other = event.model_copy(update={"data": None})
    token = claim_elsewhere(store, other)
    rows_of(store).complete(f"default:{event.id}", token, retention=3600)
    rows_of(store).calls.clear()


def invoice() -> Event:
    """Return a sale that has a natural key."""
    event: Event = sale(data__sale__invoiceId="in_1")
    return event


def payout() -> Event:
    """Return a payout."""
    return make_event(PayoutConfirmed)


STOPS_QUEUE = {"Upstash-NonRetryable-Error": "true"}
HANDLED, DUPLICATE = Step(None, 200, "handled"), Step(NOT_RUN, 200, "duplicate")
FAILED = Step(ValueError("no"), 500, "failed", raises=(ValueError,))
AGAIN = Step(None, 200, "handled", attempt=2)
REJECTED = Step(Reject(), 489, "rejected", STOPS_QUEUE, logs=(("WARNING", "rejected"),))
PAYOUT_LOG = ("ERROR", "is a payout and no handler took it: register one with @hooks.on(Payout")
UNHANDLED_PAYOUT = Step(NOT_RUN, 501, "unhandled_payout", attempt=None, logs=(PAYOUT_LOG,))


def answered(status: int) -> Any:
    """Return what frameworks take for a response."""
    return SimpleNamespace(status_code=status)


def stopping(error: BaseException, *raises: type[BaseException]) -> Situation:
    """Return the situation that a handler raises what no handler should."""
    step = Step(error, 500, "failed", raises=(type(error), *raises))
    return Situation((step,), state="free")


HANDLERS = {
    "handled": Situation((HANDLED,), state="done"),
    "and delivered again": Situation((HANDLED, DUPLICATE, DUPLICATE), needs_store=True),
    "a status of its own": Situation((Step(answered(202), 202, "handled"),), state="done"),
    "a result that means nothing": Situation(
        (Step(False, 200, "handled", logs=(("WARNING", "returned bool, which means nothing"),)),),
        state="done",
    ),
    "an answer that failed": Situation((Step(answered(503), 503, "failed"), AGAIN), state="done"),
    "a redirect": Situation(
        (Step(answered(302), 500, "failed", logs=(("ERROR", "the handler answered 302"),)), AGAIN)
    ),
    "an error": Situation((FAILED, AGAIN), state="done"),
    "an interrupt": stopping(KeyboardInterrupt()),
    "a cancellation": stopping(asyncio.CancelledError()),
    "the end of a generator": stopping(GeneratorExit()),
    # Neither a coroutine nor a future can raise these themselves (PEP 479).
    "the end of an iterator": stopping(StopIteration(), RuntimeError),
    "later": Situation(
        (Step(RetryLater(299.5), 503, "retry", {"Retry-After": "300"}), AGAIN), state="done"
    ),
    "rejected": Situation((REJECTED, DUPLICATE), needs_store=True, state="done"),
    "a payout rejected": Situation(
        (REJECTED, AGAIN), event=payout, takes=(PayoutConfirmed,), state="done"
    ),
}

IGNORED = Step(NOT_RUN, 200, "ignored", attempt=None)
NO_HANDLER = (("WARNING", "no handler for sale.created: ignored"),)
TOLD = UNHANDLED_PAYOUT._replace(result=None, attempt=1)
TOLD_IN_VAIN = (("ERROR", "on_unhandled failed for a payout"), PAYOUT_LOG)
told_of_payout = partial(Situation, event=payout, takes="unhandled", state="free")

NOBODY = {
    "ignored": Situation(
        (IGNORED._replace(logs=NO_HANDLER), IGNORED), takes="nothing", state="free"
    ),
    "a payout that nobody takes": Situation(
        (UNHANDLED_PAYOUT, UNHANDLED_PAYOUT), event=payout, takes="nothing", state="free"
    ),
    "told": Situation(
        (Step(answered(202), 200, "ignored"), DUPLICATE),
        takes="unhandled",
        needs_store=True,
        state="done",
    ),
    "told in vain": Situation(
        (FAILED, Step(answered(500), 500, "failed", attempt=2)), takes="unhandled", state="free"
    ),
    "told of a payout": told_of_payout(
        (
            TOLD,
            TOLD._replace(result=answered(404), attempt=2),
            TOLD._replace(result=RetryLater(5), attempt=3),
            TOLD._replace(result=Reject(), attempt=4),
            TOLD._replace(result=ValueError("no"), attempt=5, logs=TOLD_IN_VAIN),
        )
    ),
    "stopped while told of a payout": told_of_payout(
        (Step(Stop(), 500, "failed", raises=(Stop,)),)
    ),
}

CONFLICT = Step(
    NOT_RUN, 422, "conflict", again={"extra": 1}, logs=(("ERROR", "came again with another body"),)
)
BUSY = Step(NOT_RUN, 409, "busy", {"Retry-After": "45"})
UNAVAILABLE = Step(
    *(NOT_RUN, 503, "unavailable", {"Retry-After": "30"}),
    logs=(("ERROR", "did not answer a claim, so the handler does not run: Outage"),),
)
STOPPED = Step(NOT_RUN, 500, "failed", raises=(KeyboardInterrupt,))
NOT_COMPLETED = (("ERROR", "its claim could not be completed"),)
NOT_RELEASED = (("ERROR", "a claim could not be released"),)


def steps(*given: Step, state: str | None = None, **members: Any) -> Situation:
    """Return a situation that needs a store."""
    return Situation(given, needs_store=True, state=state, **members)


CLAIMS = {
    "busy": steps(BUSY._replace(before=lambda store, event: claim_elsewhere(store, event, 44.9))),
    "another body while busy": steps(CONFLICT._replace(before=claim_elsewhere), state="busy"),
    "another body after it was done": steps(
        CONFLICT._replace(before=another_worker_handled), state="done"
    ),
    # The second attempt is that of the test, which looks at the state.
    "a worker died": steps(AGAIN._replace(attempt=3, before=let_a_worker_die), state="done"),
    "the store is away": steps(
        UNAVAILABLE._replace(before=fail("claim", Outage())), HANDLED._replace(before=mend)
    ),
    "completing fails": steps(
        HANDLED._replace(before=fail("complete", Outage()), logs=NOT_COMPLETED), state="busy"
    ),
    "releasing fails": steps(
        FAILED._replace(before=fail("release", Outage()), logs=NOT_RELEASED), state="busy"
    ),
    "stopped while claiming": steps(
        STOPPED._replace(before=fail("claim", KeyboardInterrupt())), state="free"
    ),
    "stopped while completing": steps(
        HANDLED._replace(raises=(Stop,), before=fail("complete", Stop()), logs=NOT_COMPLETED)
    ),
    "stopped while releasing": steps(
        Step(RetryLater(), 503, "retry", raises=(Stop,))._replace(
            before=fail("release", Stop()), logs=NOT_RELEASED
        )
    ),
}

DUPLICATE_BY_KEY = DUPLICATE._replace(again={"id": "evt_again"})
once_an_invoice = partial(steps, event=invoice, dedupe="natural")

NATURAL_KEYS = {
    "the same thing again": once_an_invoice(
        HANDLED, DUPLICATE_BY_KEY, DUPLICATE_BY_KEY, DUPLICATE, state="done"
    ),
    "the same thing after it failed": once_an_invoice(
        *(FAILED, HANDLED._replace(again={"id": "evt_again"}), DUPLICATE._replace(attempt=2)),
        state="done",
    ),
    "the same thing, not noted": once_an_invoice(
        HANDLED, DUPLICATE_BY_KEY._replace(before=fail("complete", Outage()), logs=NOT_COMPLETED)
    ),
}

SITUATIONS = HANDLERS | NOBODY | CLAIMS | NATURAL_KEYS
