"""What type checkers must refuse: an error on every marked line and on no other."""

from __future__ import annotations

import dubhooks
from dubhooks import postbacks, webhooks
from dubhooks.testing import make_event
from dubhooks.webhooks import LeadCreated, SaleCreated, WebhookEvent

hooks = dubhooks.Webhooks("whsec_x")
partner_hooks = dubhooks.Postbacks("pbsec_x")


@hooks.on(SaleCreated)  # expect-error
def wrong_class(event: LeadCreated) -> None: ...


@hooks.on(SaleCreated)  # expect-error
def no_event() -> None: ...


@hooks.on(SaleCreated, LeadCreated)  # expect-error
def one_of_two(event: SaleCreated) -> None: ...


@hooks.on(SaleCreated)  # expect-error
def two_parameters(event: SaleCreated, other: int) -> None: ...


@hooks.on_unhandled  # expect-error
def unhandled(event: SaleCreated) -> None: ...


hooks.on("invoice.refunded", SaleCreated)  # expect-error
hooks.on("invoice.refunded")(lambda event: event.dtaa)  # expect-error
hooks.on("invoice.refunded", "invoice.paid")  # expect-error
hooks.on(postbacks.SaleCreated)  # expect-error
hooks.on(int)  # expect-error
hooks.on(SaleCreated, dedupe="never")  # expect-error
partner_hooks.on(webhooks.LinkCreated)  # expect-error
partner_hooks.on(SaleCreated)  # expect-error
hooks.on(SaleCreated)(lambda event: event.data.slae)  # expect-error
hooks.on(SaleCreated)(lambda event: event.data.sale.amount + "1")  # expect-error

dubhooks.Webhook("whsec_x")  # expect-error
dubhooks.SaleCreated  # expect-error
dubhooks.Webhooks()  # expect-error
dubhooks.Webhooks(None)  # expect-error
dubhooks.Webhooks("whsec_x", store=object())  # expect-error
dubhooks.Webhooks("whsec_x", retention="30")  # expect-error
dubhooks.Webhooks("whsec_x", sotre=None)  # expect-error
dubhooks.sign("text", "whsec_x")  # expect-error
dubhooks.verify(b"", 1, "whsec_x")  # expect-error
webhooks.parse("text")  # expect-error
hooks.handle({"id": 1}, {})  # expect-error

sale = make_event(SaleCreated)
sale.id = "evt_2"  # expect-error
sale.data.sale.amount = 1  # expect-error
amount: str = sale.data.sale.amount  # expect-error
partner: str = sale.data.partner.id  # expect-error
hooks.forget(1)  # expect-error
hooks.run(None, None)  # expect-error


def narrow(event: WebhookEvent) -> None:
    event.data.sale  # expect-error
