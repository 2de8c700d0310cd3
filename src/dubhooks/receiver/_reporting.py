"""Log and observe what became of deliveries, without their payloads."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime, timezone
from threading import Lock
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, Final

from .. import errors
from ..errors import DubhooksError, InvalidEvent
from ..events.unknown import UnknownEvent
from ..reply import DeliveryRecord
from ._functions import name_of
from ._registry import is_payout

if TYPE_CHECKING:
    from ..events._base import Event
    from ..idempotency._lifecycle import Ending
    from ..idempotency._log import Log
    from ..reply import Reply
    from ._registry import Handler, Registry, Route
    from ._settings import Observer

_FLOOD_SECONDS: Final = 60.0
SIGNED = (errors.InvalidJSON, errors.InvalidEnvelope, errors.EventTooOld, InvalidEvent)
"""Errors in a body that Dub has signed; all others say that it was not seen to have."""


def measure_age(event: Event) -> float:
    """Return the seconds since Dub built ``event``, by this machine's clock."""
    return (datetime.now(timezone.utc) - event.created_at).total_seconds()


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
        self._counts: Counter[int] = Counter()
        self._next_line_at: dict[int, float] = {}
        self._warned: set[str] = set()

    def report_refusal(
        self, reply: Reply, error: DubhooksError, started: float, *, is_kept: bool
    ) -> None:
        """Report a request that did not become an event; ``is_kept``: it is a dead letter."""
        name = getattr(error, "event_name", None)
        if isinstance(error, (InvalidEvent, errors.EventTooOld)):
            level = logging.ERROR if isinstance(error, InvalidEvent) else logging.WARNING
            what = "kept a dead letter" if is_kept else "refused a delivery"
            self._log.log(level, "%s of event %.64r: %s", what, error.event_id, error)
        elif isinstance(error, SIGNED):
            self._log.warning("refused a delivery (%s): %s", error.code, error)
        elif isinstance(error, errors.MethodNotAllowed):
            # Anybody may send a GET, and many monitors do.
            self._log.info("refused a request (%s): %s", error.code, error)
        else:
            self._log_flood(logging.WARNING, f"refused a delivery ({error.code}): {error}")
        self._observe(reply, started, event_name=name, error_code=error.code)

    def report_missing_secret(self, reply: Reply, error: Exception, started: float) -> None:
        """Report a request that could not be verified, because there was no usable secret."""
        # The message of somebody else's error may hold the secret.
        what = str(error) if isinstance(error, DubhooksError) else type(error).__qualname__
        what = f"there is no usable secret, so nothing can be verified: {what}"
        self._log_flood(logging.ERROR, what)
        self._observe(reply, started)

    def report(
        self,
        reply: Reply,
        event: Event,
        handler: Handler | None,
        ending: Ending,
        started: float,
        queued_seconds: float | None = None,
    ) -> None:
        """Report a delivery that had its event; ``queued_seconds``: in a queue's worker."""
        which = f"{event.event!r:.64} {event.id!r:.64}"
        if reply.outcome == "conflict":
            self._log.error("event %s came again with another body and was not handled", which)
        elif reply.outcome == "unhandled_payout":
            is_unknown = isinstance(event, UnknownEvent)
            name = f'"{event.event:.64}"' if is_unknown else type(event).__name__
            self._log.error(
                "event %s %s a payout and no handler took it: register one with @hooks.on(%s), "
                "because Dub marks the payout as failed when the retries run out",
                which,
                "may be" if is_unknown else "is",
                name,
            )
        level = logging.WARNING if reply.outcome == "rejected" else logging.INFO
        reason = f": {ending.reason}" if ending.reason is not None else ""
        seconds = perf_counter() - started
        self._log.log(level, "%s %s in %.3f s%s", reply.outcome, which, seconds, reason)
        self._observe(
            reply,
            started,
            event_name=event.event,
            handler=handler.name if handler is not None else None,
            attempt=ending.attempt,
            age=measure_age(event),
            # Other errors may have a ``code`` of their own, and anything in it.
            error_code=ending.error.code if isinstance(ending.error, DubhooksError) else None,
            queued_seconds=queued_seconds,
        )

    def report_queue_error(self, error: Exception) -> None:
        """Report that a queue did not take an event, which Dub sends again."""
        # The message of an engine's error may hold a password.
        what = str(error) if isinstance(error, DubhooksError) else type(error).__qualname__
        self._log.error(
            "the queue did not take an event: %s; does its server run, and can it be reached?", what
        )

    def report_ignored(self, event: Event, route: Route | None, registry: Registry) -> None:
        """Warn, once for each name, of an event that nothing takes where it came."""
        name, other = event.event[:64], registry.find_route(event)
        if other is not None:
            here = "a route of the handlers of on()" if route is None else f"the route {route.name}"
            self._warn_once(
                f"{name} came to {here}, which does not take it, while the route {other} does: Dub "
                "sends all events of a webhook to one URL, so name both on one route, or use on()"
            )
        elif registry.is_empty:
            self._warn_once(
                "no handler is registered: every event is ignored; is the module imported?"
            )
        elif registry.fallback is None and not is_payout(event):
            self._warn_once(f"no handler for {name}: ignored")

    def report_turned_away(self, event: Event, route: Route) -> None:
        """Warn, once for each name, of an event that came to a route for verification alone."""
        self._warn_once(
            f"{event.event[:64]} came to {route.name}, which does not take it: Dub sends all "
            "events of a webhook to one URL"
        )

    def _warn_once(self, message: str) -> None:
        with self._lock:
            if message in self._warned:
                return
            self._warned.add(message)
        self._log.warning(message)

    def _log_flood(self, level: int, what: str) -> None:
        """Log what anybody can send, one line a minute and level: it must not fill the disk."""
        with self._lock:
            self._counts[level] += 1
            now = monotonic()
            if now < self._next_line_at.get(level, 0.0):
                return
            self._next_line_at[level] = now + _FLOOD_SECONDS
            count = self._counts.pop(level)
        self._log.log(level, "%s (requests since the last such line: %d)", what, count)

    def _observe(self, reply: Reply, started: float, **known: Any) -> None:
        if not self._observers:
            return
        record = DeliveryRecord(
            outcome=reply.outcome,
            status=reply.status,
            family=self._family,
            namespace=self._namespace,
            seconds=perf_counter() - started,
            event_id=reply.event_id,
            **known,
        )
        for observer in self._observers:
            try:
                observer(record)
            except Exception as error:  # noqa: BLE001 - watching must not change the reply
                self._log.error("the observer %s failed", name_of(observer), exc_info=error)
