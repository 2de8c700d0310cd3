"""Telling operators and observers what became of deliveries, without their payloads."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, Final

from ..errors import DubhooksError, EventTooOld, InvalidEvent, MethodNotAllowed
from ..reply import DeliveryRecord

if TYPE_CHECKING:
    from ..events._base import Event
    from ..idempotency import Ending
    from ..reply import Outcome, Reply
    from ._settings import Observer

__all__ = ["Reporter"]

logger = logging.getLogger("dubhooks")

_ENDINGS: Final[dict[Outcome, str]] = {
    "conflict": "event %.64r %.64r came again with another body and was not handled",
    "unhandled_payout": (
        "event %.64r %.64r may be a payout and no handler took it: register one for "
        "PayoutConfirmed, because Dub marks the payout as failed when the retries run out"
    ),
}


class Reporter:
    """Logs what somebody must act on, and gives every observer one record per delivery."""

    def __init__(self, observers: tuple[Observer, ...]) -> None:
        self._observers = observers

    def refused(self, reply: Reply, error: DubhooksError, started: float) -> Reply:
        """Report a delivery that was refused before it became an event."""
        if isinstance(error, (InvalidEvent, EventTooOld)):
            level = logging.ERROR if isinstance(error, InvalidEvent) else logging.WARNING
            logger.log(level, "refused a delivery of event %.64r: %s", error.event_id, error)
            self._observed(reply, error.event_name, None, error.code, started)
            return reply
        # Anybody may send a GET, and many monitors do.
        level = logging.INFO if isinstance(error, MethodNotAllowed) else logging.WARNING
        logger.log(level, "refused a delivery (%s): %s", error.code, error)
        self._observed(reply, None, None, error.code, started)
        return reply

    def ended(self, reply: Reply, event: Event, ending: Ending, started: float) -> None:
        """Report a delivery that had its event."""
        if reply.outcome in _ENDINGS:
            logger.error(_ENDINGS[reply.outcome], event.event, event.id)
        if not self._observers:
            return
        # Other errors may have a ``code`` of their own, and anything in it.
        code = ending.error.code if isinstance(ending.error, DubhooksError) else None
        self._observed(reply, event.event, ending.attempt, code, started)

    def _observed(
        self,
        reply: Reply,
        event_name: str | None,
        attempt: int | None,
        code: str | None,
        started: float,
    ) -> None:
        if not self._observers:
            return
        seconds = perf_counter() - started
        record = DeliveryRecord(
            reply.outcome, reply.status, event_name, reply.event_id, attempt, seconds, code
        )
        for observer in self._observers:
            try:
                observer(record)
            except Exception as error:  # noqa: BLE001 - watching must not change the answer
                logger.error("an observer failed: %s", type(error).__qualname__)
