"""What goes through a receiver: a delivery, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

from ..events._base import Event
from ..payload import is_payout_like
from ..reply import Reply

if TYPE_CHECKING:
    from .._headers import Items
    from ..errors import PayloadError, VerificationError
    from ..reply import Outcome

__all__ = ["Delivery", "Refused", "Served", "outcome_without_handler", "pays_out", "status_in"]

EventT = TypeVar("EventT", bound=Event)


@dataclass(frozen=True)
class Delivery(Generic[EventT]):
    """A verified delivery and its typed event."""

    event: EventT
    body: bytes
    """The raw body."""
    started: float
    """``perf_counter()`` when the body was there."""

    def __repr__(self) -> str:
        return f"<Delivery of {self.event!r}>"


class Refused(NamedTuple):
    """A request that is no delivery, and why."""

    error: VerificationError | PayloadError
    body: bytes
    headers: Items
    started: float


class Served(NamedTuple):
    """A delivery that was run: the reply, and the handler's own response to send instead."""

    reply: Reply
    response: Any = None


def pays_out(event: Event) -> bool:
    """Tell whether an answer below 400 might mark a payout as paid."""
    return is_payout_like(event.event, event.data)


def outcome_without_handler(event: Event) -> Outcome:
    """Return what becomes of an event that nobody takes."""
    return "unhandled_payout" if pays_out(event) else "ignored"


def status_in(result: object) -> int:
    """Return the HTTP status in what a registered handler returned."""
    # It returns nothing; what a framework takes for a response, returned by mistake, still
    # counts, because a 500 in it must not become a 200.
    status: object = getattr(result, "status_code", None)
    if isinstance(result, Reply):
        status = result.status
    elif isinstance(result, tuple) and len(cast("tuple[object, ...]", result)) in (2, 3):
        status = cast("tuple[object, ...]", result)[1]
    if not isinstance(status, int) or not 100 <= status < 600:
        return 200
    # What is sent is our own reply, and it has a body: 204 and 205 cannot.
    return 200 if status in (204, 205) else status
