"""Properties of parsing: any bytes have a defined outcome, and what parses loses nothing."""

import json
import math
import re
from typing import Any, NoReturn

import pytest
from hypothesis import assume, example, given, note
from hypothesis import strategies as st

from dubhooks import webhooks
from dubhooks.errors import BodyEmpty, InvalidEnvelope, InvalidJSON, PayloadError
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
KNOWN = sorted(PRODUCTION)
KINDS = st.sampled_from(KNOWN)
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


ENVELOPES = st.fixed_dictionaries(
    {
        "id": CUT_JSON | st.just("evt_1"),
        "event": CUT_JSON | st.sampled_from([name for _, name in KNOWN]),
        "createdAt": CUT_JSON | st.just(DATE),
        "data": CUT_JSON,
    }
)


@given(FAMILIES, st.binary(max_size=300) | (CUT_JSON | ENVELOPES).map(json.dumps).map(str.encode))
@example("webhooks", b"")
@example("webhooks", b"\xef\xbb\xbf{}")
@example("webhooks", b"\xff\xfe{\x00}\x00")
def test_any_bytes(family: str, body: bytes) -> None:
    """Any bytes, any JSON and any envelope are an event or one of our errors."""
    _assert_consistent(family, body)


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
    assume(not isinstance(new, str))
    value = document("webhooks", "sale.created") | {key: new}
    with pytest.raises(InvalidEnvelope, match=f"check {key}$"):
        webhooks.parse(encode(value))
