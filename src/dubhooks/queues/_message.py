"""The message: one delivery as it came, packed as JSON.

An engine logs and shows its messages, so all that is in clear is what identifies the event.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, cast

from .._body import Request
from .._headers import find_signature

if TYPE_CHECKING:
    from ..events._base import Event

__all__ = ["Message", "pack_message", "read_message"]

_VERSION: Final = 1
_SIGNATURE_SIZE: Final = 65
"""Bytes of a signature in hex and of the end of its line, which come before the body."""
_MOST_UNPACKED: Final = 64 * 1_048_576
"""Bytes: no body is longer, unless a receiver allows it."""


class Message:
    """A message that was read.  Its ``repr`` shows nothing of the delivery."""

    __slots__ = ("_delivery", "event_id", "event_name", "received_at", "receiver", "text")

    def __init__(self, text: str, content: dict[str, Any]) -> None:
        self.text = text
        self.receiver = str(content["receiver"])
        self.event_name = str(content["event"])
        self.event_id = str(content["id"])
        self.received_at = float(content["received_at"])
        """Seconds since 1970, by the clock of the machine that took the delivery."""
        self._delivery = content["delivery"]
        if content["v"] != _VERSION or not isfinite(self.received_at):
            raise ValueError

    def __repr__(self) -> str:
        return f"<Message for {self.receiver:.64}>"

    def unpack(self, max_body: int) -> Request | None:
        """Return the whole delivery, or ``None`` when it cannot be read.

        Args:
            max_body: the most bytes of a body today; it may have been more when this one came.
        """
        try:
            packed = b64decode(self._delivery, validate=True)
            unpacking = zlib.decompressobj()
            unpacked = unpacking.decompress(
                packed, max(max_body, _MOST_UNPACKED) + _SIGNATURE_SIZE + 1
            )
        except (ValueError, TypeError, zlib.error):
            return None
        if not unpacking.eof:
            return None  # half a body would be a dead letter that nobody can verify
        signature, _, body = unpacked.partition(b"\n")
        return Request(body, [(b"dub-signature", signature)])


def pack_message(receiver: str, event: Event, request: Request, received_at: float) -> str:
    """Return the message for one verified delivery, which is ASCII.

    Args:
        receiver: the name of the receiver, as ``webhook:default``.
        event: what the delivery brings.
        request: the delivery.
        received_at: seconds since 1970.
    """
    signature = str(find_signature(request.headers)).strip()
    delivery = f"{signature}\n".encode("ascii") + request.body
    return json.dumps(
        {
            "v": _VERSION,
            "receiver": receiver,
            "event": event.event,
            "id": event.id,
            "received_at": received_at,
            "delivery": b64encode(zlib.compress(delivery)).decode("ascii"),
        },
        separators=(",", ":"),
    )


def read_message(text: object) -> Message | None:
    """Return the message, or ``None`` for what this version cannot read."""
    try:
        content: object = json.loads(cast("str", text))
        return Message(cast("str", text), cast("dict[str, Any]", content))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
