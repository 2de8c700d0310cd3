"""What is fuzzed, and what must hold of every input: only errors of ours, nothing lost or shown."""

import json
import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final
from zlib import crc32

import dubhooks
from dubhooks import DeliveryRecord, MemoryStore, Postbacks, Webhooks, postbacks, webhooks
from dubhooks.errors import InvalidEvent, PayloadError, VerificationError
from dubhooks.events._base import Event
from tests.fuzz.mutations import CANARY

SECRET: Final = f"whsec_{CANARY}456789abcdef0123456789abcdef"
PARSERS: Final[tuple[Callable[[bytes], Event], ...]] = (webhooks.parse, postbacks.parse)
SECONDS: Final = 0.5
"""The most CPU time for one input of some 10 kB; explaining one may take ten times as long."""


@lru_cache(maxsize=1)
def sign(body: bytes) -> str:
    """Return the right signature."""
    return dubhooks.sign(body, SECRET)


def split(data: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """Return the headers and the body of an input, with the signature in its place."""
    head, _, body = data.partition(b"\n\n")
    signature = sign(body)
    headers: list[tuple[str, str]] = []
    for line in head.decode("latin-1").split("\n"):
        name, _, value = line.partition(":")
        right, _, change = value.strip(" ").partition(" ")
        if "SIGN" in right:
            right = right.replace("SIGN", signature)
            right = {"upper": right.upper(), "short": right[1:]}.get(change, right)
            value = f" {right}"
        headers.append((name, value.removeprefix(" ")))
    return headers, body


def check_parse(data: bytes) -> None:
    """Parse a body as an event of either family; every other event in every way."""
    body = data.partition(b"\n\n")[2]
    choice = crc32(body)
    parse = PARSERS[choice % 3 == 0]
    with _in_time(SECONDS):
        event = _parse(parse, body)
    if event is not None:
        _check_event(event, body)
        if choice % 4 == 0:
            _check_copies(parse, event)


def _parse(parse: Callable[[bytes], Event], body: bytes) -> Event | None:
    try:
        return parse(body)
    except PayloadError as error:
        _check_silent(error)
        return None


def _check_event(event: Event, body: bytes) -> None:
    assert event.to_json() == body
    assert repr(event) == f"{type(event).__name__}(id={event.id!r}, event={event.event!r})"
    assert event.natural_key is None or event.natural_key
    assert event.created_at.utcoffset().total_seconds() == 0  # type: ignore[union-attr]


def _check_copies(parse: Callable[[bytes], Event], event: Event) -> None:
    assert parse(event.to_json()) == event
    assert hash(event) == hash(event.model_copy())
    assert parse(event.model_dump_json(by_alias=True, exclude_unset=True).encode()) == event
    assert type(event).model_validate(event.model_dump()) == event


def _check_silent(error: Exception) -> None:
    assert not isinstance(error, InvalidEvent) or 0 < len(error.problems) < 100
    assert CANARY not in f"{error} {error!r}"
    assert error.__context__ is error.__cause__ is None


def check_verify(data: bytes) -> None:
    """Verify a body with any headers; what passes has the one right signature."""
    headers, body = split(data)
    given = [value for name, value in headers if name.lower() == "dub-signature"]
    try:
        with _in_time(SECONDS):
            _Shop.open().receivers[0].unwrap(body, headers)
        is_proven = True
    except VerificationError as error:
        _check_silent(error)
        is_proven = False
    except PayloadError as error:
        _check_silent(error)
        is_proven = True
        if error.code in ("body_empty", "body_compressed"):
            return  # refused before the signature
    _check_proof(is_proven, headers, body)
    for value in (*given, None):
        try:
            dubhooks.verify(body, value, SECRET)
        except VerificationError as error:
            _check_silent(error)
            is_right = False
        else:
            is_right = True
        assert is_right is _is_signature(value, body)


def _check_proof(is_proven: bool, headers: list[tuple[str, str]], body: bytes) -> None:
    names = ("dub-signature", "x-dub-signature")
    values = [value for name, value in headers if name.lower() in names]
    assert is_proven is (len(values) == 1 and _is_signature(values[0], body))


def _is_signature(value: str | None, body: bytes) -> bool:
    return value is not None and value.strip(" \t").lower() == sign(body)


def check_handle(data: bytes) -> None:
    """Handle a delivery: one reply, and no handler before the signature has passed."""
    headers, body = split(data)
    shop = _Shop.open()
    receiver = shop.receivers[crc32(body) % 3 == 0]
    shop.runs = 0
    with _in_time(SECONDS), _silent_log(shop, body):
        reply = receiver.handle(body, headers)
    assert reply.status in (200, 400, 401, 409, 415, 422, 501)
    assert set(json.loads(reply.body)) <= {"outcome", "code"}
    assert len(reply.body) < 100
    assert shop.runs <= (reply.outcome in ("handled", "ignored", "unhandled_payout"))
    if body and reply.outcome not in ("unauthorized", "compressed"):
        _check_proof(True, headers, body)
    if reply.outcome == "handled":
        assert receiver.handle(body, headers).outcome == "duplicate"
        assert shop.runs == 1
        receiver.forget(str(reply.event_id))


class _Shop:
    """A receiver of each family that takes some events, and what they did."""

    MOST_DELIVERIES: Final = 5_000
    current: "_Shop | None" = None

    def __init__(self) -> None:
        self.runs = 0
        self.records: list[DeliveryRecord] = []
        hooks = Webhooks(SECRET, store=MemoryStore(), max_age=None, observers=[self.records.append])
        hooks.on(webhooks.LinkCreated, webhooks.LeadCreated, webhooks.SaleCreated)(self.run)
        hooks.on(webhooks.PayoutConfirmed, webhooks.BountyCreated)(self.run)
        hooks.on(webhooks.CommissionCreated, dedupe="natural")(self.run)
        hooks.on_unhandled(self.run)
        partner_hooks = Postbacks(
            SECRET, store=MemoryStore(), max_age=None, observers=[self.records.append]
        )
        partner_hooks.on(postbacks.CommissionCreated, dedupe="natural")(self.run)
        self.receivers: tuple[Any, ...] = (hooks, partner_hooks)

    @classmethod
    def open(cls) -> "_Shop":
        """Return the present shop, or a new one when that remembers many deliveries."""
        if cls.current is None or len(cls.current.records) > cls.MOST_DELIVERIES:
            cls.current = cls()
        return cls.current

    def run(self, _: object) -> None:
        """Count."""
        self.runs += 1


def check_explain(data: bytes) -> None:
    """Explain a signature: valid exactly when it verifies, and nothing is shown."""
    headers, body = split(data)
    values = [value for name, value in headers if name.lower() == "dub-signature"]
    value = values[0] if values else None
    with _in_time(10 * SECONDS):
        explanation = dubhooks.explain(body, value, SECRET, family="webhook")
    assert explanation.valid is _is_signature(value, body)
    assert explanation.valid is not bool(explanation.causes)
    shown = f"{explanation} {explanation!r}"
    assert CANARY not in shown
    assert sign(body) not in shown


@contextmanager
def _in_time(seconds: float) -> Generator[None]:
    before = time.thread_time()
    yield
    assert time.thread_time() - before < seconds


class _Log(logging.Handler):
    shown = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.shown += self.format(record)


_log = _Log()
_logger = logging.getLogger("dubhooks")
_logger.addHandler(_log)


@contextmanager
def _silent_log(shop: _Shop, body: bytes) -> Generator[None]:
    _log.shown = ""
    level = _logger.level
    _logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        _logger.setLevel(level)
    assert SECRET not in _log.shown
    assert sign(body) not in _log.shown
    record = shop.records[-1]
    if CANARY not in f"{record.event_id} {record.event_name}":  # a log names the event
        assert CANARY not in _log.shown


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "parse": check_parse,
    "verify": check_verify,
    "handle": check_handle,
    "explain": check_explain,
}
