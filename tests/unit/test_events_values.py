"""Values of events: money, dates, open enums, lone surrogates and free JSON."""

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from dubhooks import webhooks
from dubhooks.errors import InvalidEnvelope, InvalidEvent
from dubhooks.events._family import Family
from tests.support.payload_fixtures import (
    PRODUCTION,
    document,
    encode,
    get,
    models_in,
    parse,
    paths,
    put,
)

EVERY = pytest.mark.parametrize(("family", "name"), PRODUCTION, ids=lambda part: part)


@EVERY
def test_whole_floats_are_whole_numbers(family: str, name: str) -> None:
    """``1990.0`` is 1990, in whichever field."""
    value = document(family, name)
    for path in list(paths(value["data"], ("data",))):
        if type(get(value, path)) is int and "metadata" not in path:
            put(value, path, float(get(value, path)))
    body = encode(value)
    event = parse(family, body)
    assert event.to_json() == body
    assert parse(family, PRODUCTION[family, name]) == event


@pytest.mark.parametrize("count", ["12", "", True, False, [1], {"of": None}, -0.5, 12.5])
def test_an_odd_count_is_zero(count: Any) -> None:
    """A counter of another type is no reason to refuse, and the bytes keep it."""
    value = document("webhooks", "sale.created")
    value["data"]["link"]["clicks"] = value["data"]["partner"]["totalSales"] = count
    event = webhooks.parse(encode(value))
    assert isinstance(event, webhooks.SaleCreated)
    assert (event.data.sale.amount, event.data.link.clicks) == (1990, 0)
    assert event.data.partner is not None
    assert event.data.partner.total_sales is None
    assert json.loads(event.to_json()) == value


def test_drift_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A field whose type has changed gets one line, which names it and shows no value."""
    family: Family[Any] = Family("webhook", webhooks.WebhookEvent)
    value = document("webhooks", "link.created")
    value["data"] |= {"title": ["LEAK"], "tags": [{"id": "tag_1"}, "LEAK"], "image": None}
    family.parse(encode(value))
    event = family.parse(encode(value))
    assert [tag.id for tag in event.data.tags] == ["tag_1"]
    found = sorted(record.getMessage().split(" of a")[0] for record in caplog.records)
    assert found == ["drift: tags", "drift: title"]
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert {vars(record)["family"] for record in caplog.records} == {"webhook"}
    assert "LEAK" not in caplog.text


@pytest.mark.parametrize(("count", "kept"), [(1_000, 1_000), (1_001, 0)])
def test_long_lists_are_odd(count: int, kept: int) -> None:
    """A list of more than a thousand items is left empty."""
    value = document("webhooks", "link.created")
    value["data"]["tags"] = [{"id": f"tag_{number}"} for number in range(count)]
    event = webhooks.parse(encode(value))
    assert isinstance(event, webhooks.LinkCreated)
    assert len(event.data.tags) == kept


@EVERY
def test_round_trips_of_python_objects(family: str, name: str) -> None:
    """What ``model_dump`` gives makes the same object again, as Python and as JSON values."""
    event = parse(family, PRODUCTION[family, name])
    for _, model in models_in(event):
        assert type(model).model_validate(model.model_dump()) == model
        assert type(model).model_validate(model.model_dump(mode="json")) == model
        assert type(model).model_validate(model.model_dump(by_alias=True)) == model


@pytest.mark.parametrize(
    ("amount", "cents"),
    [(1990.0, 1990), (1990.4, 1990), (1990.5, 1991), (-0.5, 0), (-1.5, -1), (1e-7, 0)],
)
def test_fractions_of_a_cent(amount: float, cents: int) -> None:
    """They are rounded as JavaScript's Math.round does it, and the bytes keep them."""
    value = document("webhooks", "sale.created")
    value["data"]["sale"]["amount"] = amount
    event = webhooks.parse(encode(value))
    assert isinstance(event, webhooks.SaleCreated)
    assert (event.data.sale.amount, type(event.data.sale.amount)) == (cents, int)
    assert json.loads(event.to_json())["data"]["sale"]["amount"] == amount


@pytest.mark.parametrize("amount", [0, -1, 1, 10**15, 2**53 + 1, -(2**63), 2**64, 10**21, 10**300])
def test_amounts_are_exact(amount: int) -> None:
    """No size of number loses a cent on the way."""
    value = document("webhooks", "sale.created")
    value["data"]["sale"]["amount"] = amount
    event = webhooks.parse(encode(value))
    assert isinstance(event, webhooks.SaleCreated)
    assert event.data.sale.amount == amount
    assert type(event.data.sale.amount) is type(amount)
    assert json.loads(event.model_dump_json(by_alias=True))["data"]["sale"]["amount"] == amount


DATES = {
    "2026-08-20T10:11:12.926Z": datetime(2026, 8, 20, 10, 11, 12, 926_000, timezone.utc),
    "2026-08-20T10:11:12Z": datetime(2026, 8, 20, 10, 11, 12, 0, timezone.utc),
    "2026-08-20T10:11:12.926123789Z": datetime(2026, 8, 20, 10, 11, 12, 926_123, timezone.utc),
    "2026-08-20T10:11:12.926": datetime(2026, 8, 20, 10, 11, 12, 926_000, timezone.utc),
    "2026-08-20 10:11:12": datetime(2026, 8, 20, 10, 11, 12, 0, timezone.utc),
    "2026-08-20T10:11:12.926+05:30": datetime(2026, 8, 20, 4, 41, 12, 926_000, timezone.utc),
    "2026-08-20T10:11:12.926-0700": datetime(2026, 8, 20, 17, 11, 12, 926_000, timezone.utc),
    "2026-08-20T23:59:59.999-01:00": datetime(2026, 8, 21, 0, 59, 59, 999_000, timezone.utc),
    "2026-08-20": datetime(2026, 8, 20, 0, 0, 0, 0, timezone.utc),
    "0001-01-01T00:00:00.000Z": datetime(1, 1, 1, 0, 0, 0, 0, timezone.utc),
    "9999-12-31T23:59:59.999Z": datetime(9999, 12, 31, 23, 59, 59, 999_000, timezone.utc),
}


@pytest.mark.parametrize(("text", "expected"), DATES.items(), ids=DATES)
@pytest.mark.parametrize("name", ["new.event", "payout.confirmed"])
def test_date(name: str, text: str, expected: datetime) -> None:
    """Whatever is a date becomes the same moment in UTC, and stays as it was on the wire."""
    value = document("webhooks", "payout.confirmed") | {"event": name, "createdAt": text}
    value["data"]["paidAt"] = text
    event = webhooks.parse(encode(value))
    assert event.created_at == expected
    assert event.created_at.tzname() == "UTC"
    assert json.loads(event.to_json()) == value
    assert webhooks.parse(event.to_json()) == event
    if isinstance(event, webhooks.PayoutConfirmed):
        assert event.data.paid_at == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "LEAK",
        "2026-02-30T00:00:00.000Z",
        "2026-08-20T10:11:12.926Z, LEAK",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        "1700000000",
        "20260820",
        1_700_000_000,
        1.5,
        True,
    ],
)
def test_what_is_no_date(text: Any) -> None:
    """It refuses the event in the envelope, and is left empty in the data: so are digits."""
    value = document("webhooks", "payout.confirmed")
    value["data"]["paidAt"] = text
    event = webhooks.parse(encode(value))
    assert isinstance(event, webhooks.PayoutConfirmed)
    assert event.data.paid_at is None
    value = document("webhooks", "payout.confirmed") | {"createdAt": text}
    with pytest.raises(InvalidEnvelope, match=r"check createdAt$") as raised:
        webhooks.parse(encode(value))
    assert "LEAK" not in str(raised.value)


SURROGATES: dict[str, tuple[tuple[str | int, ...], Any]] = {
    "event name of a lead": (("data", "eventName"), "cut \ud83d"),
    "low": (("data", "eventName"), "\ude00 cut"),
    "swapped": (("data", "eventName"), "\ude00\ud83d"),
    "metadata": (("data", "metadata"), {"a": ["\ud83d", {"b": "\ud83d\ud83d\ude00"}]}),
    "key of metadata": (("data", "metadata"), {"a\ud83d": 1}),
    "unknown key": (("data", "new\udfff"), 1),
    "unknown key of the envelope": (("new",), "\udfff"),
    "id": (("id",), "evt_\ud83d"),
}


@pytest.mark.parametrize("family", ["webhooks", "postbacks"])
@pytest.mark.parametrize(("path", "new"), SURROGATES.values(), ids=SURROGATES.keys())
def test_lone_surrogates(family: str, path: tuple[str | int, ...], new: Any) -> None:
    """Half an emoji, as JavaScript writes it, loses no event and no byte of it."""
    value = document(family, "lead.created")
    put(value, path, new)
    body = json.dumps(value).encode()
    event = parse(family, body)
    assert type(event) is type(parse(family, PRODUCTION[family, "lead.created"]))
    assert event.to_json() == body
    assert json.loads(event.to_json()) == json.loads(body)
    assert parse(family, event.to_json()) == event
    shown = event.model_dump_json(by_alias=True)
    assert "\ufffd" in shown
    shown.encode()


def test_only_lone_surrogates_are_replaced() -> None:
    """Whole pairs, also beside them, stay; so does everything else of the event."""
    value = document("webhooks", "lead.created")
    value["data"] |= {"eventName": "\ud83d🚀\ude00", "metadata": {"k\ud83d": ["\udc00", 1.5]}}
    event = webhooks.parse(json.dumps(value).encode())
    assert isinstance(event, webhooks.LeadCreated)
    assert event.data.event_name == "\ufffd🚀\ufffd"
    assert event.data.metadata == {"k\ufffd": ["\ufffd", 1.5]}
    unknown = webhooks.parse(json.dumps(value | {"event": "lead.created\ud83d"}).encode())
    assert (unknown.event, type(unknown)) == ("lead.created\ufffd", webhooks.UnknownEvent)


def test_surrogates_and_a_wrong_field() -> None:
    """Mending one thing does not hide another."""
    value = document("webhooks", "sale.created")
    value["data"] |= {"eventName": "\ud83d", "sale": {"amount": "1990", "currency": "usd"}}
    with pytest.raises(InvalidEvent) as raised:
        webhooks.parse(json.dumps(value).encode())
    assert raised.value.problems == (("data.sale.amount", "int_type"),)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"": ""},
        {"a": {"b": [[], {}, None, -1.5e-7, 10**30]}},
        {"1": 1, "01": 2},
        {"\0": "\u2028"},
        {"deep": json.loads("[" * 90 + '{"a":' * 90 + "1" + "}" * 90 + "]" * 90)},
    ],
)
def test_metadata(metadata: dict[str, Any]) -> None:
    """Metadata is any JSON object, given back as it came."""
    value = document("webhooks", "lead.created")
    value["data"]["metadata"] = metadata
    event = webhooks.parse(encode(value))
    assert isinstance(event, webhooks.LeadCreated)
    assert event.data.metadata == metadata
    assert json.loads(event.model_dump_json(by_alias=True, exclude_unset=True)) == value


@pytest.mark.parametrize("odd", [[], "text", 5])
def test_odd_metadata(odd: Any) -> None:
    """Metadata that is no object is left out; the model alone takes it as the parser does."""
    value = document("webhooks", "lead.created")
    value["data"]["metadata"] = odd
    event = webhooks.parse(encode(value))
    assert isinstance(event, webhooks.LeadCreated)
    assert event.data.metadata is None
    assert webhooks.LeadCreated.model_validate(value) == event
