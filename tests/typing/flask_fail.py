"""What type checkers must refuse of ``dubhooks.flask``."""

from __future__ import annotations

from flask import Flask

import dubhooks
import dubhooks.flask
from dubhooks import postbacks
from dubhooks.webhooks import LeadCreated, SaleCreated, WebhookEvent

app = Flask(__name__)
hooks = dubhooks.Webhooks("whsec_x")
partner_hooks = dubhooks.Postbacks("pbsec_x")

for_sales = dubhooks.flask.webhook(hooks, SaleCreated)


@for_sales  # expect-error
def wrong_class(event: LeadCreated) -> None: ...


@for_sales  # expect-error
def no_event() -> None: ...


@for_sales  # expect-error
def swapped(tenant: str, event: SaleCreated) -> None: ...


@for_sales  # expect-error
def returns_a_number(event: SaleCreated) -> int:
    return 200


@for_sales
def with_part(event: SaleCreated, tenant: str) -> None: ...


with_part()  # expect-error
with_part(1)  # expect-error
with_part("acme", "acme")  # expect-error

dubhooks.flask.webhook(SaleCreated)  # expect-error
dubhooks.flask.webhook(hooks, int)  # expect-error
dubhooks.flask.webhook(hooks, "invoice.refunded", "invoice.paid")  # expect-error
dubhooks.flask.webhook(hooks, SaleCreated, read_timeout=5)  # expect-error
dubhooks.flask.webhook(hooks, postbacks.SaleCreated)  # expect-error
dubhooks.flask.webhook(partner_hooks, SaleCreated)  # expect-error
dubhooks.flask.webhook(hooks, dubhooks.UnknownEvent)  # expect-error
dubhooks.flask.webhook(hooks, WebhookEvent)  # expect-error
dubhooks.flask.webhook(hooks, SaleCreated, dedupe="naturally")  # expect-error
dubhooks.flask.view("whsec_x")  # expect-error
dubhooks.flask.view(hooks, dedupe="natural")  # expect-error
dubhooks.flask.view(hooks, read_timeout=5)  # expect-error
app.add_url_rule("/x", view_func=dubhooks.flask.view(None))  # expect-error
