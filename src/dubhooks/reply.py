"""Map an outcome to the HTTP reply that Dub's queue expects.

Dub counts every answer from 400 on towards disabling the endpoint, and takes
any answer below 400 to a payout as "paid".  Bodies are constant codes, because
Dub stores them and shows them in its dashboard.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import Final, Literal, TypeAlias

from . import errors

__all__ = ["DeliveryRecord", "Outcome", "Reply"]

Refusal: TypeAlias = errors.VerificationError | errors.PayloadError

Outcome: TypeAlias = Literal[
    "handled",
    "queued",
    "duplicate",
    "ignored",
    "unhandled_payout",
    "busy",
    "conflict",
    "unauthorized",
    "malformed",
    "invalid",
    "too_large",
    "too_slow",
    "wrong_method",
    "compressed",
    "unavailable",
    "retry",
    "rejected",
    "failed",
]
"""What became of a delivery."""

_STATUS: Final[dict[Outcome, int]] = {
    "handled": 200,
    "queued": 202,
    "duplicate": 200,
    "ignored": 200,
    # Not 2xx: that would mark a payout as paid that nobody took over.
    "unhandled_payout": 501,
    "busy": 409,
    "conflict": 422,
    "unauthorized": 401,
    "malformed": 400,
    "invalid": 422,
    "too_large": 413,
    "too_slow": 408,
    "wrong_method": 405,
    "compressed": 415,
    "unavailable": 503,
    "retry": 503,
    # With the header below, this one status stops the queue's retries (QStash docs: retry).
    "rejected": 489,
    "failed": 500,
}

_HEADERS: Final[dict[Outcome, dict[str, str]]] = {
    "unavailable": {"Retry-After": "30"},
    "wrong_method": {"Allow": "POST"},
    "rejected": {"Upstash-NonRetryable-Error": "true"},
    "too_large": {"Connection": "close"},
    "too_slow": {"Connection": "close"},
}

_REFUSALS: Final[dict[type, Outcome]] = {
    errors.VerificationError: "unauthorized",
    errors.InvalidEvent: "invalid",
    errors.BodyTooLarge: "too_large",
    errors.BodyTooSlow: "too_slow",
    errors.BodyCompressed: "compressed",
    errors.MethodNotAllowed: "wrong_method",
    errors.PayloadError: "malformed",
}


@dataclass(frozen=True)
class Reply:
    """The answer to one delivery, for any framework to send."""

    status: int
    """HTTP status."""
    headers: dict[str, str]
    """HTTP headers, ``Content-Type`` among them; no ``Content-Length``."""
    body: bytes
    """A short JSON object of constant codes."""
    outcome: Outcome
    """What became of the delivery."""
    event_id: str | None = None
    """Dub's id of the event, once the body was verified and read."""


@dataclass(frozen=True)
class DeliveryRecord:
    """What an observer gets about a delivery; nothing of its payload."""

    outcome: Outcome
    """What became of the delivery."""
    status: int
    """HTTP status of the reply."""
    family: str
    """``webhook`` or ``postback``."""
    namespace: str
    """The receiver's ``namespace``."""
    seconds: float
    """Seconds from receiving the body to the reply."""
    event_name: str | None = None
    """``sale.created``, once the body was verified and read."""
    event_id: str | None = None
    """Dub's id of the event."""
    handler: str | None = None
    """The name of the function that took the event."""
    attempt: int | None = None
    """How many times the event was claimed, this time included."""
    age: float | None = None
    """Seconds from the event's ``createdAt`` to the reply, by this machine's clock."""
    error_code: str | None = None
    """``code`` of the error that refused the delivery."""
    queued_seconds: float | None = None
    """Seconds from the delivery to the work on it, in a queue's worker; ``None`` elsewhere."""


def build_reply(
    outcome: Outcome,
    event_id: str | None = None,
    *,
    status: int | None = None,
    code: str | None = None,
    retry_after: float | None = None,
) -> Reply:
    """Return the reply for an outcome.

    Args:
        outcome: what became of the delivery.
        event_id: Dub's id of the event, when it is known.
        status: the HTTP status, when it is not the outcome's own.
        code: the ``code`` of the error that refused the delivery.
        retry_after: seconds until the sender may try again.
    """
    headers = {"Content-Type": "application/json", **_HEADERS.get(outcome, {})}
    if retry_after is not None:
        headers["Retry-After"] = str(ceil(retry_after))
    body = _build_body(outcome, code)
    return Reply(status or _STATUS[outcome], headers, body, outcome, event_id)


def build_refusal(error: Refusal) -> Reply:
    """Return the reply to a delivery that was refused with ``error``."""
    outcome = _outcome_of(type(error))
    return build_reply(outcome, getattr(error, "event_id", None), code=error.code)


@cache
def find_outcome(code: str) -> Outcome | None:
    """Return the outcome that a code stands for where it is all that was answered.

    FastAPI writes the code of an exception as the ``detail`` of its answer.
    """
    if code in _STATUS:
        return code
    if code == errors.RetryLater.code:
        return "retry"
    kinds = [one for one in vars(errors).values() if isinstance(one, type)]
    refusals = [one for one in kinds if issubclass(one, Refusal)]
    return next((_outcome_of(one) for one in refusals if one.code == code), None)


def _outcome_of(kind: type[Refusal]) -> Outcome:
    return next(_REFUSALS[one] for one in kind.__mro__ if one in _REFUSALS)


@cache
def _build_body(outcome: Outcome, code: str | None) -> bytes:
    reason = f',"code":"{code}"' if code else ""
    return f'{{"outcome":"{outcome}"{reason}}}'.encode()
