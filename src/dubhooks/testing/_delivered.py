"""What came of a delivery, and what can be wrong with several."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import PayloadError
from ..payload import read_document
from ..reply import Outcome, find_outcome

_DIGIT_OF_TIME = re.compile(rb'(?<=\.[0-9]{2})[0-9](?=Z")')
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
    """HTTP headers; names in lower case, and of several with the same name the last one."""
    body: bytes = field(repr=False)
    outcome: Outcome | None
    """What became of it; ``None`` when the answer is not dubhooks' own: a route's handler
    answered itself, or the delivery did not reach a receiver."""
    code: str | None
    """Code of the error that refused it, if any."""
    event_id: str | None
    """The id in the body that was sent, if any."""


def change_byte(body: bytes) -> bytes:
    """Return ``body`` with one byte changed; an event stays an event."""
    changed = _DIGIT_OF_TIME.sub(lambda digit: b"%d" % (9 - int(digit[0])), body, count=1)
    return changed if changed != body else body[:-1] + bytes([body[-1] ^ 1])


def find_fault(seen: Sequence[Delivered], path: str) -> str | None:
    """Return why these deliveries of one event are not one that was handled, if so."""
    if not seen:
        return "was not delivered by this client: call deliver(event) first"
    handled = sum(one.outcome == "handled" for one in seen)
    unclear = sum(one.outcome is None and 200 <= one.status < 300 for one in seen)
    parts = [filter(None, (str(one.status), one.outcome, one.code)) for one in seen]
    told = ", ".join(map(" ".join, parts))
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


def read_reply(body: bytes) -> tuple[Outcome | None, str | None]:
    """Return outcome and code of a reply of dubhooks; neither when it is another answer."""
    reply = read_object(body)
    # The latter is what a decorated route of FastAPI raises.
    is_ours = reply.keys() <= {"outcome", "code"} or reply.keys() == {"detail"}
    told = reply.get("outcome", reply.get("detail"))
    outcome = find_outcome(told) if is_ours and isinstance(told, str) else None
    code = reply.get("code", told if told != outcome else None)
    return (outcome, code) if outcome else (None, None)


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in ``body``; an empty one when there is none."""
    try:
        return read_document(body)
    except PayloadError:
        return {}
