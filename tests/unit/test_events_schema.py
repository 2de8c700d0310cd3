"""The JSON Schemas of events: wire names, types, titles and what the fields mean."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from dubhooks import postbacks, webhooks
from dubhooks.events._base import Event, Model
from dubhooks.events._fields import Count, Flag, Text
from dubhooks.events._schema import describe_fields

CLASSES: dict[str, type[Event]] = {
    f"{module.family.name} {cls.__name__}": cls
    for module in (webhooks, postbacks)
    for cls in [*module.family.classes.values(), webhooks.UnknownEvent]
}


def _objects_in(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "the event", schema["properties"]
    for name, definition in schema.get("$defs", {}).items():
        yield name, definition["properties"]


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_json_schema(cls: type[Event], mode: Literal["validation", "serialization"]) -> None:
    """Every event has a JSON schema, in wire names, that is plain JSON."""
    schema = cls.model_json_schema(mode=mode)
    assert json.loads(json.dumps(schema)) == schema
    assert set(schema["properties"]) == {"id", "event", "createdAt", "data"}
    assert set(schema["required"]) == {"id", "event", "createdAt", "data"}
    assert schema["properties"]["createdAt"]["format"] == "date-time"
    assert schema["additionalProperties"] in (True, {})  # any JSON


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
def test_every_field_is_described(cls: type[Event]) -> None:
    """Every field of every object says in words what it is, under a title that one can read."""
    for where, properties in _objects_in(cls.model_json_schema()):
        for wire, described in properties.items():
            assert described["description"][-1] in ".`…)", f"{where}.{wire}"
            assert described["title"].replace(" ", "").lower() == wire.replace("_", "").lower()
            is_money = "amount" in wire.lower() or wire in ("earnings", "netRevenue")
            if is_money and described.get("type", "integer") == "integer":
                assert "cents" in described["description"], f"{where}.{wire}"


def test_what_descriptions_say() -> None:
    """They are the docstrings of the fields, with what a field is when Dub did not send it."""
    definitions = webhooks.SaleCreated.model_json_schema()["$defs"]
    link = definitions["Link"]["properties"]
    assert link["shortLink"]["title"] == "Short link"
    assert link["shortLink"]["description"] == (
        "The whole short link. Empty when Dub did not send it."
    )
    assert link["saleAmount"]["description"] == (
        "Sum of the sales, in cents. 0 when Dub did not send it."
    )
    assert link["archived"]["description"].endswith(". False when Dub did not send it.")
    assert link["tags"]["description"].endswith(". Empty when Dub did not send it.")
    assert definitions["Sale"]["properties"]["amount"]["description"] == "In cents."


def test_types_of_fields() -> None:
    """Amounts, dates, enums, lists and free JSON are described as they are on the wire."""
    lead = webhooks.LeadCreated.model_json_schema()["$defs"]
    assert lead["LeadData"]["properties"]["metadata"]["anyOf"][0]["type"] == "object"
    link = lead["Link"]["properties"]
    assert link["tags"]["type"] == "array"
    assert link["tags"]["items"] == {"$ref": "#/$defs/LinkTag"}
    assert link["webhookIds"]["items"] == {"type": "string"}
    dates = {"type": "string", "format": "date-time"}
    assert link["expiresAt"]["anyOf"] == [dates, {"type": "null"}]
    payout = webhooks.PayoutConfirmed.model_json_schema()["$defs"]["Payout"]["properties"]
    assert payout["amount"]["type"] == "integer"
    known, *others = payout["mode"]["anyOf"]
    assert known["enum"] == ["internal", "external"]
    assert others == [{"type": "string"}, {"type": "null"}]


def test_a_model_without_source() -> None:
    """A model whose source is not at hand has titles, and says what is empty."""
    names = {"Model": Model, "Text": Text, "Flag": Flag, "Count": Count}
    exec("class Made(Model, frozen=True):\n    some_text: Text = ''\n    other: int\n", names)  # noqa: S102
    properties: dict[str, Any] = {"some_text": {}, "other": {}}
    made: Any = names["Made"]
    describe_fields(made, properties)
    assert properties == {
        "some_text": {"title": "Some text", "description": "Empty when Dub did not send it."},
        "other": {"title": "Other"},
    }
