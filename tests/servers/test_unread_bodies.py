"""A body that is refused before it was read is never taken for the next request.

Bytes that a server did not read before it answered are still on the connection.
Here they are a request themselves, with a right signature: it must not run.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.processes import Server, importing, python

SECRET = "whsec_0123456789abcdef0123456789abcdef"
LIMIT = 100_000
"""``max_body`` of the application, in bytes."""
APPLICATIONS = "tests.support.served.every_adapter"
GUNICORN = python("-m", "gunicorn", f"{APPLICATIONS}:wsgi_app", "--bind=127.0.0.1:{port}")
COMMANDS = {
    "gunicorn": GUNICORN,
    "gunicorn with threads": [*GUNICORN, "--threads=4", "--keep-alive=5"],
    "uvicorn": python("-m", "uvicorn", f"{APPLICATIONS}:asgi_app", "--port={port}"),
    "hypercorn": python("-m", "hypercorn", f"{APPLICATIONS}:asgi_app", "--bind=127.0.0.1:{port}"),
}
WSGI, ASGI = ["/plain", "/flask", "/in-file"], ["/plain", "/router", "/route", "/in-file"]
PATHS = {"gunicorn": WSGI, "gunicorn with threads": WSGI, "uvicorn": ASGI, "hypercorn": ASGI}


class Refused(NamedTuple):
    """A request that is answered before it is there."""

    method: str
    head: str
    """The header that says how the body comes."""
    begin: bytes
    """What of the body is sent before the answer."""
    size: int
    """How many bytes come after the answer; a request is the first of them."""
    end: bytes
    """What ends the body."""
    status: int


LONG = f"Content-Length: {2 * LIMIT}"
KINDS = {
    "length": Refused("POST", LONG, b"", 2 * LIMIT, b"", 413),
    "chunks": Refused(
        "POST",
        "Transfer-Encoding: chunked",
        f"{2 * LIMIT:x}\r\n".encode() + b"x" * (LIMIT + 1),
        LIMIT - 1,
        b"\r\n0\r\n\r\n",
        413,
    ),
    "slow": Refused("POST", "Content-Length: 9010", b"x" * 10, 9_000, b"", 408),
    "method": Refused("PUT", "Content-Length: 9000", b"", 9_000, b"", 405),
}
# WSGI has no time limit, and under ASGI Django waits for the bytes.
CASES = [
    pytest.param(server, path, kind, id=f"{server}-{path}-{kind}")
    for server in COMMANDS
    for path in PATHS[server]
    for kind in KINDS
    if kind != "slow" or ("gunicorn" not in server and path != "/in-file")
]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Server, Path]]]:
    """Yield the servers that were started so far, and where they note what ran."""
    running: dict[str, tuple[Server, Path]] = {}
    yield running
    for server, _ in running.values():
        server.kill()


def request_for(path: str) -> tuple[str, bytes]:
    """Return the id of a sale and a request that delivers it and ends the connection."""
    event = make_event(SaleCreated)
    body, headers = signed_request(event, SECRET)
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += ["Connection: close", *(f"{name}: {value}" for name, value in headers.items())]
    return event.id, "\r\n".join([*lines, "", ""]).encode() + body


def answers_to(port: int, begin: bytes, rest: bytes, *, waits: bool) -> bytes:
    """Send ``rest`` after the answer to ``begin``; return everything that is answered."""
    answers = b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(begin)
        if waits:
            answers += client.recv(65_536)
        with suppress(BrokenPipeError, ConnectionResetError):  # it is closed: as it should be
            client.sendall(rest)
        with suppress(ConnectionResetError):
            while received := client.recv(65_536):
                answers += received
    return answers


@pytest.mark.parametrize(("name", "path", "kind"), CASES)
def test_the_rest_of_a_refused_body_does_not_run(
    name: str,
    path: str,
    kind: str,
    servers: dict[str, tuple[Server, Path]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """What comes after the answer is dropped with the connection, or read as the body it is."""
    if name not in servers:
        directory = tmp_path_factory.mktemp("unread")
        started = Server(COMMANDS[name], directory, importing())
        servers[name] = started, directory
        started.wait()
    server, directory = servers[name]
    hidden, inside = request_for(path)
    shown, after = request_for(path)
    method, head, begin, size, end, status = KINDS[kind]
    answers = answers_to(
        server.port,
        f"{method} {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode() + begin,
        inside.ljust(size, b" ") + end + after,
        waits=path != "/in-file" or "gunicorn" in name,  # under ASGI, Django reads it all first
    )
    first, *others = answers.split(b"HTTP/1.1 ")[1:]
    assert first.startswith(str(status).encode()), server.log
    ran = (directory / "notes.txt").read_text() if (directory / "notes.txt").exists() else ""
    assert hidden not in ran
    assert ran.count(shown) == len(others) <= 1
    assert all(other.startswith(b"200 ") for other in others)
