"""WSGI and Flask on servers that each give a body in their own way."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.bodies import odd_bodies
from tests.support.processes import Server, importing, python, serving

SECRET = "whsec_0123456789abcdef0123456789abcdef"
APP = "tests.support.served.wsgi_apps:app"
GUNICORN = python("-m", "gunicorn", APP, "--bind=127.0.0.1:{port}")
COMMANDS = {
    "gunicorn": GUNICORN,
    "gunicorn-threads": [*GUNICORN, "--threads=4"],
    "gunicorn-gevent": [*GUNICORN, "--worker-class=gevent"],
    "hypercorn": python("-m", "hypercorn", f"wsgi:{APP}", "--bind=127.0.0.1:{port}"),
    # Uvicorn warns that its own WSGI is deprecated, which is no error of ours.
    "uvicorn": python("-Wonce:Uvicorn", "-m", "uvicorn", APP, "--interface=wsgi", "--port={port}"),
}
PATHS = pytest.mark.parametrize("path", ["/plain", "/view", "/route"])
HANDLED = b'{"outcome":"handled"}'


@pytest.fixture(scope="module", params=COMMANDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Return the name of each server in turn."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def server(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run it."""
    with serving(COMMANDS[kind], tmp_path_factory.mktemp("wsgi"), importing()) as running:
        yield running


def pieces(body: bytes, size: int = 100) -> Iterator[bytes]:
    """Yield a body in chunks."""
    return (body[start : start + size] for start in range(0, len(body), size))


@PATHS
def test_every_byte_arrives(server: Server, path: str) -> None:
    """Bodies with a length and in chunks are read whole, and the handler can read them again."""
    for title, (_, body) in odd_bodies(SaleCreated).items():
        body, headers = signed_request(body, SECRET)
        for sent in (body, pieces(body)):
            status, _, answer = server.post(path, sent, headers)
            assert (status, answer) == (200, body if path == "/route" else HANDLED), title
        assert server.post(path, body + b" ", headers)[0] == 401


@PATHS
def test_too_much_is_not_read(server: Server, path: str) -> None:
    """Chunks without an end are answered 413, or the server hangs up."""
    _, headers = signed_request(make_event(SaleCreated), SECRET)
    with suppress(http.client.HTTPException, OSError):
        assert server.post(path, pieces(b"x" * 30_000_000, 65_536), headers)[0] in (400, 413)
    assert server.post(path, b"x" * 100_001, headers)[0] == 413


@PATHS
@pytest.mark.parametrize("sent", [50, 0])
def test_a_body_that_is_cut_off(server: Server, kind: str, path: str, sent: int) -> None:
    """A client that hangs up is told so, when the server lets the application answer at all."""
    body, headers = signed_request(make_event(SaleCreated), SECRET)
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += ["Connection: close", *(f"{name}: {value}" for name, value in headers.items())]
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode() + body[:sent])
        client.shutdown(socket.SHUT_WR)
        while received := client.recv(65_536):
            answer += received
    if kind == "uvicorn":  # it forgets the request
        assert answer == b""
        return
    assert answer.startswith(b"HTTP/1.1 400")
    if kind != "hypercorn":  # it answers by itself, now and then
        code = b"body_incomplete" if sent else b"body_empty"
        assert answer.endswith(b'{"outcome":"malformed","code":"%s"}' % code)
