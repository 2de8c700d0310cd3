"""Flask on gunicorn: raw bytes, many deliveries at once, and servers that die."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import LeadCreated, SaleCreated
from tests.support.bodies import odd_bodies
from tests.support.processes import Server, importing, python, serving, until

SECRET = "whsec_0123456789abcdef0123456789abcdef"
GUNICORN = python(
    "-m", "gunicorn", "tests.support.served.flask_app:app", "--bind", "127.0.0.1:{port}"
)
PRELOADED = pytest.mark.parametrize("options", [[], ["--preload"]], ids=["plain", "preload"])


def gunicorn(
    cwd: Path, options: list[str], *, lease: float = 60.0
) -> AbstractContextManager[Server]:
    """Start gunicorn with four workers."""
    environment = {**importing(), "LEASE": str(lease)}
    return serving([*GUNICORN, "--workers", "4", *options], cwd, environment)


def notes(cwd: Path, word: str, event_id: str) -> list[str]:
    """Return the process ids of the lines in ``runs.log`` that say ``word`` of an event."""
    log = cwd / "runs.log"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    start = f"{word} {event_id} "
    return [line.removeprefix(start) for line in lines if line.startswith(start)]


@PRELOADED
def test_raw_bytes_and_many_at_once(options: list[str], tmp_path: Path) -> None:
    """Every byte reaches the handler, and 200 deliveries at once run it once."""
    with gunicorn(tmp_path, options) as server:
        for path, cls in (("/route/acme", SaleCreated), ("/registry", LeadCreated)):
            for title, (event_id, body) in odd_bodies(cls).items():
                body, headers = signed_request(body, SECRET)
                status, _, answer = server.post(path, body, headers)
                assert status == 200, (title, answer)
                assert (tmp_path / f"{event_id}.body").read_bytes() == body, title

        event = make_event(SaleCreated)
        body, headers = signed_request(event, SECRET)
        statuses = server.post_at_once("/route/acme", body, headers, times=200)
        assert set(statuses) <= {200, 409}
        assert 200 in statuses
        assert len(notes(tmp_path, "finished", event.id)) == 1
        status, _, answer = server.post("/route/acme", body, headers)
        assert (status, json.loads(answer)) == (200, {"outcome": "duplicate"})
        assert len(notes(tmp_path, "started", event.id)) == 1


@pytest.mark.slow
@PRELOADED
def test_a_killed_worker_loses_nothing(options: list[str], tmp_path: Path) -> None:
    """After SIGKILL in the middle of a handler, the event waits for its lease and runs again."""
    event = make_event(SaleCreated)
    body, headers = signed_request(event, SECRET)
    hold = tmp_path / "hold"
    hold.touch()
    with gunicorn(tmp_path, options, lease=3.0) as server, ThreadPoolExecutor(1) as pool:
        first = pool.submit(server.post, "/route/acme", body, headers)
        (pid,) = until(lambda: notes(tmp_path, "started", event.id), "the handler starts")
        status, fields, _ = server.post("/route/acme", body, headers)
        assert (status, fields["retry-after"]) in [(409, "3"), (409, "2"), (409, "1")]
        server.signal(SIGKILL, int(pid))
        with pytest.raises((http.client.HTTPException, OSError)):
            first.result()
        hold.unlink()
        until(
            lambda: server.post("/route/acme", body, headers)[0] == 200,
            "the lease ends and the event runs again",
        )
    assert len(notes(tmp_path, "started", event.id)) == 2
    assert len(notes(tmp_path, "finished", event.id)) == 1


@pytest.mark.slow
def test_a_stopped_server_finishes_and_loses_nothing(tmp_path: Path) -> None:
    """SIGTERM lets the handler finish: its answer arrives, and the event is done for good."""
    event = make_event(SaleCreated)
    body, headers = signed_request(event, SECRET)
    hold = tmp_path / "hold"
    hold.touch()
    with gunicorn(tmp_path, []) as server, ThreadPoolExecutor(1) as pool:
        first = pool.submit(server.post, "/route/acme", body, headers)
        until(lambda: notes(tmp_path, "started", event.id), "the handler starts")
        server.signal(SIGTERM)
        until(lambda: "Handling signal: term" in server.log, "the server is told to stop")
        hold.unlink()
        status, _, answer = first.result()
        assert (status, answer) == (200, b"acme")
        assert until(lambda: server.process.poll() is not None, "the server ends")
    with gunicorn(tmp_path, []) as server:
        status, _, answer = server.post("/route/acme", body, headers)
        assert (status, json.loads(answer)) == (200, {"outcome": "duplicate"})
    assert len(notes(tmp_path, "started", event.id)) == 1
