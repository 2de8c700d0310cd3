"""The message: one delivery as it came, packed as JSON.

An engine logs and shows its messages, so all that is in clear is what identifies the event.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from typing import Any, Final

from .._body import Request
from .._headers import find_signature
from ..events._base import Event

_VERSION: Final = 1
_MOST_BYTES: Final = 64 * 1_048_576


class Message:
    """A message that was read.  Its ``repr`` shows nothing of the delivery."""

    def __init__(self, text: str) -> None:
        content: dict[str, Any] = json.loads(text)
        if content["v"] != _VERSION:
            raise ValueError
        self.text = text
        self.receiver = str(content["receiver"])
        self.event_name = str(content["event"])
        self.event_id = str(content["id"])
        self.received_at = float(content["received_at"])
        """Seconds since 1970, by the clock of the machine that took the delivery."""
        unpacking = zlib.decompressobj()  # bounded, because a few bytes can hold gigabytes of zeros
        delivery = unpacking.decompress(b64decode(content["delivery"], validate=True), _MOST_BYTES)
        if not unpacking.eof:
            raise ValueError
        signature, _, body = delivery.partition(b"\n")
        self.request = Request(body, [(b"dub-signature", signature)])


def pack_message(receiver: str, event: Event, request: Request, received_at: float) -> str:
    """Return the message for one verified delivery, which is ASCII.

    Args:
        receiver: the name of the receiver, as ``webhook:default``.
        event: what the delivery brings.
        request: the delivery.
        received_at: seconds since 1970.
    """
    signature = str(find_signature(request.headers)).strip()
    delivery = zlib.compress(f"{signature}\n".encode("ascii") + request.body)
    content = {
        "v": _VERSION,
        "receiver": receiver,
        "event": event.event,
        "id": event.id,
        "received_at": received_at,
        "delivery": b64encode(delivery).decode("ascii"),
    }
    return json.dumps(content, separators=(",", ":"))


def read_message(text: str) -> Message | None:
    """Return the message, or ``None`` for what this version cannot read."""
    try:
        return Message(text)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, zlib.error):
        return None
