"""Requests as Dub sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..events._base import Event
from ..signature import raw_body, sign

if TYPE_CHECKING:
    from ..signature import Secret

__all__ = ["signed_request"]


def signed_request(event: Event | bytes, secret: Secret) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of the request that delivers ``event``.

    Bytes are signed as they are, whatever they hold.  With several secrets the
    first one signs.

    Raises:
        ConfigurationError: the secret is unusable, or ``event`` is neither an
            event nor bytes.
    """
    body = event.to_json() if isinstance(event, Event) else raw_body(event)
    return body, {"Content-Type": "application/json", "Dub-Signature": sign(body, secret)}
