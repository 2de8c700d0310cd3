"""``examples/fastapi_app.py``, on a real server."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import LinkClicked, PayoutConfirmed, SaleCreated
from tests.examples.deliveries import SECRET, check_deliveries
from tests.support.processes import python, serving

EXAMPLES = Path(__file__).parents[2] / "examples"
UVICORN = python("-m", "uvicorn", "fastapi_app:app", f"--app-dir={EXAMPLES}", "--port={port}")


def test_fastapi_app(tmp_path: Path) -> None:
    """Clicks are logged and sales are in the ledger, once each, under their shop."""
    sale = make_event(SaleCreated, data__sale__amount=1900)
    click = make_event(LinkClicked, data__link__short_link="https://d.example/abc")
    with serving(UVICORN, tmp_path, {"DUB_WEBHOOK_SECRET": SECRET}) as server:
        check_deliveries(server, "/webhooks/dub/acme", sale)
        assert server.post("/webhooks/dub", *signed_request(click, SECRET))[0] == 200
        payout = signed_request(make_event(PayoutConfirmed), SECRET)
        assert server.post("/webhooks/dub", *payout)[0] == 501
        document = json.loads(server.post("/openapi.json", b"", {}, method="GET")[2])
        assert "https://d.example/abc was clicked" in server.log
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
        rows = ledger.execute("SELECT * FROM sales").fetchall()
    assert rows == [("acme", sale.id, 1900)]
    assert "requestBody" in document["paths"]["/webhooks/dub/{shop}"]["post"]
