"""Overrides of the factories: by field, by path, by ``ABSENT``, and what is refused."""

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dubhooks.errors import ConfigurationError, InvalidEnvelope, InvalidEvent
from dubhooks.testing import ABSENT, make_event
from dubhooks.webhooks import (
    BountyUpdated,
    CommissionCreated,
    LeadCreated,
    PartnerEnrolled,
    SaleCreated,
)


def wire(event: Any) -> Any:
    """Return the JSON that the event was made from."""
    return json.loads(event.to_json())


def test_fields_of_the_envelope_are_overridden_by_keyword() -> None:
    """Whole fields are replaced, and objects in them merged."""
    moment = datetime(2026, 3, 1, 12, 30, 15, 123_456, tzinfo=timezone(timedelta(hours=2)))
    event = make_event(
        SaleCreated,
        seed=0,
        id="evt_x",
        created_at=moment,
        data={"sale": {"amount": 1900}, "link": {"short_link": "https://x.example/y"}},
    )
    plain = make_event(SaleCreated, seed=0)
    assert event.id == "evt_x"
    assert wire(event)["createdAt"] == "2026-03-01T10:30:15.123Z"
    assert event.data.sale.amount == 1900
    assert event.data.sale.invoice_id == plain.data.sale.invoice_id
    assert event.data.link.short_link == "https://x.example/y"
    assert event.data.link.key == plain.data.link.key
    assert list(wire(event)["data"]["link"]) == list(wire(plain)["data"]["link"])


def test_dates_can_be_text_and_none_means_the_default() -> None:
    """A date is written as given, and an unset id or created_at is made up as ever."""
    assert wire(make_event(LeadCreated, createdAt="2026-02-03T04:05:06.007Z"))["createdAt"] == (
        "2026-02-03T04:05:06.007Z"
    )
    event = make_event(LeadCreated, seed=0, id=None, created_at=None)
    assert event == make_event(LeadCreated, seed=0)


def test_paths_reach_every_depth_under_either_name() -> None:
    """A path goes through objects and lists, by wire names and by attribute names."""
    event = make_event(
        PartnerEnrolled,
        {"data.links.0.shortLink": "https://a.example/b", "data.tenant_id": "t-1"},
        data__links__0__sale_amount=7,
        data__created_at=datetime(2026, 1, 2, tzinfo=timezone.utc),
    )
    assert event.data.links[0].short_link == "https://a.example/b"
    assert event.data.links[0].sale_amount == 7
    assert event.data.tenant_id == "t-1"
    assert wire(event)["data"]["createdAt"] == "2026-01-02T00:00:00.000Z"
    assert event.data.model_extra == {}


def test_a_path_replaces_and_the_more_specific_override_wins() -> None:
    """An object at a path takes the place of the sample's; keyword paths come last."""
    event = make_event(
        LeadCreated,
        {"data.metadata": {"a": 1, "b": [1, (2, 3)]}, "data.customer.name": "path"},
        data={"metadata": {"merged": True}, "customer": {"name": "whole", "email": None}},
        data__customer__name="keyword",
        data__metadata__b__1__0=5,
    )
    assert event.data.metadata == {"a": 1, "b": [1, [5, 3]]}
    assert event.data.customer.name == "keyword"
    assert event.data.customer.email is None


def test_the_values_of_an_override_stay_as_they_are() -> None:
    """A later override changes the event, not the object that the caller passed."""
    metadata: dict[str, Any] = {"tags": ["a"]}
    make_event(LeadCreated, {"data.metadata": metadata, "data.metadata.tags.0": "b"})
    assert metadata == {"tags": ["a"]}


def test_unknown_keys_are_added_on_purpose() -> None:
    """A key that no model knows is given with add, and arrives in model_extra, at any depth."""
    event = make_event(
        CommissionCreated,
        add={"livemode": False, "data.partner.level.name": "gold", "data.bonus": {"cents": 5}},
        data__metadata={"short_link": "kept as written"},
        data__type="brand_new",
    )
    assert event.model_extra == {"livemode": False}
    assert event.data.model_extra == {"bonus": {"cents": 5}}
    assert event.data.partner.model_extra == {"level": {"name": "gold"}}
    assert event.data.metadata == {"short_link": "kept as written"}
    assert event.data.type == "brand_new"


def test_a_null_on_the_way_becomes_an_object() -> None:
    """A path through a null or absent object makes that object."""
    event = make_event(BountyUpdated, data__submission_requirements__image__max=2)
    assert wire(event)["data"]["submissionRequirements"] == {"image": {"max": 2}}


def test_absent_removes_keys_and_items() -> None:
    """ABSENT removes the key itself, by whole field, by path and from a list."""
    event = make_event(
        SaleCreated,
        {"data.link.tags.0": ABSENT},
        data={"click": {"trigger": ABSENT}},
        data__partner=ABSENT,
    )
    data = wire(event)["data"]
    assert "partner" not in data
    assert "trigger" not in data["click"]
    assert data["link"]["tags"] == []
    assert event.data.partner is None
    assert repr(ABSENT) == "ABSENT"


def test_add_takes_known_keys_too_and_comes_last() -> None:
    """A key that a later version knows can stay where it is, and whole objects need no model."""
    event = make_event(
        SaleCreated,
        {"data.sale.amount": 1},
        add={"data.sale.amount": 2, "data.link.short_link": "x", "data.click": {"id": "c", "n": 1}},
    )
    assert event.data.sale.amount == 2
    assert event.data.link.short_link == "x"
    assert event.data.click.model_extra == {"n": 1}


@pytest.mark.parametrize(
    ("paths", "keywords", "told"),
    [
        ({"data.sale.amout": 5}, {}, "Sale has no 'amout': did you mean 'amount'?"),
        ({}, {"data__sale__amout": 5}, "Sale has no 'amout': did you mean 'amount'?"),
        ({}, {"data": {"sale": {"amout": 5}}}, "Sale has no 'amout': did you mean 'amount'?"),
        ({"data.sale": {"amout": 5}}, {}, "Sale has no 'amout': did you mean 'amount'?"),
        ({"data.salee.amount": 5}, {}, "SaleData has no 'salee': did you mean 'sale'?"),
        ({"data.link.tags": [{"nam": "x"}]}, {}, "LinkTag has no 'nam': did you mean 'name'?"),
        ({}, {"data__link__shortlink": "x"}, "did you mean 'short_link'?"),
        ({"data.sale.amout": ABSENT}, {}, "did you mean 'amount'?"),
        ({"livemode": True}, {}, "SaleCreated has no 'livemode'. A key that the models do not"),
        ({"data.bonus": 5}, {}, "is set with add"),
    ],
)
def test_a_misspelt_key_is_refused(
    paths: dict[str, Any], keywords: dict[str, Any], told: str
) -> None:
    """A typo does not become an unknown key beside the sample's own value."""
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        make_event(SaleCreated, paths, **keywords)


def test_free_json_has_no_misspelt_keys() -> None:
    """What is somebody's own JSON takes any key by any way."""
    event = make_event(
        LeadCreated, {"data.metadata.amout": 1}, data__link__geo={"DE": "https://x.example"}
    )
    assert event.data.metadata == {"plan": "pro", "amout": 1}
    assert event.data.link.geo == {"DE": "https://x.example"}


@pytest.mark.parametrize(
    ("paths", "keywords", "named"),
    [
        ({}, {"amount": 1}, "amount"),
        ({}, {"event": "lead.created"}, "event"),
        ({"event": "lead.created"}, {}, "event"),
        ({}, {"sale__amount": 1}, "sale__amount"),
        ({"data..amount": 1}, {}, "data..amount"),
        ({"": 1}, {}, "''"),
        ({}, {"data__sale__": 1}, "data__sale__"),
        ({"data.sale.amount.cents": 1}, {}, "data.sale.amount.cents"),
        ({"createdAt.year": 1}, {}, "createdAt.year"),
        ({"data.link.tags.1": {}}, {}, "data.link.tags.1"),
        ({"data.link.tags.-1": {}}, {}, "data.link.tags.-1"),
        ({"data.link.tags.x.id": 1}, {}, "data.link.tags.x.id"),
        ({"data.sale.ammount": ABSENT}, {}, "data.sale.ammount"),
        ({}, {"data": {"sale": {"ammount": ABSENT}}}, "data"),
        ({}, {"data": {1: 2}}, "data"),
    ],
)
def test_an_override_that_cannot_be_applied_is_named(
    paths: dict[str, Any], keywords: dict[str, Any], named: str
) -> None:
    """A misspelt override is an error that says which one, never a silent default."""
    with pytest.raises(ConfigurationError, match=re.escape(named)):
        make_event(SaleCreated, paths, **keywords)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), b"bytes", {1}, object(), datetime(2026, 1, 1), [ABSENT]],
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
