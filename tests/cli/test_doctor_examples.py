"""``dubhooks doctor`` on the three examples, each under a server of its own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import importing, python, serving

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRET = "whsec_0123456789abcdef0123456789abcdef"
COMMANDS = {
    "flask": python("-m", "gunicorn", "flask_app:app", "--workers=2", "--bind=127.0.0.1:{port}"),
    "fastapi": python("-m", "uvicorn", "fastapi_app:app", "--port={port}"),
    "django": python("-m", "gunicorn", "project.wsgi", "--workers=2", "--bind=127.0.0.1:{port}"),
}
ENDPOINTS = [
    ("flask", "/webhooks/dub/acme", "sale.created"),
    ("fastapi", "/webhooks/dub", "link.clicked"),
    ("fastapi", "/webhooks/dub/acme", "sale.created"),
    ("django", "/dub/webhook", "sale.created"),
    ("django", "/shops/acme/leads/", "lead.created"),
]


@pytest.mark.parametrize(("kind", "path", "event"), ENDPOINTS)
def test_our_examples_have_no_fault(
    cli: Any, tmp_path: Path, kind: str, path: str, event: str
) -> None:
    """Every endpoint of the examples passes every check, under several workers."""
    environment = {
        "DUB_WEBHOOK_SECRET": SECRET,
        "DJANGO_SECRET_KEY": "a secret of Django's",
        "DATA_DIRECTORY": str(tmp_path),
        **importing(EXAMPLES, EXAMPLES / "django_project"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if kind == "django":
        migrate = python(str(EXAMPLES / "django_project" / "manage.py"), "migrate")
        subprocess.run(migrate, env={**os.environ, **environment}, capture_output=True, check=True)
    with serving(COMMANDS[kind], tmp_path, environment) as server:
        url = f"http://127.0.0.1:{server.port}{path}"
        report = json.loads(cli("doctor", url, "--event", event, "--json").out)
    faults = [one for one in report["checks"] if one["verdict"] == "fault"]
    assert faults == [], server.log
    assert report["ok"] is True
    verdicts = {one["check"]: one["verdict"] for one in report["checks"]}
    assert (verdicts["duplicate"], verdicts["burst"]) == ("ok", "ok")
