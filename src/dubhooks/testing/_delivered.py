"""What came of a delivery, and what can be wrong with several."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast, get_args

from ..errors import ConfigurationError, PayloadError
from ..events._base import Event
from ..payload import read_document
from ..reply import Outcome, find_outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._exchange import Answer, Request

__all__ = ["Delivered", "delivered", "event_id_of", "fault_in", "tampered"]

_OUTCOMES = frozenset(get_args(Outcome))
_TIME = re.compile(rb'("createdAt"\s*:\s*"[^"]*)([0-9])')
_HINTS: dict[str | int, str] = {
    "ignored": "is a handler registered for it, by the module that the app imports?",
    "unauthorized": "does the app have the client's secret, and the raw body?",
    "failed": "the log has what its handler raised",
    "duplicate": "it was done before: make a new event for every test",
    404: "is the receiver mounted there?",
    500: "the log has what was raised",
}


@dataclass(frozen=True)
class Delivered:
    """What an application answered to one delivery."""

    status: int
    """HTTP status."""
    headers: dict[str, str] = field(repr=False)
    """HTTP headers; names in lower case, values of the same name joined with a comma."""
    body: bytes = field(repr=False)
    outcome: Outcome | None
    """What became of it; ``None`` when the answer is not dubhooks' own: a route's handler
    answered itself, or the delivery did not reach a receiver."""
    code: str | None
    """Code of the error that refused it, if any."""
    event_id: str | None
    """The id in the body that was sent, if any."""


def delivered(request: Request, answer: Answer) -> Delivered:
    """Return what came of a request."""
    headers: dict[str, str] = {}
    for name, value in answer.headers:
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    reply = _reply_in(answer.body)
    return Delivered(
        answer.status,
        headers,
        answer.body,
        cast("Outcome | None", reply.get("outcome")),
        reply.get("code"),
        _id_in(request.body),
    )


def event_id_of(event: Event) -> str:
    """Return the id of an event.

    Raises:
        ConfigurationError: it is not an event.
    """
    if not isinstance(event, Event):
        raise ConfigurationError(
            f"an event is wanted here, not {type(event).__name__}: the one that was delivered"
        )
    return event.id


def tampered(body: bytes) -> bytes:
    """Return ``body`` with one byte changed; an event stays an event.

    Raises:
        ConfigurationError: it is empty.
    """
    if not body:
        raise ConfigurationError("an empty body has no byte to change")
    time = _TIME.search(body)
    if time is None:
        return body[:-1] + bytes([body[-1] ^ 1])
    digit = b"%d" % ((int(time[2]) + 1) % 10)
    return body[: time.start(2)] + digit + body[time.end(2) :]


def fault_in(seen: Sequence[Delivered], path: str) -> str | None:
    """Return why these deliveries of one event are not one that was handled, if so."""
    if not seen:
        return "was not delivered by this client: call deliver(event) first"
    handled = sum(one.outcome == "handled" for one in seen)
    unclear = sum(one.outcome is None and 200 <= one.status < 300 for one in seen)
    told = ", ".join(map(_shown, seen))
    if handled + unclear == 0:
        hint = _HINTS.get(seen[-1].outcome or seen[-1].status)
        return f"was not handled at {path}: {told}" + (f"; {hint}" if hint else "")
    if handled + unclear > 1:
        return (
            f"was handled {handled + unclear} times: {told}; a receiver handles an event once if "
            "it has a store, and the same one for all deliveries"
        )
    # A receiver has seen the event before, so the answer that is not its own was its handler's.
    if handled or any(one.outcome == "duplicate" for one in seen):
        return None
    return (
        f"may not have been handled: {told} is not an answer of dubhooks; if the route's handler "
        "answers itself, deliver twice: the second delivery must be a duplicate"
    )


def _shown(one: Delivered) -> str:
    details = " ".join(filter(None, (one.outcome, one.code)))
    return f"{one.status} {details}".rstrip()


def _reply_in(body: bytes) -> dict[str, Any]:
    """Return the members of a reply of dubhooks; nothing when it is another answer."""
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    reply = cast("dict[str, Any]", document if isinstance(document, dict) else {})
    if reply.keys() <= {"outcome", "code"} and reply.get("outcome") in _OUTCOMES:
        return reply
    # What a decorated route of FastAPI raises.
    detail = reply.get("detail") if len(reply) == 1 else None
    outcome = find_outcome(detail) if isinstance(detail, str) else None
    if outcome is None:
        return {}
    return {"outcome": outcome} | ({"code": detail} if detail != outcome else {})


def _id_in(body: bytes) -> str | None:
    try:
        event_id: object = read_document(body).get("id")
    except PayloadError:
        return None
    return event_id if isinstance(event_id, str) else None
