"""Bodies that only survive when nobody between the socket and the handler rewrites them."""

from __future__ import annotations

from collections.abc import Callable

from dubhooks.testing import make_event
from dubhooks.webhooks import KnownWebhookEvent


def odd_bodies(cls: type[KnownWebhookEvent]) -> dict[str, tuple[str, bytes]]:
    """Return event id and body of events in which JSON is written in unusual ways."""
    bodies: dict[str, tuple[str, bytes]] = {}
    for title, change in _CHANGES.items():
        event = make_event(cls)
        bodies[title] = event.id, change(event.to_json())
    return bodies


def _with_member(member: str, body: bytes) -> bytes:
    assert body.startswith(b"{")
    return b"{" + member.encode() + b"," + body[1:]


_CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "as Dub sends it": lambda body: body,
    "spaces and line ends": lambda body: b"\r\n{ \t" + body[1:] + b"\n\n",
    "escapes": lambda body: _with_member(r'"x":"\u00e9\u2028\/\ud83d\ude00\u003c"', body),
    "not ASCII": lambda body: _with_member('"x":"é\u2028😀 日本"', body),
    "big numbers": lambda body: _with_member('"x":[123456789012345678901234567890,1.0,1e2]', body),
    "the same key twice": lambda body: _with_member('"x":1,"x":2', body),
    "percent and plus": lambda body: _with_member('"x":"a=b&c=%20+d"', body),
}
