"""Every error that dubhooks raises, each with a stable ``code``.

Messages say what to do next.  They never hold a secret, a signature, a body
or anything about a person, because messages end up in logs.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, Final, NamedTuple

__all__ = [
    "BodyCompressed",
    "BodyEmpty",
    "BodyIncomplete",
    "BodyTooLarge",
    "BodyTooSlow",
    "ConfigurationError",
    "DubhooksError",
    "EventFromFuture",
    "EventTooOld",
    "GivenUp",
    "InvalidEnvelope",
    "InvalidEvent",
    "InvalidJSON",
    "MethodNotAllowed",
    "PayloadError",
    "Problem",
    "Reject",
    "RetryLater",
    "SignatureMalformed",
    "SignatureMismatch",
    "SignatureMissing",
    "VerificationError",
]


_LISTED = 20
"""How many problems a message names, so that one bad body cannot fill a log."""


class DubhooksError(Exception):
    """Base class of every error of this library.

    ``code`` is a stable, machine-readable name; it is also what a reply body
    carries, so that Dub's event log shows why a delivery was refused.
    """

    code: ClassVar[str] = "dubhooks_error"


class ConfigurationError(DubhooksError):
    """The receiver was set up or called in a way that cannot work.

    It is the developer's to fix, so it is raised and never turned into a
    reply that looks like the sender's fault.
    """

    code: ClassVar[str] = "configuration"


class VerificationError(DubhooksError):
    """The body was not proven to come from Dub.  Nothing was parsed or run."""

    code: ClassVar[str] = "unauthorized"


class SignatureMissing(VerificationError):
    """There is no ``Dub-Signature`` header."""

    code: ClassVar[str] = "signature_missing"


class SignatureMalformed(VerificationError):
    """The signature header is not exactly one value of 64 hex characters."""

    code: ClassVar[str] = "signature_malformed"


class SignatureMismatch(VerificationError):
    """The signature is well-formed but belongs to another body or secret."""

    code: ClassVar[str] = "signature_mismatch"


class PayloadError(DubhooksError):
    """The body cannot be used, whoever signed it."""

    code: ClassVar[str] = "payload"


class BodyEmpty(PayloadError):
    """The body has no bytes: often it was read before dubhooks saw it."""

    code: ClassVar[str] = "body_empty"


class BodyTooLarge(PayloadError):
    """The body is larger than ``max_body`` bytes."""

    code: ClassVar[str] = "body_too_large"


class BodyTooSlow(PayloadError):
    """The body did not arrive within the read timeout, in seconds."""

    code: ClassVar[str] = "body_too_slow"


class BodyIncomplete(PayloadError):
    """The connection ended before the body was there."""

    code: ClassVar[str] = "body_incomplete"


class BodyCompressed(PayloadError):
    """The request has a ``Content-Encoding``; Dub sends plain JSON."""

    code: ClassVar[str] = "body_compressed"


class MethodNotAllowed(PayloadError):
    """The request is not a POST."""

    code: ClassVar[str] = "method_not_allowed"


class InvalidJSON(PayloadError):
    """The body is not one JSON document in UTF-8 with finite numbers."""

    code: ClassVar[str] = "invalid_json"


class InvalidEnvelope(PayloadError):
    """The JSON is not an object with ``id``, ``event``, ``createdAt`` and ``data``."""

    code: ClassVar[str] = "invalid_envelope"


class Problem(NamedTuple):
    """One reason why a known event does not fit its model.

    ``path`` is the field as named on the wire (``data.sale.amount``), and
    ``problem`` a pydantic error type (``missing``, ``int_type``).  The value is
    left out on purpose.
    """

    path: str
    problem: str


class InvalidEvent(PayloadError):
    """A known event whose ``data`` does not fit its model.

    ``problems`` lists field paths and what is wrong with them, never values.
    """

    code: ClassVar[str] = "invalid_event"

    def __init__(
        self,
        event_name: str,
        event_id: str,
        problems: tuple[Problem, ...],
        payout_like: bool = False,
    ) -> None:
        self.event_name = event_name
        self.event_id = event_id
        self.problems = problems
        self.payout_like = payout_like
        """An answer below 400 might mark a payout as paid."""
        listed = "; ".join(f"{path}: {problem}" for path, problem in problems[:_LISTED])
        if len(problems) > _LISTED:
            listed += f"; and {len(problems) - _LISTED} more"
        super().__init__(f"a {event_name} event does not fit its model ({listed})")

    def __reduce__(self) -> tuple[type[InvalidEvent], tuple[object, ...]]:
        return type(self), (self.event_name, self.event_id, self.problems, self.payout_like)


class EventTooOld(PayloadError):
    """The event's ``createdAt`` is older than ``max_age``: a replay, not a retry."""

    code: ClassVar[str] = "event_too_old"

    def __init__(
        self, message: str, event_name: str | None = None, event_id: str | None = None
    ) -> None:
        self.event_name = event_name
        self.event_id = event_id
        super().__init__(message)


class EventFromFuture(EventTooOld):
    """The event's ``createdAt`` is more than a day ahead, so its age cannot be judged."""

    code: ClassVar[str] = "event_from_future"


class GivenUp(DubhooksError):
    """A queued event was given up, after it was kept as a dead letter."""

    code: ClassVar[str] = "given_up"


class RetryLater(DubhooksError):
    """Raise it in a handler to be called again later.

    The claim is released and the reply is 503 with ``Retry-After: after``.  The
    sender's queue honours it up to one day (QStash docs: retry).
    """

    code: ClassVar[str] = "retry_later"

    def __init__(
        self, after: float | timedelta | None = None, *, reason: str | None = None
    ) -> None:
        """Ask for the event again.

        Args:
            after: seconds until the next delivery; without it, the queue's own schedule holds.
            reason: why, for the log; it is never part of the reply.

        Raises:
            ConfigurationError: ``after`` is not a duration of 0 seconds or more.
        """
        self.after: float | None = None
        if after is not None:
            self.after = to_seconds("RetryLater(after=...)", after, least=0)
        self.reason = reason
        super().__init__(_explain("the handler asked for this event later", reason))

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return partial(RetryLater, reason=self.reason), (self.after,)


class Reject(DubhooksError):
    """Raise it in a handler to refuse an event for good.

    The reply is 489 with ``Upstash-NonRetryable-Error: true``, which stops the
    sender's retries (QStash docs: retry).  The event is done, except for a
    payout, which Dub marks as failed: if it comes again, the handler decides again.
    """

    code: ClassVar[str] = "rejected"

    def __init__(self, reason: str | None = None) -> None:
        """Refuse the event.

        Args:
            reason: why, for the log; it is never part of the reply.
        """
        self.reason = reason
        super().__init__(_explain("the handler rejected this event for good", reason))

    def __reduce__(self) -> tuple[type[Reject], tuple[object, ...]]:
        return type(self), (self.reason,)


def to_seconds(name: str, duration: float | timedelta, *, least: float | None = None) -> float:
    """Return a duration in seconds.

    Args:
        name: the setting, for the message.
        duration: seconds or a ``timedelta``.
        least: the smallest number of seconds that is allowed; by default any above 0.

    Raises:
        ConfigurationError: it is neither, or too short.
    """
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    bound = "more than 0" if least is None else f"{least:g} or more"
    if not is_number or not (least or 0) <= seconds < _FOREVER or (least is None and not seconds):
        raise ConfigurationError(
            f"{name} takes seconds or a timedelta, {bound}: for example 60 or timedelta(days=30)"
        )
    return float(seconds)


_FOREVER: Final = 10.0**10
"""Seconds that no clock of a store could add up."""


def _explain(what: str, reason: str | None) -> str:
    return what if reason is None else f"{what}: {reason}"
