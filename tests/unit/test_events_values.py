"""Values of events: money, dates, open enums, lone surrogates and free JSON."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dubhooks import postbacks, webhooks
from dubhooks.errors import InvalidEnvelope, InvalidEvent
from tests.support.payload_fixtures import (
    PRODUCTION,
    STATISTICS,
    document,
    encode,
    get,
    models_in,
    parse,
    paths,
    put,
)

EVERY = pytest.mark.parametrize(("family", "name"), PRODUCTION, ids=lambda part: part)

RATES = {
    "percentage",
    *("earningsPerClick", "averageLifetimeValue", "returnOnAdSpend"),
    *("clickToLeadRate", "clickToConversionRate", "leadToConversionRate"),
}
"""The statistics that may be fractions."""

FRACTIONS_ALLOWED = {
    "data.sale.amount",
    "data.performanceCondition.value",
    "data.submissionRequirements.socialMetrics.incrementalBonus.bonusPerIncrement",
}
"""Numbers that are whole in the fixtures and need not be."""


def _whole_numbers(value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for path in paths(value["data"], ("data",)):
        if type(get(value, path)) is int and "metadata" not in path and path[-1] not in STATISTICS:
            yield path, ".".join(map(str, path))


def _problem(family: str, value: Any, dotted: str) -> str:
    with pytest.raises(InvalidEvent) as raised:
        parse(family, encode(value))
    assert [path for path, _ in raised.value.problems] == [dotted]
    return raised.value.problems[0].problem


@EVERY
@pytest.mark.parametrize("wrong", ["1990", "", "12.5", True, False, [], {}])
def test_numbers_are_not_guessed_at(family: str, name: str, wrong: Any) -> None:
    """Text and booleans are no amounts and no counts."""
    for path, dotted in _whole_numbers(document(family, name)):
        value = document(family, name)
        put(value, path, wrong)
        assert _problem(family, value, dotted) == "int_type"


@EVERY
def test_whole_floats_are_whole_numbers(family: str, name: str) -> None:
    """``1990.0`` is 1990, in whichever field."""
    value = document(family, name)
    for path, _ in list(_whole_numbers(value)):
        put(value, path, float(get(value, path)))
    body = encode(value)
    event = parse(family, body)
    assert event.to_json() == body
    assert json.loads(event.model_dump_json(by_alias=True, exclude_unset=True)) == value
    assert parse(family, PRODUCTION[family, name]) == event


@EVERY
def test_fractions_only_where_the_sender_may_write_them(family: str, name: str) -> None:
    """Half a cent is kept in a sale and a rate, and refused in a count and a ledger amount."""
    for path, dotted in _whole_numbers(document(family, name)):
        value = document(family, name)
        put(value, path, 0.5)
        if dotted in FRACTIONS_ALLOWED:
            assert parse(family, encode(value)).to_json() == encode(value)
        else:
            assert _problem(family, value, dotted) == "int_type"


@EVERY
@pytest.mark.parametrize("odd", ["12", "", True, [1], {"of": None}, -0.5])
def test_odd_statistics_refuse_no_event(family: str, name: str, odd: Any) -> None:
    """A counter or a rate of another type is no reason to refuse: it is kept as it came."""
    value = document(family, name)
    places = [path for path in paths(value["data"], ("data",)) if path[-1] in STATISTICS]
    for path in places:
        put(value, path, odd)
    body = encode(value)
    event = parse(family, body)
    assert type(event) is type(parse(family, PRODUCTION[family, name]))
    assert event.to_json() == body
    assert parse(family, body) == event
    assert json.loads(event.model_dump_json(by_alias=True, exclude_unset=True)) == value
    kept = [key for _, model in models_in(event) for key in model.model_extra or {}]
    fits = RATES if odd == -0.5 else set()
    assert sorted(kept) == sorted(path[-1] for path in places if path[-1] not in fits)


def test_an_odd_statistic_is_none_beside_its_value() -> None:
    """What the sale is about is typed as ever, and what was odd is where unknown keys are."""
    value = document("webhooks", "sale.created")
    value["data"]["link"]["clicks"] = 12.5
    value["data"]["partner"]["totalSales"] = "12"
    event = webhooks.parse(encode(value))
    assert isinstance(event, webhooks.SaleCreated)
    assert event.data.sale.amount == 1990
    assert event.data.link.clicks is None
    assert event.data.link.model_extra == {"clicks": 12.5}
    assert event.data.partner is not None
    assert event.data.partner.model_extra == {"totalSales": "12"}


def test_an_odd_statistic_does_not_hide_a_wrong_amount() -> None:
    """An event whose money does not fit is refused, for that alone."""
    value = document("webhooks", "commission.created")
    value["data"]["partner"]["totalSales"] = "12"
    value["data"]["earnings"] = 12.5
    assert _problem("webhooks", value, "data.earnings") == "int_type"
    assert [path for path, _ in webhooks.family.problems_in(encode(value))] == [
        "data.earnings",
        "data.partner.totalSales",
    ]
    value["event"] = "commission.renamed"
    assert webhooks.family.problems_in(encode(value)) == ()


@pytest.mark.parametrize(
    "amount", [0, -1, 1, 10**15, 2**53 + 1, -(2**63), 2**64, 10**21, 10**300, 1990.5, 1e-7, 1e300]
)
def test_amounts_are_exact(amount: float) -> None:
    """No size of number loses a cent on the way."""
    value = document("webhooks", "sale.created")
    value["data"]["sale"]["amount"] = amount
    event = webhooks.parse(encode(value))
    assert isinstance(event, webhooks.SaleCreated)
    assert event.data.sale.amount == amount
    assert type(event.data.sale.amount) is type(amount)
    assert json.loads(event.model_dump_json(by_alias=True))["data"]["sale"]["amount"] == amount


@pytest.mark.parametrize("family", ["webhooks", "postbacks"])
def test_negative_earnings(family: str) -> None:
    """A clawback is a commission with negative earnings."""
    value = document(family, "commission.created")
    value["data"] |= {"amount": 0, "earnings": -1990}
    event = parse(family, encode(value))
    assert isinstance(event, webhooks.CommissionCreated | postbacks.CommissionCreated)
    assert (event.data.amount, event.data.earnings) == (0, -1990)


@EVERY
def test_every_date_is_aware_utc(family: str, name: str) -> None:
    """No event holds a naive datetime or one of another zone."""
    event = parse(family, PRODUCTION[family, name])
    dates = [
        date
        for _, model in models_in(event)
        for date in vars(model).values()
        if isinstance(date, datetime)
    ]
    assert event.created_at in dates
    assert all(date.utcoffset() == timedelta(0) for date in dates)
    assert all(date.tzname() == "UTC" for date in dates)


DATES = {
    "2026-08-20T10:11:12.926Z": datetime(2026, 8, 20, 10, 11, 12, 926_000, timezone.utc),
    "2026-08-20T10:11:12.000Z": datetime(2026, 8, 20, 10, 11, 12, 0, timezone.utc),
    "2026-08-20T10:11:12Z": datetime(2026, 8, 20, 10, 11, 12, 0, timezone.utc),
    "2026-08-20T10:11Z": datetime(2026, 8, 20, 10, 11, 0, 0, timezone.utc),
    "2026-08-20T10:11:12.9Z": datetime(2026, 8, 20, 10, 11, 12, 900_000, timezone.utc),
    "2026-08-20T10:11:12.926123Z": datetime(2026, 8, 20, 10, 11, 12, 926_123, timezone.utc),
    "2026-08-20T10:11:12.926123789Z": datetime(2026, 8, 20, 10, 11, 12, 926_123, timezone.utc),
    "2026-08-20T10:11:12.926": datetime(2026, 8, 20, 10, 11, 12, 926_000, timezone.utc),
    "2026-08-20 10:11:12": datetime(2026, 8, 20, 10, 11, 12, 0, timezone.utc),
    "2026-08-20T10:11:12.926+00:00": datetime(2026, 8, 20, 10, 11, 12, 926_000, timezone.utc),
    "2026-08-20T10:11:12.926+05:30": datetime(2026, 8, 20, 4, 41, 12, 926_000, timezone.utc),
    "2026-08-20T10:11:12.926-0700": datetime(2026, 8, 20, 17, 11, 12, 926_000, timezone.utc),
    "2026-08-20T23:59:59.999-01:00": datetime(2026, 8, 21, 0, 59, 59, 999_000, timezone.utc),
    "2026-08-20": datetime(2026, 8, 20, 0, 0, 0, 0, timezone.utc),
    "1970-01-01T00:00:00.000Z": datetime(1970, 1, 1, 0, 0, 0, 0, timezone.utc),
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
        "2026-08-20T24:00:01.000Z",
        "2026-08-20T10:11:12.926Z, LEAK",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        "99999-01-01T00:00:00Z",
    ],
)
def test_text_that_is_no_date(text: str) -> None:
    """It names the field, in the envelope and in the data."""
    value = document("webhooks", "payout.confirmed")
    value["data"]["paidAt"] = text
    problem = _problem("webhooks", value, "data.paidAt")
    assert problem.startswith(("datetime", "timezone"))
    value = document("webhooks", "payout.confirmed") | {"createdAt": text}
    with pytest.raises(InvalidEnvelope, match=r"check createdAt$") as raised:
        webhooks.parse(encode(value))
    assert "LEAK" not in str(raised.value)


def test_open_enums() -> None:
    """A value that Dub adds later is given as it is, beside the known ones."""
    value = document("webhooks", "payout.confirmed")
    value["data"] |= {"status": "on_hold", "method": "pigeon", "mode": "hybrid"}
    event = webhooks.parse(encode(value))
    assert isinstance(event, webhooks.PayoutConfirmed)
    assert (event.data.status, event.data.method, event.data.mode) == (
        "on_hold",
        "pigeon",
        "hybrid",
    )


def test_placeholders_are_plain_text() -> None:
    """Empty and placeholder texts pass where a URL, an address or a country is expected."""
    value = document("webhooks", "link.clicked")
    value["data"]["click"] |= {"ip": "", "url": "", "country": "Unknown", "referer": "(direct)"}
    value["data"]["link"] |= {"url": "", "shortLink": "not a url", "qrCode": "", "image": "x"}
    event = webhooks.parse(encode(value))
    assert isinstance(event, webhooks.LinkClicked)
    assert (event.data.click.ip, event.data.click.country) == ("", "Unknown")
    assert (event.data.link.url, event.data.link.short_link) == ("", "not a url")


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


def test_surrogates_read_as_replacement_characters() -> None:
    """Only the lone ones are replaced; whole pairs, also beside them, stay."""
    value = document("webhooks", "lead.created")
    value["data"] |= {"eventName": "\ud83d🚀\ude00", "metadata": {"k\ud83d": "\udc00"}}
    event = webhooks.parse(json.dumps(value).encode())
    assert isinstance(event, webhooks.LeadCreated)
    assert event.data.event_name == "\ufffd🚀\ufffd"
    assert event.data.metadata == {"k\ufffd": "\ufffd"}


def test_surrogate_in_the_name_of_an_event() -> None:
    """Such a name is unknown, as any other."""
    value = document("webhooks", "lead.created") | {"event": "lead.created\ud83d"}
    event = webhooks.parse(json.dumps(value).encode())
    assert isinstance(event, webhooks.UnknownEvent)
    assert event.event == "lead.created\ufffd"


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
    ],
)
def test_metadata(metadata: dict[str, Any]) -> None:
    """Metadata is any JSON object, given back as it came."""
    for name in ("lead.created", "sale.created", "commission.created"):
        value = document("webhooks", name)
        value["data"]["metadata"] = metadata
        event = webhooks.parse(encode(value))
        assert isinstance(
            event, webhooks.LeadCreated | webhooks.SaleCreated | webhooks.CommissionCreated
        )
        assert event.data.metadata == metadata
        anew = event.model_dump_json(by_alias=True, exclude_unset=True)
        assert json.loads(anew) == value


def test_deep_metadata() -> None:
    """Metadata nested far deeper than anybody writes it is read."""
    deep: Any = "bottom"
    for level in range(180):
        deep = [deep] if level % 2 else {"deeper": deep}
    value = document("webhooks", "lead.created")
    value["data"]["metadata"] = {"deep": deep}
    event = webhooks.parse(encode(value))
    assert isinstance(event, webhooks.LeadCreated)
    assert event.data.metadata == {"deep": deep}
    assert json.loads(event.model_dump_json(by_alias=True, exclude_unset=True)) == value


def test_flags() -> None:
    """JSON booleans are booleans."""
    value = document("webhooks", "link.clicked")
    for flag in (True, False):
        value["data"]["click"]["qr"] = value["data"]["link"]["archived"] = flag
        event = webhooks.parse(encode(value))
        assert isinstance(event, webhooks.LinkClicked)
        assert event.data.click.qr is event.data.link.archived is flag


def test_presigned_link_and_file_name_are_plain_text() -> None:
    """An attachment is given as the partner named it; nothing is resolved or fetched."""
    event = webhooks.parse(PRODUCTION["webhooks", "message.received"])
    assert isinstance(event, webhooks.MessageReceived)
    attachment = event.data.attachments[0]
    assert (attachment.name, attachment.size) == ("../invoice.png", 20_480)
    assert attachment.url is not None
    assert attachment.url.endswith("X-Amz-Signature=deadbeef")
