"""What type checkers must refuse of ``dubhooks.fastapi``: an error on every marked line."""

from __future__ import annotations

from fastapi import FastAPI

import dubhooks
from dubhooks import postbacks
from dubhooks.fastapi import openapi, router, verified, webhook
from dubhooks.webhooks import LeadCreated, SaleCreated, WebhookEvent

app = FastAPI()
hooks = dubhooks.Webhooks("whsec_x")
partner_hooks = dubhooks.Postbacks("pbsec_x")


@webhook(hooks, SaleCreated)  # expect-error
async def wrong_class(event: LeadCreated) -> None: ...


@webhook(hooks, SaleCreated)  # expect-error
def no_event() -> None: ...


@webhook(hooks, SaleCreated)  # expect-error
async def swapped(tenant: str, event: SaleCreated) -> None: ...


@webhook  # expect-error
def not_called(event: WebhookEvent) -> None: ...


webhook(SaleCreated)  # expect-error
webhook(hooks, postbacks.SaleCreated)  # expect-error
webhook(hooks, SaleCreated, read_timeout="5")  # expect-error
verified(hooks, SaleCreated, dedupe="natural")  # expect-error
webhook(hooks=hooks)  # expect-error
verified(hooks, postbacks.SaleCreated)  # expect-error
verified(SaleCreated)  # expect-error
router("whsec_x")  # expect-error
router(hooks, "/webhooks/dub")  # expect-error
openapi("sale.created")  # expect-error
