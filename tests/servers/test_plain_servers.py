"""The applications without a framework: WSGI on gunicorn, ASGI on hypercorn."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.bodies import odd_bodies
from tests.support.processes import Server, importing, python, serving

SECRET = "whsec_0123456789abcdef0123456789abcdef"
APPLICATIONS = "tests.support.served.every_adapter"
PATH = "/plain"
COMMANDS = {
    "gunicorn": python(
        *("-m", "gunicorn", f"{APPLICATIONS}:wsgi_app", "--bind=127.0.0.1:{port}", "--workers=2"),
        "--threads=8",
    ),
    "hypercorn": python(
        *("-m", "hypercorn", f"{APPLICATIONS}:asgi_app", "--bind=127.0.0.1:{port}", "--workers=2")
    ),
}
EVERY_SERVER = pytest.mark.parametrize("kind", COMMANDS)


def served(kind: str, directory: Path) -> AbstractContextManager[Server]:
    """Run the applications in ``directory``."""
    return serving(COMMANDS[kind], directory, importing())


def notes(directory: Path) -> Counter[str]:
    """Return how often handlers noted what."""
    file = directory / "notes.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return Counter(line.rpartition(" ")[0] for line in lines)


@EVERY_SERVER
def test_raw_bytes_and_many_at_once(kind: str, tmp_path: Path) -> None:
    """Every byte is verified as it was sent, and 200 deliveries at once run once."""
    with served(kind, tmp_path) as server:
        for title, (event_id, body) in odd_bodies(SaleCreated).items():
            body, headers = signed_request(body, SECRET)
            pieces = (body[start : start + 100] for start in range(0, len(body), 100))
            answers = [server.post(PATH, sent, headers)[2] for sent in (pieces, body)]
            assert answers == [b'{"outcome":"handled"}', b'{"outcome":"duplicate"}'], title
            assert notes(tmp_path)[f"sale {event_id}"] == 1, title
            assert server.post(PATH, body + b" ", headers)[0] == 401
        event = make_event(SaleCreated)
        request = signed_request(event, SECRET)
        assert set(server.post_at_once(PATH, *request, times=200)) <= {200, 409}
        assert notes(tmp_path)[f"sale {event.id}"] == 1
        assert json.loads(server.post(PATH, *request)[2]) == {"outcome": "duplicate"}
