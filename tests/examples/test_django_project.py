"""``examples/django_project``, on real servers."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import LeadCreated, PayoutConfirmed, SaleCreated
from tests.examples.deliveries import SECRET, check_deliveries
from tests.support.processes import importing, python, serving

PROJECT = Path(__file__).parents[2] / "examples" / "django_project"
GUNICORN = python("-m", "gunicorn", "project.wsgi")
COMMANDS = {
    "gunicorn": [*GUNICORN, "--workers=2", "--bind=127.0.0.1:{port}"],
    "uvicorn": python("-m", "uvicorn", "project.asgi:application", "--port={port}"),
    "runserver": python(str(PROJECT / "manage.py"), "runserver", "--noreload", "{port}"),
}


def environment(directory: Path) -> dict[str, str]:
    """Return what the project's settings ask for."""
    return {
        "DUB_WEBHOOK_SECRET": SECRET,
        "DJANGO_SECRET_KEY": "a secret of Django's",
        "DATA_DIRECTORY": str(directory),
        **importing(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def manage(directory: Path, *arguments: str) -> str:
    """Run ``manage.py`` and return what it prints."""
    ran = subprocess.run(
        python("-W", "error", str(PROJECT / "manage.py"), *arguments),
        cwd=directory,
        env={**os.environ, **environment(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr


@pytest.mark.parametrize("kind", COMMANDS)
def test_django_project(kind: str, tmp_path: Path) -> None:
    """Sales and leads are in the database, once each; nothing else is acknowledged."""
    manage(tmp_path, "migrate", "--verbosity=0")
    assert "no issues" in manage(tmp_path, "check")
    assert manage(tmp_path, "makemigrations", "--check", "--dry-run").startswith("No changes")
    sale = make_event(SaleCreated, data__sale__amount=1900, data__customer__externalId="c_1")
    lead = make_event(LeadCreated)
    with serving(COMMANDS[kind], tmp_path, environment(tmp_path)) as server:
        check_deliveries(server, "/dub/webhook", sale)
        leads = [
            server.post("/shops/acme/leads/", *signed_request(lead, SECRET))[0] for _ in range(2)
        ]
        assert leads == [202, 200]
        assert server.post("/shops/acme/leads", *signed_request(lead, SECRET))[0] == 404
        payout = signed_request(make_event(PayoutConfirmed), SECRET)
        assert server.post("/dub/webhook/", *payout)[0] == 501
        assert server.post("/dub/webhook", b"", {}, method="GET")[0] == 405
    with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as database:
        sales = database.execute("SELECT event_id, customer, cents FROM shop_sale").fetchall()
        shops = database.execute("SELECT event_id, shop FROM shop_lead").fetchall()
    assert sales == [(sale.id, "c_1", 1900)]
    assert shops == [(lead.id, "acme")]
    assert manage(tmp_path, "dubhooks_purge") == "claims: 0 deleted\n"
