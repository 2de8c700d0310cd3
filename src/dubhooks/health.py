"""Watch an endpoint the way Dub watches it (Dub docs: webhooks introduction)."""

from __future__ import annotations

import logging
from datetime import timedelta
from threading import Lock

from .errors import to_seconds
from .reply import DeliveryRecord

__all__ = ["FailureWatch"]

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
        self.failures: int = 0
        """Failures in a row, as seen by this process."""

    def __call__(self, record: DeliveryRecord) -> None:
        """Count one reply."""
        if record.outcome == "wrong_method" or record.queued_seconds is not None:
            return  # Dub only sends POST: this was somebody else.  And it never sees a worker.
        with self._lock:
            self.failures = self.failures + 1 if record.status >= 400 else 0
            failures = self.failures
        extra = {"family": record.family, "namespace": record.namespace}
        log = logging.LoggerAdapter(logging.getLogger("dubhooks"), extra)
        what = f"failed deliveries in a row, the last one {record.outcome} ({record.status}): Dub"
        if failures in _MAILS_AT:
            does = "sends the owner an e-mail now and disables the endpoint at"
            log.warning("%d %s %s %d", failures, what, does, _DISABLED_AT)
        elif failures and failures % _DISABLED_AT == 0:
            does = "has disabled the endpoint; fix the cause, then enable it again in Dub"
            log.error("%d %s %s", failures, what, does)
        if record.seconds > self._slow:
            log.warning(
                "a delivery took %.1f s: hand slow work to a queue, because Dub's queue stops "
                "waiting and delivers again",
                record.seconds,
            )
