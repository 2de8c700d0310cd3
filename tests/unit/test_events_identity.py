"""What makes two events one: hashes, and natural keys."""

import copy
import json
from typing import Any

import pytest

from dubhooks import webhooks
from tests.support.payload_fixtures import PRODUCTION, document, encode, models_in, parse, put
from tests.support.payload_shapes import VARIANTS

EVERY = pytest.mark.parametrize(("family", "name"), PRODUCTION, ids=lambda part: part)

NATURAL_KEYS = {
    ("webhooks", "link.clicked"): "click:cLiCkA1b2C3d4E5f",
    ("webhooks", "lead.created"): "lead:cus_A1:cLiCkA1b2C3d4E5f:Sign up ✓",
    ("webhooks", "sale.created"): "invoice:cus_A1:in_A1",
    ("webhooks", "commission.created"): "commission:cm_A1",
    ("webhooks", "partner.enrolled"): "enrollment:prog_A1:pn_A1",
    ("webhooks", "partner.application_submitted"): "application:pga_A1",
    ("webhooks", "program_application.created"): "application:pga_A1",
    ("webhooks", "payout.confirmed"): "payout:po_A1",
    ("webhooks", "external_payout.confirmed"): "payout:po_A1",
    ("webhooks", "message.received"): "message:msg_A1",
    ("postbacks", "lead.created"): "lead:cus_A1:cLiCkA1b2C3d4E5f:Sign up ✓",
    ("postbacks", "commission.created"): "commission:cm_A1",
}
"""The events that Dub may send again under a new id; the others have no natural key."""


@EVERY
def test_natural_key(family: str, name: str) -> None:
    """What Dub may send again under a new id has a key that stays; the rest has none."""
    value = document(family, name)
    assert parse(family, encode(value)).natural_key == NATURAL_KEYS.get((family, name))
    again = value | {"id": "evt_again", "createdAt": "2026-08-21T00:00:00.000Z"}
    assert parse(family, encode(again)).natural_key == NATURAL_KEYS.get((family, name))


def test_natural_key_of_a_sale_without_an_invoice() -> None:
    """Neither an empty nor a missing invoice id makes two sales one."""
    for shape in VARIANTS:
        if "invoice" in shape.label:
            assert webhooks.parse(shape.body()).natural_key is None
    value = document("webhooks", "sale.created")
    del value["data"]["sale"]["invoiceId"]
    assert webhooks.parse(encode(value)).natural_key is None


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"id": "po_1"}, "payout:po_1"),
        ({"id": "cm_1"}, None),
        ({"id": ["po_1"]}, None),
        ("po_1", None),
    ],
)
def test_natural_key_of_an_unknown_event(data: Any, key: str | None) -> None:
    """Without a model only what looks like a payout has one."""
    value = document("webhooks", "sale.created") | {"event": "new.event", "data": data}
    assert webhooks.parse(encode(value)).natural_key == key


@pytest.mark.parametrize("family", ["webhooks", "postbacks"])
def test_natural_key_of_a_lead_without_a_name(family: str) -> None:
    """A lead whose event has no name is still told by customer and click."""
    value = document(family, "lead.created")
    value["data"]["eventName"] = None
    assert parse(family, encode(value)).natural_key == "lead:cus_A1:cLiCkA1b2C3d4E5f:"


def test_natural_keys_of_several_ids_are_told_apart() -> None:
    """A colon inside an id or a name does not make two things one."""
    parts = [("a:b", "c", "d"), ("a", "b:c", "d"), ("a", "b", "c:d"), ("a%3Ab", "c", "d")]
    keys = []
    for customer, click, name in parts:
        value = document("webhooks", "lead.created")
        value["data"]["customer"]["id"] = customer
        value["data"]["click"]["id"] = click
        value["data"]["eventName"] = name
        keys.append(webhooks.parse(encode(value)).natural_key)
    assert keys == ["lead:a%3Ab:c:d", "lead:a:b%3Ac:d", "lead:a:b:c:d", "lead:a%253Ab:c:d"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("link.clicked", ("data", "click", "id")),
        ("lead.created", ("data", "customer", "id")),
        ("lead.created", ("data", "click", "id")),
        ("partner.enrolled", ("data", "programId")),
        ("message.received", ("data", "id")),
        ("program_application.created", ("data", "id")),
    ],
)
def test_no_natural_key_without_an_id(name: str, path: tuple[str, ...]) -> None:
    """An empty id identifies nothing, so it must not make all such events one."""
    value = document("webhooks", name)
    put(value, path, "")
    assert webhooks.parse(encode(value)).natural_key is None


@EVERY
def test_hash(family: str, name: str) -> None:
    """Events and their parts go into sets and dictionaries, equal ones into one place."""
    body = PRODUCTION[family, name]
    event, same = parse(family, body), parse(family, json.dumps(json.loads(body)).encode())
    assert hash(event) == hash(same) == hash(event.model_copy()) == hash(copy.deepcopy(event))
    assert {event, same} == {event}
    value = document(family, name)
    other = parse(family, encode(value | {"id": "evt_other"}))
    changed = parse(family, encode(value | {"new": [1]}))
    assert len({event, other, changed}) == 3
    assert {event: "done"}[same] == "done"
    for (_, model), (_, again) in zip(models_in(event), models_in(same), strict=True):
        assert {model, again} == {model}


def test_hash_of_an_unknown_event() -> None:
    """An event without a model can hold anything, and has a hash all the same."""
    value = document("webhooks", "sale.created") | {"event": "new.event", "data": [{"a": []}]}
    event = webhooks.parse(encode(value))
    assert {event, webhooks.parse(encode(value))} == {event}
    assert len({event, webhooks.parse(encode(value | {"event": "newer.event"}))}) == 2
