"""Overrides of the factories: by path in a mapping or as a keyword, and what is refused."""

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dubhooks.errors import ConfigurationError, InvalidEnvelope, InvalidEvent
from dubhooks.testing import ABSENT, make_event
from dubhooks.webhooks import CommissionCreated, LeadCreated, PartnerEnrolled, SaleCreated


def wire(event: Any) -> Any:
    """Return the JSON that the event was made from."""
    return json.loads(event.to_json())


def test_keywords_and_paths_reach_every_depth_under_either_name() -> None:
    """A path goes through objects and lists, by wire names and by attribute names."""
    moment = datetime(2026, 3, 1, 12, 30, 15, 123_456, tzinfo=timezone(timedelta(hours=2)))
    event = make_event(
        PartnerEnrolled,
        {"data.links.0.shortLink": "https://a.example/b", "data.tenant_id": "t-1"},
        id="evt_x",
        created_at=moment,
        data__links__0__sale_amount=7,
        data__createdAt="2026-02-03T04:05:06.007Z",
    )
    assert (event.id, event.data.tenant_id) == ("evt_x", "t-1")
    assert event.data.links[0].short_link == "https://a.example/b"
    assert event.data.links[0].sale_amount == 7
    assert wire(event)["createdAt"] == "2026-03-01T10:30:15.123Z"
    assert wire(event)["data"]["createdAt"] == "2026-02-03T04:05:06.007Z"
    assert event.data.model_extra == {}


def test_an_override_replaces_and_keywords_come_last() -> None:
    """An object takes the place of the sample's, in the order of the sample; lists nest."""
    event = make_event(
        LeadCreated,
        {"data.metadata": {"a": 1, "b": [1, [2, 3]]}, "data.customer.name": "path"},
        data__customer__name="keyword",
        data__metadata__b__1__0=5,
    )
    assert event.data.metadata == {"a": 1, "b": [1, [5, 3]]}
    assert event.data.customer.name == "keyword"
    assert list(wire(event)["data"]) == list(wire(make_event(LeadCreated))["data"])


def test_unknown_keys_are_added_on_purpose() -> None:
    """A plus before a path adds keys that no model knows, at any depth, and takes known ones."""
    event = make_event(
        CommissionCreated,
        {
            "+livemode": False,
            "+data.partner.level.name": "gold",
            "+data.link.short_link": "https://x.example",
        },
        data__metadata={"short_link": "kept as written"},
    )
    assert event.model_extra == {"livemode": False}
    assert event.data.partner.model_extra == {"level": {"name": "gold"}}
    assert event.data.link is not None
    assert event.data.link.short_link == "https://x.example"
    assert event.data.metadata == {"short_link": "kept as written"}


def test_absent_removes_keys_and_items() -> None:
    """ABSENT removes the key itself, and the item of a list."""
    event = make_event(SaleCreated, {"data.link.tags.0": ABSENT}, data__partner=ABSENT)
    data = wire(event)["data"]
    assert "partner" not in data
    assert data["link"]["tags"] == []


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        ({"data.sale.amout": 5}, "Sale has no 'amout': did you mean 'amount'?"),
        ({"data.sale.amout": ABSENT}, "Sale has no 'amout': did you mean 'amount'?"),
        ({"data.salee.amount": 5}, "SaleData has no 'salee': did you mean 'sale'?"),
        ({"data.link.tags.0.nam": "x"}, "LinkTag has no 'nam': did you mean 'name'?"),
        ({"data.link.shortlink": "x"}, "did you mean 'short_link'?"),
        ({"amount": 5}, "SaleCreated has no 'amount', and paths begin at the envelope."),
        ({"data.bonus": 5}, "a plus before its path: '+data.bonus'"),
    ],
)
def test_a_misspelt_key_is_refused(paths: dict[str, Any], told: str) -> None:
    """A typo does not become an unknown key beside the sample's own value, in either way."""
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        make_event(SaleCreated, paths)
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        make_event(SaleCreated, **{path.replace(".", "__"): paths[path] for path in paths})


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("event", "lead.created", "an event keeps its name"),
        ("data..amount", 1, "SaleData has no ''"),
        ("", 1, "SaleCreated has no ''"),
        ("data.sale.amount.cents", 1, "there is no object or list that could hold 'cents'"),
        ("data.link.tags.1", {}, "'1' is not an index of a list of 1"),
        ("data.link.tags.-1", {}, "'-1' is not an index of a list of 1"),
        ("data.link.tags.x.id", 1, "'x' is not an index of a list of 1"),
        ("+data.sale.bonus", ABSENT, "there is no 'bonus' to remove"),
    ],
)
def test_an_override_that_cannot_be_applied_is_named(path: str, value: Any, reason: str) -> None:
    """It is an error that says which one and why, never a silent default."""
    message = f"the override {path!r} cannot be applied: {reason}"
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}"):
        make_event(SaleCreated, {path: value})


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), b"bytes", {1}, object(), datetime(2026, 1, 1), [ABSENT]]
)
def test_a_value_without_a_json_form_is_named(value: object) -> None:
    """What JSON cannot hold is refused with its path, and with nothing of its value."""
    with pytest.raises(ConfigurationError, match=r"^data\.metadata\.plan"):
        make_event(SaleCreated, data__metadata__plan=value)


def test_numbers_and_text_are_written_as_javascript_writes_them() -> None:
    """Whole floats lose their fraction, exponents their zeros; only lone surrogates are escaped."""
    values = [1.0, -0.0, 0.30000000000000004, 1e-7, 1.5e-5, 1e20, 1e21, 12345678901234567890.0]
    text = "Zoë \U0001f600 \u2028 \x7f \n \x01 \ud83d </"
    event = make_event(LeadCreated, data__metadata={"values": values, "text": text, "b": True})
    assert (
        '"metadata":{"values":[1,0,0.30000000000000004,1e-7,0.000015,100000000000000000000,1e+21,'
        '12345678901234567000],"text":"Zoë \U0001f600 \u2028 \x7f \\n \\u0001 \\ud83d </","b":true}'
    ).encode() in event.to_json()


def test_an_event_that_does_not_parse_is_refused_as_the_parser_refuses_it() -> None:
    """The factory makes typed events only; broken bodies are for signed_request."""
    with pytest.raises(InvalidEvent) as caught:
        make_event(SaleCreated, data__sale__amount="19")
    assert [problem.path for problem in caught.value.problems] == ["data.sale.amount"]
    with pytest.raises(InvalidEnvelope):
        make_event(SaleCreated, id=ABSENT)
