"""The factories of ``dubhooks.testing``: complete, consistent, repeatable, signed."""

import json
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import dubhooks
from dubhooks import postbacks, webhooks
from dubhooks.errors import ConfigurationError, SignatureMismatch
from dubhooks.signature import verify
from dubhooks.testing import ABSENT, make_event, signed_request

SECRET = "whsec_0123456789abcdef0123456789abcdef"

WEBHOOK_CLASSES = {
    "link.created": webhooks.LinkCreated,
    "link.updated": webhooks.LinkUpdated,
    "link.deleted": webhooks.LinkDeleted,
    "link.clicked": webhooks.LinkClicked,
    "lead.created": webhooks.LeadCreated,
    "sale.created": webhooks.SaleCreated,
    "commission.created": webhooks.CommissionCreated,
    "partner.enrolled": webhooks.PartnerEnrolled,
    "partner.application_submitted": webhooks.PartnerApplicationSubmitted,
    "program_application.created": webhooks.ProgramApplicationCreated,
    "partner.merged": webhooks.PartnerMerged,
    "bounty.created": webhooks.BountyCreated,
    "bounty.updated": webhooks.BountyUpdated,
    "payout.confirmed": webhooks.PayoutConfirmed,
    "external_payout.confirmed": webhooks.PayoutConfirmed,
    "discount_code.created": webhooks.DiscountCodeCreated,
    "discount_code.deleted": webhooks.DiscountCodeDeleted,
    "message.received": webhooks.MessageReceived,
}
POSTBACK_CLASSES = {
    "lead.created": postbacks.LeadCreated,
    "sale.created": postbacks.SaleCreated,
    "commission.created": postbacks.CommissionCreated,
}
EVERY: list[tuple[Any, str]] = [
    *[(cls, name) for name, cls in WEBHOOK_CLASSES.items()],
    *[(cls, name) for name, cls in POSTBACK_CLASSES.items()],
]
EVERY_EVENT = [pytest.param(*one, id=f"{one[0].__family__}-{one[1]}") for one in EVERY]

# What Dub always sends, in its order, by the class of the object.
CUSTOMER_TAIL = "sales saleAmount createdAt firstSaleAt subscriptionCanceledAt"
CUSTOMER_HEAD = "id name email avatar externalId stripeCustomerId"
APPLICANT = """
    id name companyName email image description country groupId status
    website youtube twitter linkedin instagram tiktok
"""
KEYS = {
    "Link": """
        id domain key url trackConversion externalId tenantId programId partnerId archived
        expiresAt expiredUrl disabledAt password proxy title description image video rewrite
        doIndex ios android geo publicStats tags folderId comments shortLink qrCode
        utm_source utm_medium utm_campaign utm_term utm_content
        testVariants testStartedAt testCompletedAt userId workspaceId
        clicks leads conversions sales saleAmount lastClicked createdAt updatedAt
        tagId projectId webhookIds
    """,
    "LinkTag": "id name color",
    "LinkRef": "id shortLink domain key",
    "PartnerLink": "id domain key shortLink url clicks leads conversions sales saleAmount",
    "Click": """
        id timestamp url country city region continent device browser os ua trigger
        referer refererUrl qr ip
    """,
    "ConversionCustomer": f"{CUSTOMER_HEAD} {CUSTOMER_TAIL}",
    "CommissionCustomer": f"{CUSTOMER_HEAD} country {CUSTOMER_TAIL}",
    "PostbackCustomer": "id country createdAt firstSaleAt subscriptionCanceledAt",
    "WebhookPartner": """
        id name email image payoutsEnabledAt country groupId totalClicks totalLeads
        totalConversions totalSales totalSaleAmount totalCommissions
    """,
    "LinkClickedData": "click link",
    "LeadData": "eventName customer click link partner metadata",
    "SaleData": "eventName customer click link sale partner metadata",
    "Sale": "amount currency paymentProcessor invoiceId",
    "Commission": """
        id type amount earnings currency status invoiceId description quantity userId metadata
        createdAt updatedAt partner customer link
    """,
    "Application": "id createdAt partner applicationFormData",
    "ProgramApplication": "id createdAt partner applicationFormData",
    "ApplicationPartner": APPLICANT,
    "ProgramApplicationPartner": f"""
        {APPLICANT} networkStatus defaultPayoutMethod payoutsEnabledAt platforms
    """,
    "Platform": "type identifier verifiedAt",
    "FormAnswer": "label value",
    "EnrolledPartner": """
        id name username email image description country companyName networkStatus
        defaultPayoutMethod paypalEmail stripeConnectId payoutsEnabledAt identityVerifiedAt
        programId groupId partnerId tenantId createdAt status links totalCommissions
        clickRewardId leadRewardId saleRewardId referralRewardId customRewardId discountId
        applicationId bannedAt bannedReason totalClicks totalLeads totalConversions totalSales
        totalSaleAmount netRevenue earningsPerClick averageLifetimeValue clickToLeadRate
        clickToConversionRate leadToConversionRate returnOnAdSpend
        website youtube twitter linkedin instagram tiktok trustedAt
    """,
    "PartnerMergedData": "sourcePartner targetPartner targetAlreadyEnrolled",
    "MergedPartner": "id tenantId email",
    "Bounty": """
        id name description type startsAt endsAt startMode endsAfterDays submissionsOpenAt
        submissionFrequency maxSubmissions rewardAmount rewardDescription performanceCondition
        performanceScope submissionRequirements socialMetricsLastSyncedAt groups partnerTags
    """,
    "PerformanceCondition": "attribute operator value",
    "SubmissionRequirements": "image url socialMetrics",
    "ImageRequirement": "max",
    "UrlRequirement": "max domains",
    "SocialMetrics": "platform metric minCount incrementalBonus",
    "IncrementalBonus": "incrementCount bonusPerIncrement maxCount",
    "ObjectRef": "id",
    "Payout": """
        id invoiceId amount currency status description periodStart periodEnd createdAt
        updatedAt initiatedAt paidAt mode method partner
    """,
    "PayoutPartner": "id name email image country tenantId status",
    "DiscountCode": "id code partnerId linkId disabledAt discount",
    "Discount": "id amount type maxDuration provider",
    "Message": """
        id text readInApp readInEmail createdAt updatedAt attachments sourceType partner
    """,
    "MessageAttachment": "name size type url",
    "MessagePartner": "id name email image",
    "PostbackLeadData": "eventName click link customer",
    "PostbackSaleData": "eventName click link customer sale",
    "PostbackSale": "amount currency",
    "PostbackCommission": """
        id type amount earnings currency status description quantity createdAt link customer
    """,
}

ID_PREFIXES = {
    "Application": "pga",
    "ApplicationPartner": "pn",
    "Bounty": "bnty",
    "Commission": "cm",
    "CommissionCustomer": "cus",
    "ConversionCustomer": "cus",
    "Discount": "disc",
    "DiscountCode": "dcode",
    "EnrolledPartner": "pn",
    "Link": "link",
    "LinkRef": "link",
    "MergedPartner": "pn",
    "Message": "msg",
    "MessagePartner": "pn",
    "PartnerLink": "link",
    "Payout": "po",
    "PayoutPartner": "pn",
    "PostbackCommission": "cm",
    "PostbackCustomer": "cus",
    "ProgramApplication": "pga",
    "ProgramApplicationPartner": "pn",
    "WebhookPartner": "pn",
}
ID_FIELDS = {
    "partnerId": "pn",
    "programId": "prog",
    "workspaceId": "ws",
    "groupId": "grp",
    "linkId": "link",
    "applicationId": "pga",
}


SEEDED_PARTNER_MERGED = (
    '{"id":"evt_JADM4IaMx2jqb34zt4a9nSUfC","event":"partner.merged",'
    '"createdAt":"2026-02-12T08:27:26.308Z",'
    '"data":{"sourcePartner":'
    '{"id":"pn_0M532OCLDW3WH3HPX7FVR4RLS","tenantId":null,"email":"old-partner-3457@example.com"},'
    '"targetPartner":'
    '{"id":"pn_4UUF07AQOOHM8VHNPMDJTLO1Q","tenantId":"user_82221","email":"partner-3457@example.com"},"targetAlreadyEnrolled":false}}'
)


def wire(event: Any) -> Any:
    """Return the JSON that the event was made from."""
    return json.loads(event.to_json())


def objects(model: Any, value: Any) -> Any:
    """Yield every model below ``model`` with the JSON object that it stands for."""
    if isinstance(model, list):
        for item, item_value in zip(model, value or [], strict=True):
            yield from objects(item, item_value)
    elif hasattr(type(model), "model_fields"):
        yield model, value
        for name, field in type(model).model_fields.items():
            yield from objects(getattr(model, name), value.get(field.alias or name))


def data_objects(event: Any) -> list[tuple[Any, Any]]:
    """Return every model of ``event.data`` with its JSON object."""
    return list(objects(event.data, wire(event)["data"]))


def moments(value: Any) -> list[str]:
    """Return every date in a JSON value."""
    if isinstance(value, dict):
        return [moment for item in value.values() for moment in moments(item)]
    if isinstance(value, list):
        return [moment for item in value for moment in moments(item)]
    is_date = isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", value)
    return [value] if is_date else []


def test_the_names_are_those_of_the_two_families() -> None:
    """There is a factory for every event that the library has a model for."""
    assert set(webhooks.family.classes) == set(WEBHOOK_CLASSES)
    assert set(postbacks.family.classes) == set(POSTBACK_CLASSES)


@pytest.mark.parametrize(("cls", "name"), EVERY_EVENT)
@pytest.mark.parametrize("seed", [None, 0, 7])
def test_an_event_has_its_class_and_every_key_of_production(
    cls: Any, name: str, seed: int | None
) -> None:
    """Every object has exactly the keys that Dub always sends, in its order, all modelled."""
    event = make_event(cls, event=name, seed=seed)
    assert type(event) is cls
    document = wire(event)
    assert list(document) == ["id", "event", "createdAt", "data"]
    assert document["event"] == event.event == name
    for model, value in data_objects(event):
        assert list(value) == KEYS[type(model).__name__].split()
        assert model.model_extra == {}


def test_the_events_hold_every_object_of_the_specification() -> None:
    """No object of the table of keys goes unmade, so the test above has seen them all."""
    events: list[Any] = [make_event(cls) for cls, _ in EVERY]
    made = {type(model).__name__ for event in events for model, _ in data_objects(event)}
    assert made == set(KEYS)


@pytest.mark.parametrize(("cls", "name"), EVERY_EVENT)
def test_the_values_are_plausible(cls: Any, name: str) -> None:
    """Ids have their shape, one partner and link serve all objects, no date is in the future."""
    event = make_event(cls, event=name, seed=3)
    assert re.fullmatch("evt_[0-9A-Za-z]{25}", event.id)
    document = wire(event)
    for model, value in data_objects(event):
        prefixes = {"id": ID_PREFIXES.get(type(model).__name__), **ID_FIELDS}
        for field, prefix in prefixes.items():
            if prefix and value.get(field) is not None:
                assert re.fullmatch(f"{prefix}_[0-9A-Z]{{25}}", value[field]), field
        if "shortLink" in value:
            assert value["shortLink"] == f"https://{value['domain']}/{value['key']}"
        if "qrCode" in value:
            assert value["qrCode"] == f"https://api.dub.co/qr?url={value['shortLink']}?qr=1"
        if "updatedAt" in value:
            assert value["createdAt"] <= value["updatedAt"]
    dates = moments(document)
    assert dates
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", date) for date in dates)
    assert max(dates) == document["createdAt"]


def test_the_objects_of_an_event_agree() -> None:
    """The partner of the link is the partner, and counters fit one another."""
    data = wire(make_event(webhooks.SaleCreated, seed=5))["data"]
    assert data["link"]["partnerId"] == data["partner"]["id"]
    assert data["link"]["tagId"] == data["link"]["tags"][0]["id"]
    assert data["link"]["saleAmount"] == data["partner"]["totalSaleAmount"] > data["sale"]["amount"]
    assert data["click"]["timestamp"] < data["customer"]["createdAt"]
    assert "country" not in data["customer"]
    enrolled = wire(make_event(webhooks.PartnerEnrolled, seed=5))["data"]
    assert enrolled["id"] == enrolled["partnerId"]
    assert enrolled["links"][0]["clicks"] == enrolled["totalClicks"]
    payout = wire(make_event(webhooks.PayoutConfirmed, seed=5))["data"]
    assert (payout["currency"], payout["mode"], payout["status"]) == (
        "USD",
        "external",
        "processing",
    )
    assert payout["periodStart"] < payout["periodEnd"] < payout["createdAt"]
    assert wire(make_event(postbacks.SaleCreated))["data"]["click"]["timestamp"].endswith(".000Z")
    new = wire(make_event(webhooks.LinkCreated))["data"]
    assert (new["clicks"], new["lastClicked"]) == (0, None)


@pytest.mark.parametrize(("cls", "name"), EVERY_EVENT)
def test_a_seed_determines_every_byte(cls: Any, name: str) -> None:
    """The same name and seed give the same bytes, another seed gives other ids."""
    event, other = (make_event(cls, event=name, seed=seed) for seed in (1, 2))
    assert make_event(cls, event=name, seed=1).to_json() == event.to_json()
    assert other.id != event.id
    assert other.natural_key is None or other.natural_key != event.natural_key


def test_seeded_bytes_do_not_depend_on_the_version_of_python() -> None:
    """A seed means the same event everywhere, so stored expectations stay true."""
    event = make_event(webhooks.PartnerMerged, seed=42, created_at="2026-02-12T08:27:26.308Z")
    assert event.to_json().decode() == SEEDED_PARTNER_MERGED


def test_seeded_data_is_the_same_in_another_process() -> None:
    """Id and data follow from the seed for ever, and only created_at is that of the run."""
    program = (
        "from dubhooks.testing import make_event\n"
        "from dubhooks.webhooks import PartnerMerged\n"
        "print(make_event(PartnerMerged, seed=42).to_json().decode())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    other, expected = json.loads(ran.stdout), json.loads(SEEDED_PARTNER_MERGED)
    here = wire(make_event(webhooks.PartnerMerged, seed=42))
    created = [document.pop("createdAt") for document in (other, here, expected)]
    assert other == here == expected
    assert len(set(created)) == 3


@pytest.mark.parametrize(("cls", "name"), EVERY_EVENT)
def test_a_seeded_event_is_taken_by_a_receiver_with_a_store(cls: Any, name: str) -> None:
    """It is new enough for every receiver, and the same again is a duplicate."""
    store = dubhooks.MemoryStore()
    kind: Any = dubhooks.Webhooks if cls in WEBHOOK_CLASSES.values() else dubhooks.Postbacks
    hooks = kind(SECRET, store=store)
    seen: list[Any] = []
    hooks.on(cls)(seen.append)
    event = make_event(cls, event=name, seed=1)
    outcomes = [hooks.handle(*signed_request(event, SECRET)).outcome for _ in range(2)]
    assert outcomes == ["handled", "duplicate"]
    assert len(seen) == 1


def test_a_class_with_two_names_makes_both() -> None:
    """A payout is ``payout.confirmed`` unless the other name is asked for, and no third one is."""
    cls = webhooks.PayoutConfirmed
    assert make_event(cls).event == make_event(cls, event=None).event == "payout.confirmed"
    other = make_event(cls, event="external_payout.confirmed", data__amount=5)
    assert (other.event, other.data.amount) == ("external_payout.confirmed", 5)
    assert make_event(cls, seed=1).id != make_event(cls, seed=1, event=other.event).id
    for third in ("payout.sent", "sale.created", "", ["payout.confirmed"], ABSENT):
        with pytest.raises(ConfigurationError, match=r"'payout.confirmed' or 'external_payout"):
            make_event(cls, event=third)
    with pytest.raises(ConfigurationError, match=r"a SaleCreated is called 'sale.created'"):
        make_event(webhooks.SaleCreated, event="lead.created")


def test_families_do_not_share_ids() -> None:
    """The postback of a name has another id than the webhook of that name and seed."""
    assert (
        make_event(webhooks.SaleCreated, seed=1).id != make_event(postbacks.SaleCreated, seed=1).id
    )


def test_without_a_seed_an_event_is_new_and_from_now() -> None:
    """Ids differ from call to call, and the event is no older than the call."""
    before = datetime.now(timezone.utc) - timedelta(milliseconds=1)
    events = [make_event(webhooks.SaleCreated) for _ in range(20)]
    after = datetime.now(timezone.utc)
    assert len({event.id for event in events}) == 20
    assert len({event.natural_key for event in events}) == 20
    assert all(before <= event.created_at <= after for event in events)


@pytest.mark.parametrize(("cls", "name"), EVERY_EVENT)
def test_the_bytes_are_compact_utf_8_and_parse_to_the_same_event(cls: Any, name: str) -> None:
    """What to_json gives is what Dub would send, and parsing it gives an equal event."""
    event = make_event(cls, event=name, seed=9)
    body = event.to_json()
    compact = json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":"))
    assert body == compact.encode()
    parse = webhooks.parse if cls in WEBHOOK_CLASSES.values() else postbacks.parse
    parsed = parse(body)
    assert type(parsed) is cls
    assert parsed == event


@pytest.mark.parametrize(("cls", "name"), EVERY_EVENT)
def test_a_signed_request_verifies(cls: Any, name: str) -> None:
    """The body is the event's bytes and the header proves them, for this secret only."""
    event = make_event(cls, event=name)
    body, headers = signed_request(event, SECRET)
    assert body == event.to_json()
    assert headers["Content-Type"] == "application/json"
    assert set(headers) == {"Content-Type", "Dub-Signature"}
    verify(body, headers["Dub-Signature"], SECRET)
    with pytest.raises(SignatureMismatch):
        verify(body, headers["Dub-Signature"], "whsec_other")


def test_any_bytes_can_be_signed() -> None:
    """Raw bytes are signed as they are, and the first of several secrets signs."""
    body, headers = signed_request(b"\xff not json", [SECRET, "whsec_old"])
    assert body == b"\xff not json"
    verify(body, headers["Dub-Signature"], SECRET)
    with pytest.raises(ConfigurationError):
        signed_request("text", SECRET)  # type: ignore[arg-type]


def test_the_import_needs_no_test_runner_and_no_framework() -> None:
    """The module serves applications and command lines that have neither."""
    modules = "pytest", "flask", "fastapi", "starlette", "django", "httpx", "redis", "sqlalchemy"
    program = (
        "import sys\nfrom dubhooks.testing import *\n"
        f"print([name for name in {modules!r} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert result.stdout == "[]\n"
