"""Watching an endpoint as Dub watches it (Dub docs: webhooks introduction)."""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .reply import DeliveryRecord

__all__ = ["FailureWatch"]

logger = logging.getLogger("dubhooks")

_MAILS_AT = (5, 10, 15)
_DISABLED_AT = 20


class FailureWatch:
    """An observer that counts failures in a row as Dub does, and logs before Dub acts.

    Dub counts every answer from 400 on, mails the owner at 5, 10 and 15 in a
    row, and disables the endpoint at 20; any answer below 400 starts anew.
    Retries count too, so about four undeliverable events are enough.  Dub adds
    one more for an event that it gives up, which nobody here can see, and it
    counts over all workers, while this counts in one process.

    Refused forgeries (401) count here as well, although Dub does not know of
    them: seen from here they look just like Dub's own deliveries with a wrong
    secret, of which there must be a warning.

    It is for webhooks.  Dub does not count failures of postbacks, mails
    nobody about them and disables nothing, so on ``Postbacks`` its warnings
    say what will not happen.
    """

    def __init__(self, *, slow: float = 30.0) -> None:
        """``slow``: answers slower than this many seconds are logged."""
        self._lock = Lock()
        self._slow = slow
        self.failures = 0
        """Failures in a row, as seen by this process."""

    def __call__(self, record: DeliveryRecord) -> None:
        """Count one answer."""
        if record.outcome == "wrong_method":
            return  # Dub only sends POST: this was somebody else.
        with self._lock:
            self.failures = self.failures + 1 if record.status >= 400 else 0
            failures = self.failures
        extra = {"family": record.family, "namespace": record.namespace}
        if failures in _MAILS_AT:
            logger.warning(
                "%d failed deliveries in a row, the last one %s (%d): Dub mails the owner now and "
                "disables the endpoint at %d",
                failures,
                record.outcome,
                record.status,
                _DISABLED_AT,
                extra=extra,
            )
        elif failures and failures % _DISABLED_AT == 0:
            logger.error(
                "%d failed deliveries in a row, the last one %s (%d): Dub has disabled the "
                "endpoint; enable it again in Dub once this is mended",
                failures,
                record.outcome,
                record.status,
                extra=extra,
            )
        if record.seconds > self._slow:
            logger.warning(
                "a delivery took %.1f s: hand slow work to a queue, because the sender's queue "
                "stops waiting and delivers again",
                record.seconds,
                extra=extra,
            )
