"""Log and observe what became of deliveries, without their payloads."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from threading import Lock
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..errors import (
    DubhooksError,
    EventTooOld,
    InvalidEnvelope,
    InvalidEvent,
    InvalidJSON,
    MethodNotAllowed,
)
from ..events.unknown import UnknownEvent
from ..reply import DeliveryRecord

if TYPE_CHECKING:
    from ..events._base import Event
    from ..idempotency._lifecycle import Ending
    from ..reply import Reply
    from ._registry import Handler
    from ._settings import Observer

    Log: TypeAlias = logging.LoggerAdapter[logging.Logger]

__all__ = ["Reporter", "build_log"]

_FLOOD_SECONDS: Final = 60.0
_SIGNED = (InvalidJSON, InvalidEnvelope, EventTooOld, InvalidEvent)
"""Errors in a body that Dub has signed; all others say that it was not seen to have."""


def build_log(family: str, namespace: str) -> Log:
    """Return the logger ``dubhooks``, whose lines say which receiver they are about."""
    extra = {"family": family, "namespace": namespace}
    return logging.LoggerAdapter(logging.getLogger("dubhooks"), extra)


class Reporter:
    """Logs what somebody must act on, and gives every observer one record per delivery."""

    def __init__(
        self, family: str, namespace: str, observers: tuple[Observer, ...], log: Log
    ) -> None:
        self._family = family
        self._namespace = namespace
        self._observers = observers
        self._log = log
        self._lock = Lock()
        self._refused = 0
        self._next_line_at = 0.0
        self._warned: set[object] = set()

    def report_refusal(self, reply: Reply, error: DubhooksError, started: float) -> None:
        """Report a request that did not become an event."""
        name: str | None = None
        if isinstance(error, (InvalidEvent, EventTooOld)):
            name = error.event_name
            level = logging.ERROR if isinstance(error, InvalidEvent) else logging.WARNING
            self._log.log(level, "refused a delivery of event %.64r: %s", error.event_id, error)
        elif isinstance(error, _SIGNED):
            self._log.warning("refused a delivery (%s): %s", error.code, error)
        elif isinstance(error, MethodNotAllowed):
            # Anybody may send a GET, and many monitors do.
            self._log.info("refused a request (%s): %s", error.code, error)
        else:
            self._log_unsigned(error)
        if self._observers:
            self._observe(reply, name, None, None, error.code, started, None)

    def report_outage(self, reply: Reply, started: float) -> None:
        """Report a request that could not be verified, as there was no secret."""
        if self._observers:
            self._observe(reply, None, None, None, None, started, None)

    def report(
        self, reply: Reply, event: Event, handler: Handler | None, ending: Ending, started: float
    ) -> None:
        """Report a delivery that had its event."""
        log = self._log
        if reply.outcome == "conflict":
            log.error(
                "event %.64r %.64r came again with another body and was not handled",
                event.event,
                event.id,
            )
        elif reply.outcome == "unhandled_payout":
            log.error(
                "event %.64r %.64r may be a payout and no handler took it: register one with %s, "
                "because Dub marks the payout as failed when the retries run out",
                event.event,
                event.id,
                _explain_registration(event),
            )
        level = logging.WARNING if reply.outcome == "rejected" else logging.INFO
        if log.isEnabledFor(level):
            self._log_delivery(level, reply, event, ending, started)
        if self._observers:
            # Other errors may have a ``code`` of their own, and anything in it.
            code = ending.error.code if isinstance(ending.error, DubhooksError) else None
            name = handler.name if handler is not None else None
            age = (datetime.now(timezone.utc) - event.created_at).total_seconds()
            self._observe(reply, event.event, name, ending.attempt, code, started, age)

    def warn_once(self, about: object, message: str, *arguments: object) -> None:
        """Log a WARNING, but only the first time that it is ``about`` this."""
        if about not in self._warned:
            self._warned.add(about)
            self._log.warning(message, *arguments)

    def _log_unsigned(self, error: DubhooksError) -> None:
        """Log the first refusal, and then one line a minute: a flood must not fill the disk."""
        with self._lock:
            self._refused += 1
            now = monotonic()
            if now < self._next_line_at:
                return
            self._next_line_at = now + _FLOOD_SECONDS
            count, self._refused = self._refused, 0
        if count == 1:
            self._log.warning("refused a delivery (%s): %s", error.code, error)
        else:
            self._log.warning(
                "refused %d requests since the last such line, the last one (%s): %s",
                count,
                error.code,
                error,
            )

    def _log_delivery(
        self, level: int, reply: Reply, event: Event, ending: Ending, started: float
    ) -> None:
        reason = f": {ending.reason}" if ending.reason is not None else ""
        self._log.log(
            level,
            "%s %.64r %.64r in %.3f s%s",
            reply.outcome,
            event.event,
            event.id,
            perf_counter() - started,
            reason,
        )

    def _observe(
        self,
        reply: Reply,
        event_name: str | None,
        handler: str | None,
        attempt: int | None,
        code: str | None,
        started: float,
        age: float | None,
    ) -> None:
        record = DeliveryRecord(
            outcome=reply.outcome,
            status=reply.status,
            family=self._family,
            namespace=self._namespace,
            event_name=event_name,
            event_id=reply.event_id,
            handler=handler,
            attempt=attempt,
            seconds=perf_counter() - started,
            age=age,
            error_code=code,
        )
        for observer in self._observers:
            try:
                observer(record)
            except Exception as error:  # noqa: BLE001 - watching must not change the reply
                self._log.error("the observer %s failed", _name_of(observer), exc_info=error)


def _explain_registration(event: Event) -> str:
    if isinstance(event, UnknownEvent):
        return f'@hooks.on("{event.event:.64}")'
    return f"@hooks.on({type(event).__name__})"


def _name_of(observer: Any) -> str:
    return str(getattr(observer, "__qualname__", type(observer).__qualname__))
