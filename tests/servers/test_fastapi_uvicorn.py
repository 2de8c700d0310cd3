"""FastAPI on uvicorn with two workers and one SQLite file."""

from __future__ import annotations

import http.client
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import LeadCreated, SaleCreated
from tests.support.bodies import odd_bodies
from tests.support.processes import Server, importing, python, serving, until

SECRET = "whsec_0123456789abcdef0123456789abcdef"
UVICORN = python(
    "-m", "uvicorn", "tests.support.served.fastapi_app:app", "--port={port}", "--workers=2"
)
SLOW = ["/slow-sync", "/slow-async"]


def uvicorn(directory: Path) -> AbstractContextManager[Server]:
    """Run the application in ``directory``."""
    return serving(UVICORN, directory, importing())


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the shared server notes what it does."""
    return tmp_path_factory.mktemp("uvicorn")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Server]:
    """Run a server that no test ends."""
    with uvicorn(directory) as running:
        yield running


def notes(directory: Path) -> Counter[str]:
    """Return how often handlers noted what."""
    file = directory / "notes.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return Counter(line.rpartition(" ")[0] for line in lines)


def workers(directory: Path) -> list[int]:
    """Return the processes that noted something, in order."""
    file = directory / "notes.txt"
    return [int(line.rpartition(" ")[2]) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("path", ["/webhooks/dub", "/webhooks/dub/", "/sync"])
def test_raw_bytes_survive(server: Server, directory: Path, path: str) -> None:
    """A body is verified as it was sent: spaces, escapes, non-ASCII and large numbers."""
    for title, (event_id, body) in odd_bodies(SaleCreated).items():
        body, headers = signed_request(body, SECRET)
        assert server.post(path, body, headers)[2] == b'{"outcome":"handled"}', title
        where = "sync" if path == "/sync" else "sale"
        assert notes(directory)[f"{where} {event_id}"] == 1, title
        assert server.post(path, body + b" ", headers)[0] == 401, title


@pytest.mark.parametrize("path", ["/webhooks/dub", "/sync"])
def test_duplicates_at_once(server: Server, directory: Path, path: str) -> None:
    """Of 200 deliveries of one event at the same time, one runs."""
    sale = make_event(SaleCreated)
    statuses = server.post_at_once(path, *signed_request(sale, SECRET), times=200)
    assert set(statuses) <= {200, 409}
    assert 200 in statuses
    where = "sync" if path == "/sync" else "sale"
    assert notes(directory)[f"{where} {sale.id}"] == 1
    assert server.post(path, *signed_request(sale, SECRET))[2] == b'{"outcome":"duplicate"}'


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Yield a thread that waits for an answer."""
    with ThreadPoolExecutor(1) as threads:
        yield threads


def delivered(server: Server, path: str, request: tuple[bytes, dict[str, str]]) -> int:
    """Deliver once, as the queue does: 0 when the connection breaks."""
    try:
        return server.post(path, *request)[0]
    except (OSError, http.client.HTTPException):
        return 0


def begun(server: Server, directory: Path) -> int:
    """Wait until the handler has begun; return its process."""
    until(lambda: notes(directory)["begin"], f"the handler begins\n{server.log}")
    return workers(directory)[0]


@pytest.mark.slow
@pytest.mark.parametrize("path", SLOW)
def test_sigterm_mid_handler(tmp_path: Path, pool: ThreadPoolExecutor, path: str) -> None:
    """A server that is told to stop finishes the delivery and answers it."""
    request = signed_request(make_event(LeadCreated), SECRET)
    with uvicorn(tmp_path) as server:
        answer = pool.submit(delivered, server, path, request)
        begun(server, tmp_path)
        server.signal(signal.SIGTERM)
        (tmp_path / "go").touch()
        assert answer.result(timeout=30) == 200
        server.process.wait(timeout=30)
    with uvicorn(tmp_path) as server:
        assert server.post(path, *request)[2] == b'{"outcome":"duplicate"}'
    assert notes(tmp_path) == {"begin": 1, "end": 1}


@pytest.mark.slow
@pytest.mark.parametrize("path", SLOW)
def test_sigkill_mid_handler(tmp_path: Path, pool: ThreadPoolExecutor, path: str) -> None:
    """What a killed worker held is handled by a retry, once the lease is over."""
    request = signed_request(make_event(LeadCreated), SECRET)
    with uvicorn(tmp_path) as server:
        answer = pool.submit(delivered, server, path, request)
        server.signal(signal.SIGKILL, begun(server, tmp_path))
        assert answer.result(timeout=30) == 0
        assert until(lambda: delivered(server, path, request), "a worker answers") == 409
        (tmp_path / "go").touch()
        until(lambda: delivered(server, path, request) == 200, "a retry is handled")
        assert server.post(path, *request)[2] == b'{"outcome":"duplicate"}'
    assert notes(tmp_path) == {"begin": 2, "end": 1}


@pytest.mark.slow
def test_everything_is_killed(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    """A delivery survives the end of every process."""
    request = signed_request(make_event(LeadCreated), SECRET)
    with uvicorn(tmp_path) as server:
        answer = pool.submit(delivered, server, "/slow-async", request)
        begun(server, tmp_path)
        server.kill()
        assert answer.result(timeout=30) == 0
    (tmp_path / "go").touch()
    with uvicorn(tmp_path) as server:
        until(lambda: delivered(server, "/slow-async", request) == 200, "a retry is handled")
    assert notes(tmp_path) == {"begin": 2, "end": 1}


@pytest.mark.slow
@pytest.mark.parametrize("path", SLOW)
def test_client_hangs_up_mid_handler(tmp_path: Path, path: str) -> None:
    """A handler goes on when its client leaves, and the retry is a duplicate."""
    body, headers = signed_request(make_event(LeadCreated), SECRET)
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with uvicorn(tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            begun(server, tmp_path)
        assert server.post(path, body, headers)[0] == 409
        (tmp_path / "go").touch()
        until(lambda: notes(tmp_path)["end"], "the handler ends")
        until(lambda: delivered(server, path, (body, headers)) == 200, "the claim is completed")
    assert notes(tmp_path) == {"begin": 1, "end": 1}
