"""Django, FastAPI and Flask on real servers: raw bytes, duplicates, kills, clients that leave."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import LeadCreated, SaleCreated
from tests.support.bodies import odd_bodies
from tests.support.processes import Server, importing, python, serving, until
from tests.support.served import SECRET

SERVED = "tests.support.served"
GUNICORN = python("-m", "gunicorn", "--bind=127.0.0.1:{port}")
UVICORN = python("-m", "uvicorn", "--port={port}", "--workers=2")
DJANGO = f"{SERVED}.django_project:wsgi()"
FLASK = [*GUNICORN, f"{SERVED}.flask_app:app", "--workers=4"]
COMMANDS = {
    "django on gunicorn": [*GUNICORN, DJANGO, "--workers=4"],
    "django on threads": [*GUNICORN, DJANGO, "--workers=2", "--threads=8"],
    "django on uvicorn": [*UVICORN, f"{SERVED}.django_project:asgi", "--factory"],
    "fastapi on uvicorn": [*UVICORN, f"{SERVED}.fastapi_app:app"],
    "flask on gunicorn": FLASK,
    "flask preloaded": [*FLASK, "--preload"],
}
PATHS = {
    "django": ["/dub/webhook", "/dub/webhook/", "/in-file"],
    "fastapi": ["/webhooks/dub", "/webhooks/dub/", "/sync"],
    "flask": ["/view", "/route"],
}
EVERY_PATH = pytest.mark.parametrize(
    ("running", "path"),
    [(kind, path) for kind in COMMANDS for path in PATHS[kind.partition(" ")[0]]],
    indirect=["running"],
    scope="module",
)
EVERY_SERVER = pytest.mark.parametrize("kind", COMMANDS)
SLOW = pytest.mark.parametrize("path", ["/slow-sync", "/slow-async"])

Request = tuple[bytes, dict[str, str]]


def served(kind: str, directory: Path) -> AbstractContextManager[Server]:
    """Serve an application that works in ``directory``."""
    if kind.startswith("django") and not (directory / "db.sqlite3").exists():
        migrate = python("-m", f"{SERVED}.django_project", "migrate", "--verbosity=0")
        subprocess.run(migrate, cwd=directory, env={**os.environ, **importing()}, check=True)
    return serving(COMMANDS[kind], directory, importing())


@pytest.fixture(scope="module")
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Path]]:
    """Run a server that no test ends, and tell where it notes what it does."""
    directory = tmp_path_factory.mktemp("served")
    with served(request.param, directory) as server:
        yield server, directory


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Yield a thread that waits for an answer."""
    with ThreadPoolExecutor(1) as threads:
        yield threads


def notes(directory: Path) -> Counter[str]:
    """Return how often handlers noted what."""
    file = directory / "notes.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return Counter(line.rpartition(" ")[0] for line in lines)


def begun(server: Server, directory: Path) -> int:
    """Wait until the handler has begun; return its process."""
    until(lambda: notes(directory)["begin"], f"the handler begins\n{server.log}")
    return int((directory / "notes.txt").read_text().splitlines()[0].rpartition(" ")[2])


def delivered(server: Server, path: str, request: Request) -> int:
    """Deliver once, as the queue does: 0 when the connection breaks."""
    try:
        return server.post(path, *request)[0]
    except (OSError, http.client.HTTPException):
        return 0


@EVERY_PATH
def test_raw_bytes_survive(running: tuple[Server, Path], path: str) -> None:
    """A body is verified as it was sent, with a length and in chunks, however odd its JSON is."""
    server, directory = running
    for is_chunked in (False, True):
        for title, (event_id, body) in odd_bodies(SaleCreated).items():
            body, headers = signed_request(body, SECRET)
            pieces = (body[start : start + 100] for start in range(0, len(body), 100))
            sent: Any = pieces if is_chunked else body
            assert server.post(path, sent, headers)[2] == b'{"outcome":"handled"}', title
            assert notes(directory)[f"sale {event_id}"] == 1, title
            assert server.post(path, body + b" ", headers)[0] == 401, title


@EVERY_PATH
def test_duplicates_at_once(running: tuple[Server, Path], path: str) -> None:
    """Of 200 deliveries of one event at the same time, one runs."""
    server, directory = running
    sale = make_event(SaleCreated)
    statuses = set(server.post_at_once(path, *signed_request(sale, SECRET), times=200))
    assert {200} <= statuses <= {200, 409}, f"{statuses}\n{server.log}"
    assert notes(directory)[f"sale {sale.id}"] == 1
    assert server.post(path, *signed_request(sale, SECRET))[2] == b'{"outcome":"duplicate"}'


@pytest.mark.slow
@EVERY_SERVER
@SLOW
def test_sigterm_mid_handler(
    kind: str, tmp_path: Path, pool: ThreadPoolExecutor, path: str
) -> None:
    """A server that is told to stop finishes the delivery and answers it."""
    request = signed_request(make_event(LeadCreated), SECRET)
    with served(kind, tmp_path) as server:
        answer = pool.submit(delivered, server, path, request)
        begun(server, tmp_path)
        server.signal(signal.SIGTERM)
        (tmp_path / "go").touch()
        assert answer.result(timeout=30) == 200, server.log
        server.process.wait(timeout=30)
    with served(kind, tmp_path) as server:
        assert server.post(path, *request)[2] == b'{"outcome":"duplicate"}'
    assert notes(tmp_path) == {"begin": 1, "end": 1}


@pytest.mark.slow
@EVERY_SERVER
@SLOW
def test_sigkill_mid_handler(
    kind: str, tmp_path: Path, pool: ThreadPoolExecutor, path: str
) -> None:
    """What a killed worker held is handled by a retry, once the lease is over."""
    request = signed_request(make_event(LeadCreated), SECRET)
    with served(kind, tmp_path) as server:
        answer = pool.submit(delivered, server, path, request)
        server.signal(signal.SIGKILL, begun(server, tmp_path))
        assert answer.result(timeout=30) == 0
        assert until(lambda: delivered(server, path, request), "a worker answers") == 409
        (tmp_path / "go").touch()
        until(lambda: delivered(server, path, request) == 200, "a retry is handled")
        assert server.post(path, *request)[2] == b'{"outcome":"duplicate"}'
    assert notes(tmp_path) == {"begin": 2, "end": 1}


@pytest.mark.slow
@EVERY_SERVER
def test_everything_is_killed(kind: str, tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    """A delivery survives the end of every process."""
    request = signed_request(make_event(LeadCreated), SECRET)
    with served(kind, tmp_path) as server:
        answer = pool.submit(delivered, server, "/slow-sync", request)
        begun(server, tmp_path)
        server.kill()
        assert answer.result(timeout=30) == 0
    (tmp_path / "go").touch()
    with served(kind, tmp_path) as server:
        until(lambda: delivered(server, "/slow-sync", request) == 200, "a retry is handled")
    assert notes(tmp_path) == {"begin": 2, "end": 1}


@pytest.mark.slow
@SLOW
def test_client_hangs_up_mid_handler(tmp_path: Path, path: str) -> None:
    """A handler goes on when its client leaves, and the retry is a duplicate."""
    body, headers = signed_request(make_event(LeadCreated), SECRET)
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with served("fastapi on uvicorn", tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            begun(server, tmp_path)
        assert server.post(path, body, headers)[0] == 409
        (tmp_path / "go").touch()
        until(lambda: notes(tmp_path)["end"], "the handler ends")
        until(lambda: delivered(server, path, (body, headers)) == 200, "the claim is completed")
    assert notes(tmp_path) == {"begin": 1, "end": 1}
