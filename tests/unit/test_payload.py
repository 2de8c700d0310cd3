"""From bytes to an envelope: what is not JSON, what is not an event, and which payouts look so."""

import json
import math
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from dubhooks import postbacks, webhooks
from dubhooks.errors import ConfigurationError, InvalidEnvelope, InvalidEvent, InvalidJSON
from dubhooks.events._base import Event
from tests.support.payload_fixtures import PRODUCTION, encode

SALE = PRODUCTION["webhooks", "sale.created"]
FAMILIES = pytest.mark.parametrize("parse", [webhooks.parse, postbacks.parse])
Parse = Callable[[bytes], Event]
PARSERS: tuple[Parse, ...] = (webhooks.parse, postbacks.parse)


def _envelope(**changes: Any) -> dict[str, Any]:
    known = {"id": "evt_1", "event": "a.b", "createdAt": "2026-08-20T10:11:12.345Z", "data": {}}
    return known | changes


def _with_data(data: str, name: str = "new.event") -> bytes:
    text = json.dumps(_envelope(event=name, data=0)).replace('"data": 0', f'"data": {data}')
    return text.encode()


NOT_JSON: dict[str, bytes] = {
    "text": b"hello",
    "truncated": SALE.rstrip()[:-1],
    "truncated in a character": encode({"id": "é"})[:8],
    "two documents": encode(_envelope()) * 2,
    "NUL after": encode(_envelope()) + b"\0",
    "bad escape": b'{"id":"\\x41"}',
    "BOM": b"\xef\xbb\xbf" + SALE,
    "UTF-16": SALE.decode().encode("utf-16"),
    "Latin-1": SALE.decode().replace("✓", "é").encode("latin-1", "replace"),
    "invalid UTF-8": SALE.replace(b"Purchase", b"Purch\xff"),
    "surrogate in UTF-8": SALE.replace(b"Purchase", b"\xed\xa0\xbd"),
    "gzip": bytes.fromhex("1f8b0800000000000003ab562aca2c52b25250ca4852d25128492d2e51aa0500"),
    "100,000 nested arrays": _with_data("[" * 100_000 + "]" * 100_000),
    "100,000 nested objects": _with_data('{"a":' * 100_000 + "1" + "}" * 100_000),
    "300 nested arrays": _with_data("[" * 300 + "]" * 300),
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_not_json(body: bytes) -> None:
    """A body that is not JSON in UTF-8 has one answer, which shows nothing of it."""
    for parse in PARSERS:
        with pytest.raises(InvalidJSON) as raised:
            parse(body)
        assert raised.value.code == "invalid_json"
        assert str(raised.value) == (
            "the body is not a JSON document in UTF-8, or begins with a byte order mark, is nested "
            "too deep or holds a number that is too long: is it the body that Dub sent?"
        )
        assert raised.value.__context__ is raised.value.__cause__ is None


NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "1E+400", "9" * 5000, "-" + "9" * 5000]
PLACES: dict[str, tuple[bytes, bytes]] = {
    "typed number": (b'"amount": 1990', b'"amount": %s'),
    "typed integer": (b'"clicks": 1201', b'"clicks": %s'),
    "optional float": (b'"percentage": 30', b'"percentage": %s'),
    "text": (b'"eventName": "Purchase"', b'"eventName": %s'),
    "list": (b'"webhookIds": [', b'"webhookIds": %s, "others": ['),
    "metadata": (b'"seats": 3', b'"seats": %s'),
    "deep in metadata": (b"true", b'[{"a": %s}]'),
    "unknown key of the envelope": (b'"data": {', b'"extra": %s, "data": {'),
    "unknown key of an object": (b'"sale": {', b'"sale": {"extra": [%s], '),
    "id": (b'"id": "evt_Wfixture05"', b'"id": %s'),
    "event": (b'"event": "sale.created"', b'"event": %s'),
    "createdAt": (b'"createdAt": "2026-08-20T10:12:05.926Z"', b'"createdAt": %s'),
}


@pytest.mark.parametrize(("old", "new"), PLACES.values(), ids=PLACES.keys())
def test_number_that_no_float_and_no_json_has(old: bytes, new: bytes) -> None:
    """NaN, Infinity and numbers that overflow are refused wherever they stand."""
    assert SALE.count(old) >= 1
    for number in NUMBERS:
        with pytest.raises(InvalidJSON) as raised:
            webhooks.parse(SALE.replace(old, new % number.encode()))
        assert number not in str(raised.value)
        assert raised.value.__context__ is None


@FAMILIES
@pytest.mark.parametrize(
    "body", [SALE.decode(), json.loads(SALE), None], ids=["str", "dict", "None"]
)
def test_not_bytes(parse: Parse, body: Any) -> None:
    """A body that somebody decoded or parsed already is the developer's error."""
    with pytest.raises(ConfigurationError, match=type(body).__name__):
        parse(body)


def test_other_bytes_like_bodies() -> None:
    """A bytearray and a memoryview are read, and written again as bytes."""
    for body in (bytearray(SALE), memoryview(SALE)):
        event = webhooks.parse(body)  # type: ignore[arg-type]
        assert event.to_json() == SALE
        assert type(event.to_json()) is bytes


WRONG: dict[str, list[Any]] = {
    "id": [None, "", 1, 1.5, True, [], {}, ["evt_1"]],
    "event": [None, "", 1, True, [], {}, ["sale.created"]],
    "createdAt": [None, "", "soon", True, [], {}, "2026-13-01T00:00:00.000Z"],
}


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, value) for key, values in WRONG.items() for value in values],
    ids=json.dumps,
)
def test_wrong_envelope(key: str, value: Any) -> None:
    """Id, name and date are checked before anything else, and named when they are wrong."""
    for parse, name in product(PARSERS, ("new.event", "sale.created")):
        with pytest.raises(InvalidEnvelope) as raised:
            parse(encode(_envelope(**{"event": name, key: value})))
        assert str(raised.value) == f"the JSON is not an event: check {key}"
        assert raised.value.code == "invalid_envelope"
        assert raised.value.__context__ is None


@pytest.mark.parametrize("key", ["id", "event", "createdAt", "data"])
def test_envelope_without_a_key(key: str) -> None:
    """All four keys must be there, and every missing one is named."""
    for parse, name in product(PARSERS, ("new.event", "sale.created")):
        document = _envelope(event=name)
        del document[key]
        with pytest.raises(InvalidEnvelope, match=f"check {key}$"):
            parse(encode(document))
        with pytest.raises(InvalidEnvelope, match=r"check id, event, createdAt, data$"):
            parse(b" {}\n")


@FAMILIES
@pytest.mark.parametrize("data", [None, [], [{}], "text", 1, True], ids=json.dumps)
def test_data_of_a_known_event_that_is_not_an_object(parse: Parse, data: Any) -> None:
    """It is the event that does not fit, not the envelope."""
    with pytest.raises(InvalidEvent) as raised:
        parse(encode(_envelope(event="commission.created", data=data)))
    assert [path for path, _ in raised.value.problems] == ["data"]
    assert (raised.value.event_name, raised.value.event_id) == ("commission.created", "evt_1")


@FAMILIES
@pytest.mark.parametrize(
    "data",
    ["null", "1", '"text"', "[]", "{}", "-0.0", "1e300", "9" * 4000, '{"a":[1,{"b":null}]}'],
    ids=lambda data: data[:9],
)
def test_unknown_event(parse: Parse, data: str) -> None:
    """An event without a model keeps its data, whatever JSON that is."""
    body = _with_data(data)
    event = parse(body)
    assert isinstance(event, webhooks.UnknownEvent)
    assert (event.id, event.event, event.natural_key) == ("evt_1", "new.event", None)
    assert event.data == json.loads(data)
    assert event.to_json() == body
    assert parse(event.to_json()) == event
    assert not (isinstance(event.data, float) and math.isinf(event.data))
