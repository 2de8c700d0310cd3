"""Every error that dubhooks raises, each with a stable ``code``.

Messages say what to do next.  They never hold a secret, a signature, a body
or anything about a person, because messages end up in logs.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

__all__ = [
    "BodyCompressed",
    "BodyEmpty",
    "BodyIncomplete",
    "BodyTooLarge",
    "BodyTooSlow",
    "ConfigurationError",
    "DubhooksError",
    "EventTooOld",
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


class RetryLater(DubhooksError):
    """Raise it in a handler to be called again later.

    The claim is released and the answer is 503 with ``Retry-After: after``
    (seconds).  The sender's queue honours it up to one day
    (QStash docs: retry).  Without ``after``, the queue's own schedule holds.
    """

    code: ClassVar[str] = "retry_later"

    def __init__(self, after: float | None = None) -> None:
        if after is not None and not (
            isinstance(after, (int, float)) and 0 <= after < float("inf")
        ):
            raise ConfigurationError("RetryLater(after=...) takes a number of seconds, 0 or more")
        self.after = after
        super().__init__("the handler asked for this event later")

    def __reduce__(self) -> tuple[type[RetryLater], tuple[object, ...]]:
        return type(self), (self.after,)


class Reject(DubhooksError):
    """Raise it in a handler to refuse an event for good.

    The claim is completed and the answer is 489 with
    ``Upstash-NonRetryable-Error: true``, which stops the sender's retries
    (QStash docs: retry).  For a payout this marks it as failed.
    """

    code: ClassVar[str] = "rejected"

    def __init__(self) -> None:
        super().__init__("the handler rejected this event for good")

    def __reduce__(self) -> tuple[type[Reject], tuple[object, ...]]:
        return type(self), ()
