"""Whatever comes over the wire: one reply, and no handler before the signature has passed."""

import asyncio
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dubhooks import (
    MemoryStore,
    Postbacks,
    Reply,
    VerificationError,
    Webhooks,
    postbacks,
    sign,
    verify,
    webhooks,
)
from dubhooks.testing import make_event
from dubhooks.webhooks import SaleCreated

SECRET = "whsec_0123456789abcdef0123456789abcdef"
NAMES = sorted(webhooks.family.classes)
SALE = make_event(SaleCreated).to_json()

header_values = st.text() | st.binary() | st.just(sign(SALE, SECRET)) | st.just("ab" * 32)
header_names = st.sampled_from(["Dub-Signature", "x-dub-signature", "DUB-SIGNATURE"]) | st.text()
headers = st.dictionaries(header_names, header_values) | st.lists(
    st.tuples(header_names, header_values), max_size=4
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None, categories=None))
)
documents = st.recursive(
    scalars, lambda it: st.lists(it, max_size=4) | st.dictionaries(st.text(), it, max_size=4)
)
envelopes = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=300) | scalars,
        "event": st.sampled_from([*NAMES, "payout.new"]) | st.text() | scalars,
        "createdAt": st.sampled_from(["2026-01-01T00:00:00.000Z", "1", "9999-12-31T23:59:59-14:00"])
        | st.datetimes().map(str)
        | scalars,
        "data": documents | st.just({"id": "po_1", "mode": "external"}),
    },
)


class Counted:
    """Receivers of both families whose handlers count, with and without a store."""

    def __init__(self) -> None:
        self.runs = 0
        self.receivers: list[Any] = [
            Webhooks(SECRET),
            Webhooks(SECRET, store=MemoryStore()),
            Postbacks(SECRET, store=MemoryStore(), max_body=2_000),
        ]
        families: Any = (webhooks.family, webhooks.family, postbacks.family)
        for receiver, family in zip(self.receivers, families, strict=True):
            for cls in set(family.classes.values()):
                receiver.on(cls)(self.run)
            receiver.on_unhandled(self.run)

    def run(self, _: object) -> None:
        """Count."""
        self.runs += 1


def is_signed(body: bytes, given_headers: Any) -> bool:
    """Tell whether the headers prove the body, by the plainest reading of them."""
    pairs = given_headers.items() if isinstance(given_headers, dict) else given_headers
    values = [
        value.decode("latin-1") if isinstance(value, bytes) else value
        for name, value in pairs
        if name.lower() in ("dub-signature", "x-dub-signature")
    ]
    try:
        verify(body, values[0] if len(values) == 1 else None, SECRET)
    except VerificationError:
        return False
    return True


def check(reply: Reply) -> None:
    """Check that a reply is one that Dub may be given."""
    assert reply.status in (200, 400, 401, 413, 415, 422, 501)
    assert set(json.loads(reply.body)) <= {"outcome", "code"}
    assert len(reply.body) < 100
    json.dumps(reply.event_id)


@given(st.binary() | st.just(SALE), headers)
def test_anything_at_all(body: bytes, given_headers: Any) -> None:
    """Any bytes with any headers give a reply, and run nothing unless they are signed."""
    counted = Counted()
    for receiver in counted.receivers:
        reply = receiver.handle(body, given_headers)
        check(reply)
        if not is_signed(body, given_headers):
            assert reply.status in (400, 401, 413)
            assert counted.runs == 0


def body_of(document: Any) -> bytes:
    """Return JSON, with what Python writes beyond it: NaN, Infinity, lone surrogates."""
    return json.dumps(document).encode("utf-8", "surrogatepass")


@given(st.binary() | documents.map(body_of) | envelopes.map(body_of))
def test_anything_signed(body: bytes) -> None:
    """Any bytes with a right signature give a reply, the same on an event loop."""
    signature = {"Dub-Signature": sign(body, SECRET)}
    for receiver, again in zip(Counted().receivers, Counted().receivers, strict=True):
        reply = receiver.handle(body, signature)
        check(reply)
        assert asyncio.run(again.ahandle(body, signature)) == reply
        assert reply.status != 401


@given(envelopes.map(body_of))
def test_once(body: bytes) -> None:
    """What was handled or told once is a duplicate afterwards, but an untaken payout never is."""
    counted = Counted()
    receiver = counted.receivers[1]
    signature = {"Dub-Signature": sign(body, SECRET)}
    first, second = (receiver.handle(body, signature).outcome for _ in range(2))
    if first in ("handled", "ignored"):
        assert (second, counted.runs) == ("duplicate", 1)
    elif first == "unhandled_payout":
        assert (second, counted.runs) == (first, 2)
    else:
        assert (second, counted.runs) == (first, 0)
