"""Watch an endpoint the way Dub watches it (Dub docs: webhooks introduction)."""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING

from .errors import to_seconds

if TYPE_CHECKING:
    from datetime import timedelta

    from .reply import DeliveryRecord

__all__ = ["FailureWatch"]

logger = logging.getLogger("dubhooks")

_MAILS_AT = (5, 10, 15)
_DISABLED_AT = 20


class FailureWatch:
    """An observer that counts failures in a row the way Dub does, and warns before Dub acts.

    Dub counts every reply of 400 or above, sends the owner an e-mail at 5, 10 and
    15 in a row, and disables the endpoint at 20; any reply below 400 resets the
    count.  Retries count too, so about four events that always fail are enough.

    Two counts differ from Dub's.  Dub adds one more failure when it gives up on an
    event, which a receiver cannot see, and it counts over all workers, while this
    counts in one process.

    Refused forgeries (401) count here as well, although Dub does not know about
    them: a receiver cannot tell them from Dub's own deliveries under a wrong
    secret, and a wrong secret must be reported.

    Use it for webhooks.  Dub does not count the failures of postbacks, and never
    disables them, so on ``Postbacks`` the warnings would be wrong.
    """

    def __init__(self, *, slow: float | timedelta = 30.0) -> None:
        """Start counting.

        Args:
            slow: a reply that takes longer is logged; seconds or a ``timedelta``.

        Raises:
            ConfigurationError: ``slow`` is not a duration of more than 0 seconds.
        """
        self._lock = Lock()
        self._slow = to_seconds("FailureWatch(slow=...)", slow)
        self.failures = 0
        """Failures in a row, as seen by this process."""

    def __call__(self, record: DeliveryRecord) -> None:
        """Count one reply."""
        if record.outcome == "wrong_method" or record.queued_seconds is not None:
            return  # Dub only sends POST: this was somebody else.  And it never sees a worker.
        with self._lock:
            self.failures = self.failures + 1 if record.status >= 400 else 0
            failures = self.failures
        extra = {"family": record.family, "namespace": record.namespace}
        if failures in _MAILS_AT:
            logger.warning(
                "%d failed deliveries in a row, the last one %s (%d): Dub sends the owner an "
                "e-mail now and disables the endpoint at %d",
                failures,
                record.outcome,
                record.status,
                _DISABLED_AT,
                extra=extra,
            )
        elif failures and failures % _DISABLED_AT == 0:
            logger.error(
                "%d failed deliveries in a row, the last one %s (%d): Dub has disabled the "
                "endpoint; fix the cause, then enable it again in Dub",
                failures,
                record.outcome,
                record.status,
                extra=extra,
            )
        if record.seconds > self._slow:
            logger.warning(
                "a delivery took %.1f s: hand slow work to a queue, because Dub's queue stops "
                "waiting and delivers again",
                record.seconds,
                extra=extra,
            )
