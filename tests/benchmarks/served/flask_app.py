"""Flask."""

from __future__ import annotations

import json

from flask import Flask, request

import dubhooks
from dubhooks.webhooks import SaleCreated
from tests.benchmarks.served import (
    ANSWER,
    BARE,
    PATH,
    TYPED,
    UNTYPED,
    chosen_way,
    make_receiver,
    use,
    use_untyped,
    verify_by_hand,
)

app = Flask(__name__)


def bare() -> dict[str, str]:
    """Read the body."""
    assert request.get_data()
    return ANSWER


def by_hand() -> dict[str, str]:
    """Verify, and read untyped JSON."""
    body = request.get_data()
    verify_by_hand(body, request.headers["Dub-Signature"])
    use_untyped(json.loads(body)["data"]["sale"]["amount"])
    return ANSWER


def typed() -> dict[str, str]:
    """Verify, and parse into the same model."""
    body = request.get_data()
    verify_by_hand(body, request.headers["Dub-Signature"])
    use(SaleCreated.model_validate_json(body))
    return ANSWER


views = {BARE: bare, UNTYPED: by_hand, TYPED: typed}
if chosen_way() in views:
    app.add_url_rule(PATH, view_func=views[chosen_way()], methods=["POST"])
else:
    hooks = make_receiver()
    hooks.on(SaleCreated)(use)
    app.add_url_rule(PATH, view_func=dubhooks.flask.view(hooks), methods=["POST"])
