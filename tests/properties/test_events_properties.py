"""Properties of parsing: any bytes have a defined outcome, and what parses loses nothing."""

import json
import math
import re
from typing import Any, NoReturn

from hypothesis import example, given, note
from hypothesis import strategies as st

from dubhooks.errors import BodyEmpty, InvalidEnvelope, InvalidJSON, PayloadError
from dubhooks.events._base import Event
from tests.support.payload_fixtures import PRODUCTION, parse

FAMILIES = st.sampled_from(["webhooks", "postbacks"])
KNOWN = sorted(PRODUCTION)
KINDS = st.sampled_from(KNOWN)
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
DATE = "2026-08-20T10:11:12.926Z"

CUT_TEXT = st.text(st.characters(), max_size=20)
NUMBERS = st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)


def _json(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | NUMBERS | text,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
        max_leaves=12,
    )


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
    try:
        outcome: Event | PayloadError = parse(family, body)
    except PayloadError as error:
        outcome = error
    note(repr(outcome))
    try:
        reference = _strictly(body)
    except (ValueError, RecursionError):
        assert isinstance(outcome, InvalidJSON if body else BodyEmpty)
        return
    assert not isinstance(outcome, InvalidJSON)
    if not isinstance(reference, dict):
        assert isinstance(outcome, InvalidEnvelope)
    elif isinstance(outcome, Event):
        assert outcome.to_json() == body
        for got, sent in ((outcome.id, reference["id"]), (outcome.event, reference["event"])):
            assert got == LONE_SURROGATE.sub("\ufffd", sent)
