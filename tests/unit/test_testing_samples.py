"""The abridged bodies of ``dubhooks._samples.abridged``."""

import json
from typing import Any

from dubhooks import webhooks
from dubhooks._samples import load_abridged

CUSTOMER = "id externalId name email avatar createdAt"
PRINTED = {
    "link.clicked abridged": {
        "": "click link",
        "click": "id timestamp url country city region continent device browser os referer "
        "refererUrl qr ip",
        "link": "id domain key url trackConversion partnerId programId shortLink qrCode utm_source "
        "utm_medium utm_campaign createdAt updatedAt",
    },
    "lead.created abridged": {
        "": "eventName customer click link partner metadata",
        "customer": CUSTOMER,
        "click": "id timestamp url country city device browser os referer ip",
        "link": "id domain key url partnerId programId shortLink",
        "partner": "id email",
    },
    "sale.created abridged": {
        "": "eventName customer click link sale partner metadata",
        "customer": CUSTOMER,
        "click": "id timestamp country city device browser ip",
        "link": "id domain key url shortLink",
        "sale": "amount currency paymentProcessor invoiceId",
        "partner": "id email",
    },
    "partner.enrolled abridged": {
        "": "id email name image programId status links createdAt",
        "links": "id domain key url shortLink",
    },
    "commission.created with partnerId": {
        "": "id partnerId amount currency status saleId createdAt",
    },
}


def keys(data: Any) -> dict[str, str]:
    """Return the keys of ``data`` and of the objects in it, but for those of free metadata."""
    found = {"": " ".join(data)}
    for name, value in data.items():
        item = value[0] if isinstance(value, list) else value
        if isinstance(item, dict) and name != "metadata":
            found[name] = " ".join(item)
    return found


def test_abridged_bodies_parse() -> None:
    """The printed shapes parse typed, their missing fields None, and are new with every call."""
    bodies = load_abridged()
    events = {name: webhooks.parse(body) for name, body in bodies.items()}
    assert {name: type(event) for name, event in events.items()} == {
        "link.clicked abridged": webhooks.LinkClicked,
        "lead.created abridged": webhooks.LeadCreated,
        "sale.created abridged": webhooks.SaleCreated,
        "partner.enrolled abridged": webhooks.PartnerEnrolled,
        "commission.created with partnerId": webhooks.CommissionCreated,
    }
    assert events.keys() == load_abridged().keys()
    assert {event.id for event in events.values()}.isdisjoint(
        webhooks.parse(body).id for body in load_abridged().values()
    )
    assert load_abridged(seed=1) == load_abridged(seed=1)


def test_abridged_bodies_have_the_printed_keys() -> None:
    """The bodies have the few keys that documentation prints, in its order, and no more."""
    found = {name: keys(json.loads(body)["data"]) for name, body in load_abridged().items()}
    assert found == PRINTED
