"""``dubhooks events``, ``sample``, ``schema`` and ``diff``."""

import json
from pathlib import Path
from typing import Any

import pytest

from dubhooks import postbacks, webhooks
from dubhooks.testing import make_event, make_unknown_event

NAMES = [(name, False) for name in webhooks.family.classes] + [
    (name, True) for name in postbacks.family.classes
]


def test_events_are_listed(cli: Any) -> None:
    """Both families are listed, with the class of every event."""
    listed = json.loads(cli("events", "--json").out)
    assert [*listed["webhooks"]] == [name for name, is_postback in NAMES if not is_postback]
    assert [*listed["postbacks"]] == [name for name, is_postback in NAMES if is_postback]
    assert listed["webhooks"]["external_payout.confirmed"] == "PayoutConfirmed"
    text = cli("events").out
    assert "dubhooks.webhooks.SaleCreated" in text
    assert "dubhooks.postbacks.SaleCreated" in text


@pytest.mark.parametrize(("name", "postback"), NAMES)
def test_every_event_has_a_sample_and_a_schema(
    cli: Any, tmp_path: Path, name: str, postback: bool
) -> None:
    """A sample parses to its class without drift, and its schema has the envelope."""
    flags = ["--postback"] if postback else []
    family = postbacks.family if postback else webhooks.family
    done = cli("sample", name, *flags, "--json")
    body = done.out.encode()
    assert isinstance(family.parse(body), family.classes[name])
    diff = cli("diff", write(tmp_path, body), *flags, "--json")
    assert (diff.code, json.loads(diff.out)["drift"]) == (0, False)
    assert json.loads(cli("sample", name, *flags).out)["event"] == name
    schema = json.loads(cli("schema", name, *flags).out)
    assert schema["$schema"].endswith("2020-12/schema")
    assert {"id", "event", "createdAt", "data"} <= set(schema["properties"])
    assert json.loads(cli("schema", name, *flags, "--json").out) == schema


def test_a_sample_is_byte_for_byte_what_is_sent(cli: Any) -> None:
    """With a seed a sample is the factory's, and ``--json`` adds not even a line break."""
    expected = make_event(webhooks.SaleCreated, seed=7).to_json()
    done = cli("sample", "sale.created", "--seed", 7, "--json")
    assert done.out.encode() == expected
    changed = cli("sample", "sale.created", "--set", 'data.eventName="\\u00e9"', "--json")
    assert json.loads(changed.out)["data"]["eventName"] == "\u00e9"


@pytest.mark.parametrize("command", ["sample", "schema"])
def test_an_unknown_event(cli: Any, command: str) -> None:
    """A misspelt name is one line with the right one and code 2."""
    done = cli(command, "sale.create")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "dubhooks: 'sale.create' is not a webhook event; did you mean sale.created?\n"
    )


def write(path: Path, body: bytes) -> Path:
    """Write a body to a file."""
    file = path / "body.json"
    file.write_bytes(body)
    return file


def test_empty_values_are_no_drift(cli: Any, tmp_path: Path) -> None:
    """An enumeration may be empty, a descriptive field null, and a fraction of a cent rounded."""
    document = json.loads(make_event(webhooks.SaleCreated).to_json())
    document["data"]["click"] |= {"trigger": "", "country": None, "qr": None}
    document["data"]["link"] |= {"tags": None, "clicks": None}
    document["data"]["sale"]["amount"] = 0.4
    done = cli("diff", write(tmp_path, json.dumps(document).encode()))
    assert (done.code, done.out) == (0, "event: sale.created\nno drift\n")


def test_drift_is_named_and_values_are_not(cli: Any, tmp_path: Path) -> None:
    """Unknown keys and values are named by path and type; nothing of a value is shown."""
    body = make_event(
        webhooks.PartnerEnrolled,
        {
            "data.status": "private-status",
            "+data.newKey": {"private-key": "private-value"},
            "+data.links.0.other": "private-text",
            "+newEnvelopeKey": 12,
        },
    ).to_json()
    done = cli("diff", write(tmp_path, body))
    lines = done.out.splitlines()
    assert done.code == 1
    assert "~ data.status: a value that the models do not know" in lines
    assert "+ data.newKey: a key that the models do not know (object)" in lines
    assert "+ data.links[].other: a key that the models do not know (string)" in lines
    assert "+ newEnvelopeKey: a key that the models do not know (number)" in lines
    assert "private" not in done.out
    document = json.loads(body)
    assert document["data"]["email"] not in done.out


def test_free_form_objects_are_left_alone(cli: Any, tmp_path: Path) -> None:
    """Keys of metadata are somebody's data: neither drift nor shown."""
    body = make_event(webhooks.SaleCreated, {"data.metadata": {"private": "x"}}).to_json()
    done = cli("diff", write(tmp_path, body), "--json")
    assert (done.code, "private" in done.out) == (0, False)


def test_a_payload_that_does_not_fit(cli: Any, tmp_path: Path) -> None:
    """A known event that does not fit is drift, with the path and the problem."""
    document = json.loads(make_event(webhooks.SaleCreated).to_json())
    document["data"]["sale"]["amount"] = "private"
    document["data"]["bonus"] = {"private": 1}
    document["data"]["link"]["tags"][0]["color"] = "private"
    del document["data"]["customer"]["id"]
    done = cli("diff", write(tmp_path, json.dumps(document).encode()))
    assert done.code == 1
    assert done.out.splitlines() == [
        "event: sale.created",
        "! data.customer.id: does not fit (missing)",
        "! data.sale.amount: does not fit (int_type)",
        "~ data.link.tags[].color: a value that the models do not know",
        "+ data.bonus: a key that the models do not know (object)",
        "drift",
    ]


def test_an_odd_value_is_drift(cli: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It refuses no event, but the models should be looked at; the log says nothing beside."""
    document = json.loads(make_event(webhooks.SaleCreated).to_json())
    document["data"]["link"]["clicks"] = 0.5
    done = cli("diff", write(tmp_path, json.dumps(document).encode()))
    assert done.code == 1
    assert (
        "~ data.link.clicks: a value of another type (number); the field is left empty"
        in done.out.splitlines()
    )
    assert caplog.records == []


def test_an_event_that_is_not_known(cli: Any, tmp_path: Path) -> None:
    """A name that this version does not know is drift."""
    done = cli("diff", write(tmp_path, make_unknown_event("invoice.refunded").to_json()))
    assert (done.code, done.out) == (
        1,
        "event: invoice.refunded\n! event: this version does not know the event\ndrift\n",
    )


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}"])
def test_no_event_at_all(cli: Any, tmp_path: Path, body: bytes) -> None:
    """Something that is no event is one line and code 2."""
    done = cli("diff", write(tmp_path, body))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert cli("diff", tmp_path / "missing").code == 2
