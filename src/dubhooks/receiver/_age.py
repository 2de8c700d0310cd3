"""The age of an event: with it, a replay is either a duplicate or refused."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from ..errors import EventFromFuture, EventTooOld

if TYPE_CHECKING:
    from ..events._base import Event


_AHEAD = timedelta(days=1).total_seconds()
"""How far a clock may be behind Dub's before its events cannot be told from replays."""


def measure_age(event: Event) -> float:
    """Return the seconds since Dub built ``event``, by this machine's clock."""
    return (datetime.now(timezone.utc) - event.created_at).total_seconds()


def check_age(event: Event, max_age: float | None) -> EventTooOld | None:
    """Return why ``event`` is of no age to be handled; ``None``: it is, or nobody asks.

    Args:
        event: a verified one.
        max_age: seconds.
    """
    if max_age is None:
        return None
    age = measure_age(event)
    if age > max_age:
        message = "the event is older than max_age: it is a replay, not a retry"
        return EventTooOld(message, event.event, event.id)
    if -age > _AHEAD:
        message = "the event is from more than a day ahead: is the clock of this machine right?"
        return EventFromFuture(message, event.event, event.id)
    return None
