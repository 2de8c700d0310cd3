"""Django on gunicorn and on uvicorn: raw bytes, duplicates, kills."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from dubhooks import sign
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import LeadCreated, SaleCreated
from tests.support.processes import Server, importing, python, serving, until

SECRET = "whsec_0123456789abcdef0123456789abcdef"
LIMIT = 100_000
"""``MAX_BODY`` of the project, in bytes."""
PROJECT = "tests.support.served.django_project"
GUNICORN = python("-m", "gunicorn", f"{PROJECT}:wsgi()", "--bind=127.0.0.1:{port}")
UVICORN = python("-m", "uvicorn", f"{PROJECT}:asgi", "--factory", "--port={port}")
COMMANDS = {
    "gunicorn": [*GUNICORN, "--workers=4"],
    "threads": [*GUNICORN, "--workers=2", "--threads=8"],
    "uvicorn": [*UVICORN, "--workers=2"],
}
PATHS = ["/dub/webhook", "/in-file"]
SLOW = ["/slow-sync", "/slow-async"]
EVERY_SERVER = pytest.mark.parametrize("kind", COMMANDS)

Request = tuple[bytes, dict[str, str]]


def prepare(directory: Path) -> None:
    """Make the tables of the project in ``directory``."""
    command = python("-m", PROJECT, "migrate", "--verbosity=0")
    environment = {**os.environ, **importing()}
    subprocess.run(command, cwd=directory, env=environment, check=True)


def served(kind: str, directory: Path) -> AbstractContextManager[Server]:
    """Run the project in ``directory``."""
    return serving(COMMANDS[kind], directory, importing())


@pytest.fixture(scope="module", params=COMMANDS)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Path]]:
    """Run a server that no test ends, and tell where it notes what it does."""
    directory = tmp_path_factory.mktemp(request.param)
    prepare(directory)
    with served(request.param, directory) as server:
        yield server, directory


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


def odd_sale() -> bytes:
    """Return a sale as no serialiser would write it: spaces, escapes, non-ASCII, large numbers."""
    sale = json.loads(make_event(SaleCreated).to_json())
    sale["data"]["customer"]["name"] = "NAME"
    sale["data"]["metadata"] = {"number": 0}
    written = json.dumps(sale, indent=3).replace(": ", " :\t").replace("\n", "\r\n")
    written = written.replace('"NAME"', '"Zoë \\u00eb \\/ \\ud83d\\ude00 😀 \u2028"')
    return written.replace(
        '"number" :\t0', '"number" :\t123456789012345678901234567890.50'
    ).encode()


@pytest.mark.parametrize("path", ["/dub/webhook", "/dub/webhook/", "/in-file"])
def test_raw_bytes_survive(running: tuple[Server, Path], path: str) -> None:
    """A body is verified as it was sent, with a length and in chunks."""
    server, directory = running
    for is_chunked in (False, True):
        body = odd_sale()
        headers = {"Dub-Signature": sign(body, SECRET), "Content-Type": "application/json"}
        pieces = (body[start : start + 100] for start in range(0, len(body), 100))
        status, _, answer = server.post(path, pieces if is_chunked else body, headers)
        assert (status, answer) == (200, b'{"outcome":"handled"}'), server.log
        assert notes(directory)[f"sale {json.loads(body)['id']}"] == 1
        assert server.post(path, body + b" ", headers)[0] == 401


@pytest.mark.parametrize("path", PATHS)
def test_body_that_is_too_large(running: tuple[Server, Path], path: str) -> None:
    """A body is refused by its announced length, and in chunks as soon as it is too large."""
    server, directory = running
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n"
    chunk = f"{LIMIT + 1:x}\r\n{' ' * (LIMIT + 1)}\r\n0\r\n\r\n"
    requests = [f"{head}Transfer-Encoding: chunked\r\n\r\n{chunk}"]
    if not directory.name.startswith("uvicorn"):  # under ASGI, Django waits for the whole body
        requests.append(f"{head}Content-Length: {LIMIT + 1}\r\n\r\n")
    for text in requests:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
            client.sendall(text.encode())
            assert client.recv(65_536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", PATHS)
def test_duplicates_at_once(running: tuple[Server, Path], path: str) -> None:
    """Of 200 deliveries of one event at the same time, one runs."""
    server, directory = running
    sale = make_event(SaleCreated)
    statuses = Counter(server.post_at_once(path, *signed_request(sale, SECRET), times=200))
    assert set(statuses) <= {200, 409}, f"{statuses}\n{server.log}"
    assert notes(directory)[f"sale {sale.id}"] == 1
    assert server.post(path, *signed_request(sale, SECRET))[2] == b'{"outcome":"duplicate"}'


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Yield a thread that waits for an answer."""
    with ThreadPoolExecutor(1) as threads:
        yield threads


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory with the tables of the project."""
    prepare(tmp_path)
    return tmp_path


@pytest.mark.slow
@EVERY_SERVER
@pytest.mark.parametrize("path", SLOW)
def test_sigterm_mid_handler(
    kind: str, directory: Path, pool: ThreadPoolExecutor, path: str
) -> None:
    """A server that is told to stop finishes the delivery and answers it."""
    request = signed_request(make_event(LeadCreated), SECRET)
    with served(kind, directory) as server:
        answer = pool.submit(delivered, server, path, request)
        begun(server, directory)
        server.signal(signal.SIGTERM)
        (directory / "go").touch()
        assert answer.result(timeout=30) == 200, server.log
        server.process.wait(timeout=30)
    with served(kind, directory) as server:
        assert server.post(path, *request)[2] == b'{"outcome":"duplicate"}'
    assert notes(directory) == {"begin": 1, "end": 1}


@pytest.mark.slow
@EVERY_SERVER
@pytest.mark.parametrize("path", SLOW)
def test_sigkill_mid_handler(
    kind: str, directory: Path, pool: ThreadPoolExecutor, path: str
) -> None:
    """What a killed worker held is handled by a retry, once the lease is over."""
    request = signed_request(make_event(LeadCreated), SECRET)
    with served(kind, directory) as server:
        answer = pool.submit(delivered, server, path, request)
        server.signal(signal.SIGKILL, begun(server, directory))
        assert answer.result(timeout=30) == 0
        assert until(lambda: delivered(server, path, request), "a worker answers") == 409
        (directory / "go").touch()
        until(lambda: delivered(server, path, request) == 200, "a retry is handled")
        assert server.post(path, *request)[2] == b'{"outcome":"duplicate"}'
    assert notes(directory) == {"begin": 2, "end": 1}


@pytest.mark.slow
@EVERY_SERVER
def test_everything_is_killed(kind: str, directory: Path, pool: ThreadPoolExecutor) -> None:
    """A delivery survives the end of every process."""
    request = signed_request(make_event(LeadCreated), SECRET)
    with served(kind, directory) as server:
        answer = pool.submit(delivered, server, "/slow-sync", request)
        begun(server, directory)
        server.kill()
        assert answer.result(timeout=30) == 0
    (directory / "go").touch()
    with served(kind, directory) as server:
        until(lambda: delivered(server, "/slow-sync", request) == 200, "a retry is handled")
    assert notes(directory) == {"begin": 2, "end": 1}
