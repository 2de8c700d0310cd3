"""Every event in every shape that Dub sends, sent or prints: typed, tolerant and lossless."""

import json
from typing import Any

import pytest

from dubhooks import postbacks, webhooks
from dubhooks.errors import InvalidEvent
from dubhooks.events._base import Event
from tests.support.payload_fixtures import (
    ABRIDGED,
    DATE_SHAPE,
    ENVELOPE,
    PRODUCTION,
    document,
    drop,
    encode,
    get,
    is_free,
    models_in,
    parse,
    paths,
    put,
    refuses,
    required,
    split,
)
from tests.support.payload_shapes import OLD, TEST_EVENTS, VARIANTS, Shape

EVERY = pytest.mark.parametrize(("family", "name"), PRODUCTION, ids=lambda part: part)


def _assert_lossless(family: str, body: bytes) -> Event:
    event = parse(family, body)
    assert json.loads(event.to_json()) == json.loads(body)
    assert parse(family, event.to_json()) == event
    return event


def _assert_written_anew_alike(event: Event, body: bytes) -> None:
    # The models alone, without the bytes that the event remembers, say the same.
    anew = event.model_dump_json(by_alias=True, exclude_unset=True)
    assert json.loads(anew) == json.loads(body)


@EVERY
def test_production_payload(family: str, name: str) -> None:
    """A payload with every key is typed to the last key and keeps all of them."""
    body = PRODUCTION[family, name]
    event = _assert_lossless(family, body)
    module = webhooks if family == "webhooks" else postbacks
    assert type(event) is module.family.classes[name]
    assert event.event == name
    assert event.id == json.loads(body)["id"]
    assert event.to_json() == body
    assert [
        (path, model.model_extra) for path, model in models_in(event) if model.model_extra
    ] == []
    _assert_written_anew_alike(event, body)


def test_every_field_is_in_a_fixture() -> None:
    """The tests reach every field of every model, but the one that Dub never sends."""
    seen: dict[type, set[str]] = {}
    for (family, _), body in PRODUCTION.items():
        for _, model in models_in(parse(family, body)):
            seen.setdefault(type(model), set()).update(model.model_fields_set)
    unseen = {
        f"{cls.__name__}.{field}"
        for cls, fields in seen.items()
        for field in set(cls.model_fields) - fields  # type: ignore[attr-defined]
    }
    assert unseen == {"ConversionCustomer.country"}


@EVERY
def test_every_value_is_where_it_belongs(family: str, name: str) -> None:
    """Each attribute holds the value of its wire key."""
    value = document(family, name)
    event = parse(family, PRODUCTION[family, name])
    for path, model in models_in(event):
        wire = get(value, split(path)) if path else value
        for field, info in type(model).model_fields.items():
            if field not in model.model_fields_set:
                continue
            got, sent = getattr(model, field), wire[info.alias or field]
            if isinstance(sent, str) and DATE_SHAPE.fullmatch(sent):
                assert got.isoformat(timespec="milliseconds") == sent.replace("Z", "+00:00")
            elif not isinstance(sent, (dict, list)):
                assert got == sent
                assert type(got) is type(sent)


@pytest.mark.parametrize("name", ABRIDGED)
def test_abridged_payload(name: str) -> None:
    """What third-party documentation prints is typed too."""
    body = ABRIDGED[name]
    event = _assert_lossless("webhooks", body)
    assert type(event) is webhooks.family.classes[name]
    if name != "commission.created":
        _assert_written_anew_alike(event, body)


@pytest.mark.parametrize("more", [{}, {"partner": None}], ids=["absent", "null"])
def test_commission_with_a_partner_id(more: dict[str, Any]) -> None:
    """``partnerId`` in place of ``partner`` names the partner; the earnings are unknown."""
    value = json.loads(ABRIDGED["commission.created"])
    value["data"] |= more
    event = _assert_lossless("webhooks", encode(value))
    assert isinstance(event, webhooks.CommissionCreated)
    assert event.data.partner.id == "pn_A1"
    assert event.data.earnings is None
    assert event.data.amount == 1990
    assert event.data.model_extra == {"partnerId": "pn_A1", "saleId": "sale_A1"}
    assert event.natural_key == "commission:cm_A1"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"partnerId": None}, "data.partner"),
        ({"partnerId": ""}, "data.partner"),
        ({"partnerId": 5}, "data.partner.id"),
        ({"partner": {}}, "data.partner.id"),
        ({"partner": {"id": ""}}, "data.partner.id"),
        ({"partner": "pn_A1"}, "data.partner"),
    ],
)
def test_commission_with_a_wrong_partner(changes: dict[str, Any], path: str) -> None:
    """A partner that is there and wrong is not covered up by ``partnerId``."""
    value = json.loads(ABRIDGED["commission.created"])
    value["data"].update(changes)
    with pytest.raises(InvalidEvent) as raised:
        webhooks.parse(encode(value))
    assert [problem.path for problem in raised.value.problems] == [path]


@pytest.mark.parametrize(
    ("family", "name", "path"),
    [
        ("webhooks", "payout.confirmed", "data.id"),
        ("webhooks", "external_payout.confirmed", "data.partner.id"),
        ("webhooks", "commission.created", "data.id"),
        ("webhooks", "sale.created", "data.partner.id"),
        ("postbacks", "commission.created", "data.id"),
    ],
)
def test_an_id_that_money_moves_by_is_not_empty(family: str, name: str, path: str) -> None:
    """With an empty id two payments would be taken for one."""
    value = document(family, name)
    put(value, split(path), "")
    _assert_refused(family, value, path, "string_too_short")


def test_what_is_beside_the_matter_may_lack_its_id() -> None:
    """A sale is not refused for a tag, nor a message for a sender, without an id."""
    value = document("webhooks", "sale.created")
    del value["data"]["link"]["tags"][0]["id"]
    sale = _assert_lossless("webhooks", encode(value))
    assert isinstance(sale, webhooks.SaleCreated)
    assert sale.data.link.tags[0].id is None
    value = document("webhooks", "message.received")
    del value["data"]["partner"]["id"]
    message = _assert_lossless("webhooks", encode(value))
    assert isinstance(message, webhooks.MessageReceived)
    assert message.data.partner is not None
    assert (message.data.partner.id, bool(message.data.partner.name)) == (None, True)


@pytest.mark.parametrize(
    "shape",
    [*TEST_EVENTS, *OLD, *VARIANTS],
    ids=lambda shape: f"{shape.family}-{shape.name}-{shape.label}",
)
def test_other_shape(shape: Shape) -> None:
    """Test events, older payloads and what single call sites send are typed and kept."""
    body = shape.body()
    event = _assert_lossless(shape.family, body)
    assert type(event) is type(parse(shape.family, PRODUCTION[shape.family, shape.name]))
    if shape.label != "tags null":
        _assert_written_anew_alike(event, body)


def test_old_bounty_requirements() -> None:
    """The list of older bounties is given as it came, today's object as a model."""
    old = next(shape for shape in OLD if "list" in shape.label)
    event = webhooks.parse(old.body())
    assert isinstance(event, webhooks.BountyCreated)
    assert event.data.submission_requirements == ["image", "url"]
    new = webhooks.parse(PRODUCTION["webhooks", "bounty.created"])
    assert isinstance(new, webhooks.BountyCreated)
    assert isinstance(new.data.submission_requirements, webhooks.SubmissionRequirements)


def test_null_in_place_of_a_list() -> None:
    """It reads as an empty list, and is still null on the wire."""
    shape = next(shape for shape in VARIANTS if shape.label == "tags null")
    event = webhooks.parse(shape.body())
    assert isinstance(event, webhooks.LinkUpdated)
    assert event.data.tags == []
    assert event.data.webhook_ids == []
    assert json.loads(event.to_json())["data"]["tags"] is None


ABSENT = object()
ODD: dict[str, Any] = {
    "absent": ABSENT,
    "null": None,
    "object": {"LEAK": "LEAK"},
    "list": ["LEAK"],
    "text": "LEAK",
    "number": 1.5,
    "flag": True,
}


@EVERY
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_every_value_replaced(family: str, name: str, odd: Any) -> None:
    """Identity and money refuse another type and absence, by name of field, and nothing else."""
    needed = {f"data.{path}" for path in required(family, name)}
    for path in paths(document(family, name)["data"], ("data",)):
        value, dotted = document(family, name), ".".join(map(str, path))
        if odd is ABSENT and isinstance(path[-1], str):
            drop(value, path)
        elif odd is not ABSENT and type(get(value, path)) is not type(odd):
            put(value, path, odd)
        if odd is ABSENT or odd is None:
            is_refused = dotted in needed
        else:
            is_refused = refuses(name, path) and not _is_rounded(path, odd)
        if value == document(family, name) or (is_free(path) and odd is not None):
            continue
        if is_refused:
            _assert_refused(family, value, dotted, "missing" if odd is ABSENT else None)
            continue
        event = _assert_lossless(family, encode(value))
        if odd is ABSENT and path[-1] != "id":  # an object without its id is left out
            _assert_written_anew_alike(event, encode(value))


@EVERY
def test_only_what_is_required(family: str, name: str) -> None:
    """An event of nothing but its required keys parses."""
    value = document(family, name)
    needed = {f"data.{path}" for path in required(family, name)} | set(ENVELOPE)
    for path in reversed(list(paths(value))):
        dotted = ".".join(map(str, path))
        held = any(key.startswith(f"{dotted}.") for key in needed)
        if isinstance(path[-1], str) and dotted not in needed and not held:
            drop(value, path)
    body = encode(value)
    event = _assert_lossless(family, body)
    _assert_written_anew_alike(event, body)
    assert len(body) < 450


@EVERY
def test_unknown_keys_everywhere(family: str, name: str) -> None:
    """Keys that this version does not know are kept in every object, whatever they hold."""
    value = document(family, name)
    new: Any = {"n": [1, 1.5, None, True, "é", {"deep": [[]]}]}
    holders = [(), *(path for path in paths(value) if isinstance(get(value, path), dict))]
    for path in holders:
        if path[-1:] != ("geo",):
            get(value, path)["brandNew"] = new
    body = encode(value)
    event = _assert_lossless(family, body)
    _assert_written_anew_alike(event, body)
    for _, model in models_in(event):
        assert model.model_extra == {"brandNew": new}


@EVERY
def test_unknown_enum_values(family: str, name: str) -> None:
    """Any text is taken where text is expected, so that new values of Dub pass."""
    value = document(family, name)
    for path in paths(value["data"], ("data",)):
        old = get(value, path)
        if isinstance(old, str) and not DATE_SHAPE.fullmatch(old):
            put(value, path, "brand_new ✨")
    body = encode(value)
    _assert_written_anew_alike(_assert_lossless(family, body), body)


def _assert_refused(family: str, value: Any, path: str, problem: str | None = None) -> None:
    with pytest.raises(InvalidEvent) as raised:
        parse(family, encode(value))
    error = raised.value
    found = dict(error.problems)
    assert path in found, (path, found)
    assert problem in (None, found[path])
    assert len(found) == len(error.problems)
    assert (error.event_name, error.event_id) == (value["event"], value["id"])
    assert error.code == "invalid_event"
    assert "LEAK" not in f"{error} {error!r} {error.problems}"
    assert error.__context__ is error.__cause__ is None


def _is_rounded(path: tuple[str | int, ...], odd: Any) -> bool:
    return path[-2:] == ("sale", "amount") and isinstance(odd, float)


@EVERY
def test_same_name_in_the_other_family(family: str, name: str) -> None:
    """A body of the other family gives an event, an unknown event or a clear error, no crash."""
    other = "postbacks" if family == "webhooks" else "webhooks"
    body = PRODUCTION[family, name]
    if (other, name) not in PRODUCTION:
        assert isinstance(parse(other, body), webhooks.UnknownEvent)
    elif family == "webhooks" or name != "commission.created":
        assert _assert_lossless(other, body).event == name
    else:
        with pytest.raises(InvalidEvent, match=r"data\.partner: missing"):
            parse(other, body)
