"""``examples/flask_app.py``, on a real server."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import LinkClicked, SaleCreated
from tests.examples.deliveries import SECRET, check_deliveries
from tests.support.processes import python, serving

EXAMPLES = Path(__file__).parents[2] / "examples"
BIND = ("--workers=2", "--bind=127.0.0.1:{port}")
GUNICORN = python("-m", "gunicorn", "flask_app:app", f"--pythonpath={EXAMPLES}", *BIND)
FLASK = python("-m", "flask", f"--app={EXAMPLES / 'flask_app.py'}", "run", "--port={port}")


def test_flask_app(tmp_path: Path) -> None:
    """Sales are in the ledger, once each, under their shop; nothing else is acknowledged."""
    sale = make_event(SaleCreated, data__sale__amount=1900)
    with serving(GUNICORN, tmp_path, {"DUB_WEBHOOK_SECRET": SECRET}) as server:
        check_deliveries(server, "/webhooks/dub/acme", sale)
        click = signed_request(make_event(LinkClicked), SECRET)
        assert server.post("/webhooks/dub/acme", *click)[0] == 200
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
        rows = ledger.execute("SELECT * FROM sales").fetchall()
    assert rows == [(sale.id, "acme", 1900)]


def test_flask_app_on_the_development_server(tmp_path: Path) -> None:
    """The command in the example's first lines starts it, and a large body is refused."""
    body, headers = signed_request(make_event(SaleCreated), SECRET)
    with serving(FLASK, tmp_path, {"DUB_WEBHOOK_SECRET": SECRET}) as server:
        assert server.post("/webhooks/dub/acme", body, headers)[0] == 200
        chunks = (body[start : start + 500] for start in range(0, len(body), 500))
        status, _, answer = server.post("/webhooks/dub/acme", chunks, headers)
        assert (status, json.loads(answer)) == (200, {"outcome": "duplicate"})
        assert server.post("/webhooks/dub/acme", body, {})[0] == 401
        large = b"x" * 1_048_577
        assert server.post("/webhooks/dub/acme", large, {})[0] == 413
