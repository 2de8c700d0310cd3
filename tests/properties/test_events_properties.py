"""Properties of parsing: any bytes have a defined outcome, and what parses loses nothing."""

import json
import math
import re
from typing import Any, NoReturn

import pytest
from hypothesis import assume, example, given, note
from hypothesis import strategies as st

from dubhooks import webhooks
from dubhooks.errors import BodyEmpty, InvalidEnvelope, InvalidEvent, InvalidJSON, PayloadError
from dubhooks.events._base import Event
from tests.support.payload_fixtures import (
    DATE_SHAPE,
    PRODUCTION,
    document,
    encode,
    get,
    parse,
    paths,
    put,
)

FAMILIES = st.sampled_from(["webhooks", "postbacks"])
KINDS = st.sampled_from(sorted(PRODUCTION))
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
DATE = "2026-08-20T10:11:12.926Z"

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CUT_TEXT = st.text(st.characters(), max_size=20)
NUMBERS = st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)


def _json(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | NUMBERS | text,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
        max_leaves=12,
    )


JSON = _json(TEXT)
CUT_JSON = _json(CUT_TEXT)


class _NotStrict(ValueError):
    pass


def _refuse(_: object) -> NoReturn:
    raise _NotStrict


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _NotStrict
    return number


def _strictly(body: bytes) -> Any:
    # The standard library's parser, held to UTF-8 and finite numbers.
    return json.loads(body.decode(), parse_constant=_refuse, parse_float=_finite)


class _DoubledKey(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise _DoubledKey
    return dict(pairs)


def _has_doubled_keys(body: bytes) -> bool:
    try:
        json.loads(body, object_pairs_hook=_unique)
    except _DoubledKey:
        return True
    except (ValueError, RecursionError):
        return False
    return False


def _outcome(family: str, body: bytes) -> Event | PayloadError:
    try:
        outcome: Event | PayloadError = parse(family, body)
    except PayloadError as error:
        outcome = error
    if isinstance(outcome, Event):
        assert outcome.to_json() == body
        assert parse(family, outcome.to_json()) == outcome
    else:
        assert outcome.__context__ is outcome.__cause__ is None
        assert len(str(outcome)) < 2000
    return outcome


def _assert_consistent(family: str, body: bytes) -> None:
    outcome = _outcome(family, body)
    note(repr(outcome))
    if _has_doubled_keys(body):
        return  # which of the two counts depends on the version of pydantic
    try:
        reference = _strictly(body)
    except (ValueError, RecursionError):
        assert isinstance(outcome, InvalidJSON if body else BodyEmpty)
        return
    assert not isinstance(outcome, InvalidJSON)
    if not isinstance(reference, dict):
        assert isinstance(outcome, InvalidEnvelope)
    elif isinstance(outcome, Event):
        for got, sent in ((outcome.id, reference["id"]), (outcome.event, reference["event"])):
            assert got == LONE_SURROGATE.sub("\ufffd", sent)


@given(FAMILIES, st.binary(max_size=300))
@example("webhooks", b"")
@example("webhooks", b"\xef\xbb\xbf{}")
@example("webhooks", b"\xff\xfe{\x00}\x00")
def test_any_bytes(family: str, body: bytes) -> None:
    """Any bytes are an event or one of our errors."""
    _assert_consistent(family, body)


@given(FAMILIES, CUT_JSON)
def test_any_json(family: str, value: Any) -> None:
    """So is any JSON."""
    _assert_consistent(family, json.dumps(value).encode())


@given(FAMILIES, CUT_JSON, CUT_JSON, CUT_JSON, CUT_JSON)
def test_any_envelope(family: str, event_id: Any, name: Any, created: Any, data: Any) -> None:
    """So is any object with the four keys."""
    value = {"id": event_id, "event": name, "createdAt": created, "data": data}
    _assert_consistent(family, json.dumps(value).encode())


@given(KINDS, CUT_JSON)
def test_any_data_of_a_known_event(kind: tuple[str, str], data: Any) -> None:
    """Known events with any data are events or invalid, by name of field."""
    family, name = kind
    value = {"id": "evt_1", "event": name, "createdAt": DATE, "data": data}
    outcome = _outcome(family, json.dumps(value).encode())
    assert isinstance(outcome, InvalidEvent)
    assert all(path == "data" or path.startswith("data.") for path, _ in outcome.problems)


@given(KINDS, st.data())
def test_damaged_bodies(kind: tuple[str, str], data: st.DataObject) -> None:
    """So is a real body with some bytes replaced, removed or doubled."""
    family, name = kind
    body = bytearray(encode(document(family, name)))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(body) - 1))
        end = data.draw(st.integers(start, min(len(body), start + 30)))
        body[start:end] = data.draw(
            st.binary(max_size=3)
            | st.sampled_from([b"", b'"', b"\\", b"\\ud83d", b"NaN", b"1e999", b"null", b"[", b"}"])
            | st.just(bytes(body[start:end] * 2))
        )
    _assert_consistent(family, bytes(body))


@given(KINDS, st.data())
def test_any_value_at_any_place(kind: tuple[str, str], data: st.DataObject) -> None:
    """Any JSON in place of any value gives an event that keeps it, or an error that names it."""
    family, name = kind
    value = document(family, name)
    path = data.draw(st.sampled_from(list(paths(value))))
    put(value, path, data.draw(JSON))
    body = encode(value)
    outcome = _outcome(family, body)
    if isinstance(outcome, InvalidEvent):
        put_at = ".".join(map(str, path)) + "."
        named = [f"{problem.path}." for problem in outcome.problems]
        assert all(one.startswith(put_at) or put_at.startswith(one) for one in named)
        assert path[0] == "data"
    elif isinstance(outcome, PayloadError):
        assert isinstance(outcome, InvalidEnvelope)
        assert path[0] != "data"


@given(KINDS, st.data())
def test_unknown_keys_and_values_are_kept(kind: tuple[str, str], data: st.DataObject) -> None:
    """New keys with any JSON, anywhere, and new values of enums survive parsing and writing."""
    family, name = kind
    value = document(family, name)
    places = list(paths(value))
    holders = [path for path in places if isinstance(get(value, path), dict) and path[-1] != "geo"]
    for path in data.draw(st.lists(st.sampled_from([(), *holders]), max_size=5)):
        key = data.draw(TEXT.map("new_{}".format))
        get(value, path)[key] = data.draw(JSON)
    texts = [
        path
        for path in places
        if isinstance(get(value, path), str)
        and path != ("event",)
        and not DATE_SHAPE.fullmatch(get(value, path))
    ]
    for path in data.draw(st.lists(st.sampled_from(texts), max_size=5)):
        put(value, path, data.draw(TEXT.filter(bool)))
    body = encode(value)
    event = parse(family, body)
    assert type(event) is type(parse(family, PRODUCTION[family, name]))
    assert json.loads(event.to_json()) == value
    assert json.loads(event.model_dump_json(by_alias=True, exclude_unset=True)) == value
    assert parse(family, event.to_json()) == event


@given(FAMILIES, CUT_TEXT.filter(bool), CUT_TEXT.filter(bool), CUT_JSON, st.booleans())
def test_unknown_events_agree_with_the_standard_library(
    family: str, event_id: str, name: str, data: Any, ascii_only: bool
) -> None:
    """Whatever Python's parser reads as an envelope with a new name is an unknown event."""
    value = {"id": event_id, "event": f"new.{name}", "createdAt": DATE, "data": data}
    try:
        body = json.dumps(value, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:
        body = json.dumps(value).encode()
    assert _strictly(body) == value
    event = parse(family, body)
    assert isinstance(event, webhooks.UnknownEvent)
    assert json.loads(event.to_json()) == value
    if "\\ud" not in json.dumps(value):
        assert (event.id, event.event, event.data) == (event_id, f"new.{name}", data)


@given(st.sampled_from(["id", "event", "createdAt"]), JSON)
def test_text_of_the_envelope(key: str, new: Any) -> None:
    """A part of the envelope that is not text is refused, and not shown."""
    # A number may pass for a date: seconds since 1970.
    assume(not isinstance(new, (str, int, float) if key == "createdAt" else str))
    value = document("webhooks", "sale.created") | {key: new}
    with pytest.raises(InvalidEnvelope, match=f"check {key}$"):
        webhooks.parse(encode(value))
