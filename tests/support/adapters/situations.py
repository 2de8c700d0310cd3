"""The situations that every endpoint can meet, and what must come of each (DESIGN §4)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from dubhooks import (
    DeadLetterDirectory,
    DubhooksError,
    MemoryStore,
    Reject,
    RetryLater,
    SQLiteStore,
    sign,
)
from dubhooks.events._base import Event
from dubhooks.testing import make_event
from dubhooks.webhooks import LinkClicked, PayoutConfirmed, SaleCreated
from tests.support.adapters.clients import PIECE, Client, Headers, Response

SECRET = "whsec_0123456789abcdef0123456789abcdef"
OWN_BODY = "the handler's own response"
MAX_BODY = 16_384
READ_TIMEOUT = 0.2
"""Seconds for a body to arrive, in situations that need ``stall``."""

SALE = make_event(SaleCreated)
PAYOUT = make_event(PayoutConfirmed)


class HandlerFailed(Exception):
    """What a handler of the table raises."""


@dataclass(frozen=True)
class Request:
    """One request, signed unless ``headers`` say otherwise."""

    body: bytes
    headers: Headers | None = None
    """Instead of a content type and a right signature."""
    method: str = "POST"
    chunked: bool = False
    stall: float = 0.0

    def send(self, client: Client) -> Response:
        """Send it."""
        headers = signed(self.body) if self.headers is None else self.headers
        return client.post(
            self.body, headers, chunked=self.chunked, method=self.method, stall=self.stall
        )


@dataclass(frozen=True)
class Step:
    """A request and what comes of it."""

    request: Request
    status: int
    outcome: str | None = None
    """What the observers are told; ``None``: the framework answers before it reaches us."""
    runs: int = 0
    """How often the handler has run by now."""
    code: str | None = None
    """``code`` in the reply's body."""
    headers: dict[str, str] = field(default_factory=dict)
    """Response headers, lower case; a value that is a prefix is enough."""
    is_own: bool = False
    """A route's handler answered itself, so the body is ``OWN_BODY``."""


@dataclass(frozen=True)
class Situation:
    """What an endpoint meets: requests in their order, and what must come of each."""

    name: str
    steps: Sequence[Step]
    answers: Sequence[int | Exception | None] = (None,)
    """What the handler does at each run: answers a status, raises, or returns nothing; the last
    one goes on."""
    events: tuple[type[Any], ...] = (SaleCreated,)
    """Events the handler is for; none: every event."""
    dedupe: str = "id"
    registered: tuple[type[Any], ...] = ()
    """Events that a route does not take, with a handler of ``on`` that returns ``OWN_BODY``."""
    settings: Callable[[Path], dict[str, Any]] = lambda _: {}
    """Settings of the receiver beside its memory store, given an empty directory."""
    needs: str = ""
    """What an adapter must be able to see: ``chunked``, ``stall``, ``doubles`` (a header that comes
    twice), ``reads early`` (chunks, as they come) or ``route``."""
    check: Callable[[Client, Path], None] = lambda _client, _path: None
    """What else must hold in the end."""


def signed(body: bytes) -> Headers:
    """Return the headers that Dub sends with ``body``."""
    return [("Content-Type", "application/json"), ("Dub-Signature", sign(body, SECRET))]


def with_signature(*values: str) -> Request:
    """Return a sale with these signature headers instead."""
    headers = [("Content-Type", "application/json")]
    return Request(BODY, headers + [("Dub-Signature", value) for value in values])


def changed(event: Event, /, **members: object) -> bytes:
    """Return the body of ``event`` with some members of its envelope changed."""
    return json.dumps(json.loads(event.to_json()) | members).encode()


BODY = SALE.to_json()
SIGNATURE = sign(BODY, SECRET)
LINK = Request(make_event(LinkClicked).to_json())
PAYOUT_REQUEST = Request(PAYOUT.to_json())
SAME_PAYOUT = Request(make_event(PayoutConfirmed, data__id=PAYOUT.data.id).to_json())
SALE_REQUEST = Request(BODY)
NOT_A_SALE = changed(SALE, data={"customer": None})
NOT_A_PAYOUT = changed(PAYOUT, data={})
OLD = changed(SALE, createdAt=(datetime.now(timezone.utc) - timedelta(days=31)).isoformat())
# Not gzip.compress(BODY) at import: its header holds the time.
COMPRESSED = gzip.compress(BODY, mtime=0)
LARGE = changed(SALE, padding="x" * MAX_BODY)
HUGE = changed(SALE, padding="x" * 64 * MAX_BODY)
EXACT = changed(SALE, padding="x" * (MAX_BODY - len(changed(SALE, padding=""))))


def held(_: Path) -> dict[str, Any]:
    """Return a store in which another worker holds the sale."""
    store = MemoryStore()
    settings = {"lease": 45.0, "retention": 3600.0}
    store.claim(f"default:{SALE.id}", "another worker", fingerprint=sha_of(BODY), **settings)
    return {"store": store}


def sha_of(body: bytes) -> str:
    """Return the fingerprint of a body."""
    from hashlib import sha256

    return sha256(body).hexdigest()


def down(path: Path) -> dict[str, Any]:
    """Return a store whose database is no database."""
    file = path / "claims.db"
    store = SQLiteStore(file)
    file.write_bytes(b"this is not a database" * 100)
    return {"store": store}


class Letters(DeadLetterDirectory):
    """Dead letters as files, with a note of all the headers that came with the last one."""

    def keep(self, body: bytes, headers: Mapping[str, str], error: DubhooksError) -> None:
        """Keep a delivery."""
        super().keep(body, headers, error)
        (self.path / "headers").write_text(json.dumps(dict(headers)))


def letters(path: Path) -> dict[str, Any]:
    """Return a place for dead letters."""
    return {"dead_letters": Letters(path / "letters")}


def one_letter_is_kept(body: bytes, status: int) -> Callable[[Client, Path], None]:
    """Return a check that this body was kept with its headers, and is accepted with them again."""

    def check(client: Client, path: Path) -> None:
        (file,) = (path / "letters").glob("*.body")
        assert file.read_bytes() == body
        kept = {"content-type": "application/json", "dub-signature": sign(body, SECRET)}
        others = {"content-length": str(len(body)), "host": "testserver"}
        assert json.loads((path / "letters" / "headers").read_text()) == kept | others
        headers = json.loads(file.with_suffix(".json").read_text())["headers"]
        assert headers == kept
        assert Request(body, list(headers.items())).send(client).status == status

    return check


def little_was_read(client: Client, _: Path) -> None:
    """Check that reading stopped soon after the limit."""
    assert client.sent <= MAX_BODY + 4 * PIECE + 65_536


HANDLED = Step(SALE_REQUEST, 200, "handled", runs=1)

AGAIN = Step(SALE_REQUEST, 200, "handled", runs=2)
DUPLICATE = Step(SALE_REQUEST, 200, "duplicate", runs=1)
COMPRESSED_REQUEST = Request(COMPRESSED, [*signed(COMPRESSED), ("Content-Encoding", "gzip")])
TWICE = with_signature(SIGNATURE, SIGNATURE)
STOPS_QUEUE = {"upstash-nonretryable-error": "true"}

HANDLED_SITUATIONS = [
    Situation("handled", [HANDLED]),
    Situation(
        "handled-x-dub-signature",
        [Step(Request(BODY, [("X-Dub-Signature", SIGNATURE)]), 200, "handled", runs=1)],
    ),
    Situation(
        "handled-chunked",
        [Step(Request(BODY, chunked=True), 200, "handled", runs=1)],
        needs="chunked",
    ),
    Situation("handled-exactly-max-body", [Step(Request(EXACT), 200, "handled", runs=1)]),
    Situation(
        "answered-202", [Step(SALE_REQUEST, 202, "handled", runs=1, is_own=True)], answers=[202]
    ),
    Situation("duplicate", [HANDLED, DUPLICATE]),
    Situation("conflict", [HANDLED, Step(Request(changed(SALE, x=1)), 422, "conflict", runs=1)]),
    Situation(
        "busy", [Step(SALE_REQUEST, 409, "busy", headers={"retry-after": "4"})], settings=held
    ),
    Situation("ignored", [Step(LINK, 200, "ignored")]),
    *(
        Situation(
            f"payout-under-another-id-{dedupe}",
            [Step(PAYOUT_REQUEST, 200, "handled", 1), Step(SAME_PAYOUT, 200, outcome, runs)],
            events=(PayoutConfirmed,),
            dedupe=dedupe,
        )
        for dedupe, outcome, runs in (("natural", "duplicate", 1), ("id", "handled", 2))
    ),
    Situation(
        "falls-back-to-on",
        [
            Step(SALE_REQUEST, 202, "handled", runs=1, is_own=True),
            Step(LINK, 200, "handled", runs=2),
            Step(LINK, 200, "duplicate", runs=2),
        ],
        answers=[202, None],
        registered=(LinkClicked,),
        needs="route",
    ),
    Situation("unhandled-payout", [Step(PAYOUT_REQUEST, 501, "unhandled_payout")]),
    Situation(
        "catch-all-payout",
        [Step(PAYOUT_REQUEST, 501, "unhandled_payout")],
        events=(),
        needs="route",
    ),
    Situation(
        "store-down",
        [Step(SALE_REQUEST, 503, "unavailable", headers={"retry-after": "30"})],
        settings=down,
    ),
    Situation(
        "retry-later",
        [Step(SALE_REQUEST, 503, "retry", 1, headers={"retry-after": "300"}), AGAIN],
        answers=[RetryLater(after=300), None],
    ),
    Situation(
        "reject",
        [Step(SALE_REQUEST, 489, "rejected", 1, headers=STOPS_QUEUE), DUPLICATE],
        answers=[Reject()],
    ),
    Situation(
        "raised-then-retried",
        [Step(SALE_REQUEST, 500, "failed", runs=1), AGAIN, replace(DUPLICATE, runs=2)],
        answers=[HandlerFailed(), None],
    ),
    Situation(
        "answered-500-then-retried",
        [Step(SALE_REQUEST, 500, "failed", runs=1, is_own=True), AGAIN],
        answers=[500, None],
    ),
    Situation(
        "answered-redirect-then-retried",
        [Step(SALE_REQUEST, 500, "failed", runs=1), AGAIN],
        answers=[302, None],
    ),
]

REFUSED: list[tuple[str, Request, int, str, str, dict[str, Any]]] = [
    ("signature-missing", with_signature(), 401, "unauthorized", "signature_missing", {}),
    (
        *("signature-mismatch", with_signature(sign(BODY, "other"))),
        *(401, "unauthorized", "signature_mismatch", {}),
    ),
    (
        *("signature-header-twice", TWICE, 401, "unauthorized", "signature_malformed"),
        {"needs": "doubles"},
    ),
    (
        *("signature-not-ascii", with_signature("\xe9" * 64)),
        *(401, "unauthorized", "signature_malformed", {}),
    ),
    ("json-malformed", Request(b'{"id":'), 400, "malformed", "invalid_json", {}),
    ("too-old", Request(OLD), 400, "malformed", "event_too_old", {}),
    ("empty", Request(b""), 400, "malformed", "body_empty", {}),
    ("compressed", COMPRESSED_REQUEST, 415, "compressed", "body_compressed", {}),
    ("invalid", Request(NOT_A_SALE), 422, "invalid", "invalid_event", {}),
    (
        *("invalid-dead-letters", Request(NOT_A_SALE), 200, "invalid", "invalid_event"),
        {"settings": letters, "check": one_letter_is_kept(NOT_A_SALE, 200)},
    ),
    (
        *("invalid-payout-dead-letters", Request(NOT_A_PAYOUT), 501, "invalid", "invalid_event"),
        {
            "events": (PayoutConfirmed,),
            "settings": letters,
            "check": one_letter_is_kept(NOT_A_PAYOUT, 501),
        },
    ),
    (
        *("too-large", Request(LARGE), 413, "too_large", "body_too_large"),
        {"check": little_was_read},
    ),
    (
        *("too-large-chunked", Request(HUGE, chunked=True), 413, "too_large", "body_too_large"),
        {"needs": "chunked"},
    ),
    (
        *("too-large-read-early", Request(HUGE, chunked=True), 413, "too_large", "body_too_large"),
        {"needs": "reads early", "check": little_was_read},
    ),
    (
        *("slow", Request(BODY, stall=4 * READ_TIMEOUT), 408, "too_slow", "body_too_slow"),
        {"needs": "stall"},
    ),
]
"""Refused before any handler: name, request, status, outcome, code, and more of the situation."""

SITUATIONS = [
    *HANDLED_SITUATIONS,
    *(
        Situation(name, [Step(request, status, outcome, code=code)], **more)
        for name, request, status, outcome, code, more in REFUSED
    ),
    Situation(
        "wrong-method",
        [Step(Request(b"", headers=[], method="GET"), 405), Step(Request(BODY, method="PUT"), 405)],
    ),
]
