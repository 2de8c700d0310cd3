"""What a server of every example must answer."""

from __future__ import annotations

import json

from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import PayoutConfirmed, SaleCreated
from tests.support.processes import Server

SECRET = "whsec_0123456789abcdef0123456789abcdef"


def check_deliveries(server: Server, path: str, sale: SaleCreated) -> None:
    """Check that a sale is handled once, and that no forgery or payout is acknowledged."""
    answers = [server.post(path, *signed_request(sale, SECRET)) for _ in range(2)]
    outcomes = [(status, json.loads(body)["outcome"]) for status, _, body in answers]
    assert outcomes == [(200, "handled"), (200, "duplicate")], server.log
    assert server.post(path, *signed_request(sale, "whsec_of_somebody_else"))[0] == 401
    payout = signed_request(make_event(PayoutConfirmed), SECRET)
    assert server.post(path, *payout)[0] == 501
