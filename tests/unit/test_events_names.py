"""The names of events and models: none is missing, none is there by accident."""

from typing import Any, get_args

import pytest

from dubhooks import postbacks, webhooks
from tests.support.payload_fixtures import PRODUCTION, REQUIRED, document, encode, models_in, parse

WEBHOOK_NAMES = {
    "link.created": "LinkCreated",
    "link.updated": "LinkUpdated",
    "link.deleted": "LinkDeleted",
    "link.clicked": "LinkClicked",
    "lead.created": "LeadCreated",
    "sale.created": "SaleCreated",
    "commission.created": "CommissionCreated",
    "partner.enrolled": "PartnerEnrolled",
    "partner.application_submitted": "PartnerApplicationSubmitted",
    "program_application.created": "ProgramApplicationCreated",
    "partner.merged": "PartnerMerged",
    "bounty.created": "BountyCreated",
    "bounty.updated": "BountyUpdated",
    "payout.confirmed": "PayoutConfirmed",
    "external_payout.confirmed": "PayoutConfirmed",
    "discount_code.created": "DiscountCodeCreated",
    "discount_code.deleted": "DiscountCodeDeleted",
    "message.received": "MessageReceived",
}
POSTBACK_NAMES = {
    "lead.created": "LeadCreated",
    "sale.created": "SaleCreated",
    "commission.created": "CommissionCreated",
}


def test_webhook_names() -> None:
    """The 18 names and 17 classes are these, in the registry and the union."""
    classes = {name: cls.__name__ for name, cls in webhooks.family.classes.items()}
    assert classes == WEBHOOK_NAMES
    members = set(get_args(webhooks.KnownWebhookEvent))
    assert members == set(webhooks.family.classes.values())
    assert set(get_args(webhooks.WebhookEvent)) == {*members, webhooks.UnknownEvent}
    assert len(members) == 17


def test_postback_names() -> None:
    """The three postback events are classes of their own."""
    classes = {name: cls.__name__ for name, cls in postbacks.family.classes.items()}
    assert classes == POSTBACK_NAMES
    members = set(get_args(postbacks.KnownPostbackEvent))
    assert members == set(postbacks.family.classes.values())
    assert set(get_args(postbacks.PostbackEvent)) == {*members, postbacks.UnknownEvent}
    assert not members & set(get_args(webhooks.WebhookEvent))


def test_there_is_a_fixture_of_every_event() -> None:
    """No event is left out of the tests below."""
    assert {name for family, name in PRODUCTION if family == "webhooks"} == set(WEBHOOK_NAMES)
    assert {name for family, name in PRODUCTION if family == "postbacks"} == set(POSTBACK_NAMES)
    assert set(REQUIRED) == set(PRODUCTION)


@pytest.mark.parametrize("module", [webhooks, postbacks], ids=["webhooks", "postbacks"])
def test_public_names(module: Any) -> None:
    """Every exported name exists, and every model of the payloads is exported."""
    assert all(hasattr(module, name) for name in module.__all__)
    family = module.__name__.rpartition(".")[2]
    used = {
        type(model).__name__
        for (of, _), body in PRODUCTION.items()
        if of == family
        for _, model in models_in(parse(of, body))
    }
    assert used <= set(module.__all__)


def test_name_in_another_spelling_is_unknown() -> None:
    """Names are compared as they are."""
    for name in (
        "Sale.Created",
        "sale_created",
        " sale.created",
        "sale.created ",
        "sale.created.v2",
    ):
        value = document("webhooks", "sale.created") | {"event": name}
        event = webhooks.parse(encode(value))
        assert isinstance(event, webhooks.UnknownEvent)
        assert (event.event, event.data) == (name, value["data"])
