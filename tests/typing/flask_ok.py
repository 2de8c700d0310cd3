"""What type checkers must accept of ``dubhooks.flask``, and infer."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from flask import Blueprint, Flask, Response, current_app
from flask.typing import ResponseReturnValue
from typing_extensions import assert_type

import dubhooks
import dubhooks.flask
from dubhooks import postbacks
from dubhooks.webhooks import LeadCreated, SaleCreated, WebhookEvent


def secret() -> str:
    return cast("str", current_app.config["DUB_WEBHOOK_SECRET"])


app = Flask(__name__)
blueprint = Blueprint("dub", __name__)
hooks = dubhooks.Webhooks(secret)
partner_hooks = dubhooks.Postbacks("pbsec_x")

app.add_url_rule("/all", view_func=dubhooks.flask.view(hooks), methods=["POST"])
blueprint.add_url_rule("/all", view_func=dubhooks.flask.view(partner_hooks))


@app.post("/webhooks/dub/<tenant>")
@dubhooks.flask.webhook(hooks, SaleCreated)
def sale(event: SaleCreated, tenant: str) -> ResponseReturnValue | None:
    assert_type(event.data.sale.amount, int)
    return None if tenant else ("", 204)


def named(event: SaleCreated, tenant: str) -> None: ...


def plain(event: SaleCreated) -> None: ...


decorated = dubhooks.flask.webhook(hooks, SaleCreated)(plain)
response: Response = decorated()
with_part = dubhooks.flask.webhook(hooks, SaleCreated)(named)
response = with_part("acme")
response = with_part(tenant="acme")
view: Callable[[], Response] = decorated


@blueprint.post("/any")
@dubhooks.flask.webhook(hooks)
def any_event(event: WebhookEvent) -> None: ...


@blueprint.post("/two")
@dubhooks.flask.webhook(hooks, SaleCreated, LeadCreated, dedupe="natural")
def two(event: SaleCreated | LeadCreated) -> None:
    assert_type(event.data.customer.id, str)


@blueprint.post("/named")
@dubhooks.flask.webhook(hooks, "invoice.refunded")
def without_a_model(event: dubhooks.UnknownEvent) -> None:
    assert_type(event.event, str)


@blueprint.post("/postbacks")
@dubhooks.flask.webhook(partner_hooks, postbacks.SaleCreated)
def postback(event: postbacks.SaleCreated) -> None: ...
