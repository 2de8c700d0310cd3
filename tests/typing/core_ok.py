"""What type checkers must accept and infer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from typing_extensions import assert_never, assert_type

import dubhooks
from dubhooks import postbacks, webhooks
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import LeadCreated, PayoutConfirmed, SaleCreated, UnknownEvent, WebhookEvent

hooks = dubhooks.Webhooks(
    ["whsec_new", b"whsec_old"],
    store=dubhooks.SQLiteStore("dubhooks.db"),
    namespace="shop",
    lease=timedelta(minutes=2),
    retention=timedelta(days=45),
    max_age=20 * 86_400,
    dead_letters=dubhooks.DeadLetterDirectory("dead-letters"),
    observers=[dubhooks.health.FailureWatch(), lambda record: print(record.outcome)],
)
partner_hooks = dubhooks.Postbacks(lambda: "pbsec_x")


@hooks.on(SaleCreated)
def record_sale(event: SaleCreated) -> None:
    assert_type(event.data.sale.amount, int)
    assert_type(event.data.partner, webhooks.WebhookPartner | None)
    assert_type(event.created_at, datetime)


assert_type(record_sale, Callable[[SaleCreated], None])


@hooks.on("invoice.refunded")
def by_name(event: UnknownEvent) -> None:
    print(event.data)


@hooks.on(LeadCreated)
async def by_class(event: LeadCreated) -> None: ...


@hooks.on(webhooks.LinkCreated, webhooks.LinkUpdated, dedupe="natural")
def by_classes(event: webhooks.LinkCreated | webhooks.LinkUpdated) -> None:
    assert_type(event.data, webhooks.Link)


@hooks.on(
    webhooks.LinkCreated,
    webhooks.LinkUpdated,
    webhooks.LinkDeleted,
    webhooks.LinkClicked,
    LeadCreated,
    dedupe="natural",
)
def five_and_more(event: WebhookEvent) -> None: ...


hooks.on(PayoutConfirmed)(lambda event: print(event.data.amount + 1))
hooks.on("payout.external_confirmed")(lambda event: print(event.event))
hooks.on(webhooks.LinkClicked)(lambda event: print(event.data.click.id))
hooks.on(SaleCreated)(lambda event: print(event.data.sale.currency))


@hooks.on_unhandled
def rest(event: WebhookEvent) -> None: ...


@partner_hooks.on(postbacks.SaleCreated)
def partner_sale(event: postbacks.SaleCreated) -> None:
    assert_type(event.data.sale, postbacks.PostbackSale)


@partner_hooks.on_unhandled
async def partner_rest(event: postbacks.PostbackEvent) -> None: ...


def narrow(event: WebhookEvent) -> str:
    if event.event == "sale.created" and isinstance(event, SaleCreated):
        assert_type(event.data, webhooks.SaleData)
    match event:
        case webhooks.LinkCreated() | webhooks.LinkUpdated() | webhooks.LinkDeleted():
            return event.data.id
        case webhooks.LinkClicked():
            return event.data.click.id
        case LeadCreated() | SaleCreated():
            return event.data.customer.id
        case webhooks.CommissionCreated():
            return event.data.partner.id
        case webhooks.PartnerEnrolled():
            return event.data.program_id
        case webhooks.PartnerApplicationSubmitted() | webhooks.ProgramApplicationCreated():
            return event.data.partner.name
        case webhooks.PartnerMerged():
            return event.data.target_partner.id
        case webhooks.BountyCreated() | webhooks.BountyUpdated():
            return event.data.id
        case PayoutConfirmed():
            return event.data.currency
        case webhooks.DiscountCodeCreated() | webhooks.DiscountCodeDeleted():
            return event.data.code
        case webhooks.MessageReceived():
            return event.data.id
        case webhooks.UnknownEvent():
            return event.event
        case _:
            assert_never(event)


def narrow_postback(event: postbacks.PostbackEvent) -> int | float | None:
    match event:
        case postbacks.LeadCreated():
            return None
        case postbacks.SaleCreated():
            return event.data.sale.amount
        case postbacks.CommissionCreated():
            assert_type(event.data.earnings, int)
            return event.data.earnings
        case postbacks.UnknownEvent():
            return None
        case _:
            assert_never(event)


assert_type(hooks.unwrap(b"", {}), WebhookEvent)
assert_type(partner_hooks.unwrap(b"", [(b"Dub-Signature", b"")]), postbacks.PostbackEvent)
assert_type(hooks.handle(b"", [("Dub-Signature", "")]), dubhooks.Reply)
assert_type(webhooks.parse(b""), WebhookEvent)
assert_type(postbacks.parse(body=b""), postbacks.PostbackEvent)
assert_type(dubhooks.sign(b"", "whsec_x"), str)
assert_type(dubhooks.verify(b"", None, ["whsec_x"]), None)
assert_type(dubhooks.explain(b"", b"", lambda: ["whsec_x"]), dubhooks.Explanation)
assert_type(dubhooks.explain(b"", None, None).valid, bool)
assert_type({make_event(SaleCreated): 1}[make_event(SaleCreated, seed=1)], int)
assert_type(make_event(SaleCreated), SaleCreated)
assert_type(make_event(postbacks.SaleCreated), postbacks.SaleCreated)
assert_type(signed_request(make_event(SaleCreated), "whsec_x"), tuple[bytes, dict[str, str]])

assert_type(hooks.forget("evt_1"), bool)
color: webhooks.LinkTag = webhooks.LinkTag(id="1", name="n", color="a new colour")


async def asynchronous() -> None:
    assert_type(await hooks.ahandle(b"", {}), dubhooks.Reply)
    assert_type(await hooks.aforget(make_event(SaleCreated)), bool)


class KeepInMemory:
    def __init__(self) -> None:
        self.rows: dict[str, str] = {}

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> dubhooks.Claim:
        return dubhooks.Claim("acquired", 1, fingerprint, 0.0)

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        return True

    def release(self, key: str, token: str) -> bool:
        return True

    def forget(self, key: str) -> bool:
        return True


dubhooks.Webhooks("whsec_x", store=KeepInMemory())
