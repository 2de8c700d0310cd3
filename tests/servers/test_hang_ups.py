"""Clients that hang up in the middle of a delivery, many at once, on real sockets and stores."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import LeadCreated, SaleCreated
from tests.support.processes import Server, importing, python, serving, until
from tests.support.servers import PostgreSQLServer, RedisServer

pytestmark = pytest.mark.slow

SECRET = "whsec_0123456789abcdef0123456789abcdef"
UVICORN = python("-m", "uvicorn", "tests.support.served.hang_up_app:application", "--port={port}")
EVENTS = 150
AT_ONCE = 30
HANDLED, DUPLICATE = b'{"outcome":"handled"}', b'{"outcome":"duplicate"}'
PATHS: dict[Any, str] = {SaleCreated: "/webhooks/dub", LeadCreated: "/leads"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the application notes what it does."""
    return tmp_path_factory.mktemp("hang-ups")


@pytest.fixture(scope="module", params=["redis", "postgresql"])
def server(request: pytest.FixtureRequest, directory: Path) -> Iterator[Server]:
    """Run the application on a store of its own."""
    with RedisServer() if request.param == "redis" else PostgreSQLServer() as storing:
        url = storing.url if isinstance(storing, RedisServer) else storing.url("asyncpg")
        with serving(UVICORN, directory, {**importing(), "STORE_URL": url}) as running:
            yield running


def ok(answer: tuple[int, dict[str, str], bytes]) -> bytes | None:
    """Return the body of an answer that is a success."""
    return answer[2] if answer[0] == 200 else None


def hang_up(server: Server, path: str, request: tuple[bytes, dict[str, str]]) -> bytes:
    """Deliver, and leave at any moment in any way; return what was answered until then."""
    body, headers = request
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    whole = "\r\n".join([*lines, "", ""]).encode() + body
    client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    with client:
        if random.random() < 0.1:
            client.sendall(whole[: random.randrange(len(whole))])
        else:
            client.sendall(whole)
        time.sleep(random.uniform(0.0, 0.05))
        if random.random() < 0.5:
            # No linger: the kernel sends a reset.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return b""
        client.shutdown(socket.SHUT_WR)
        if random.random() < 0.5:
            return b""
        return client.recv(65_536)


@pytest.mark.parametrize("cancels", [False, True], ids=["goes on", "is cancelled"])
@pytest.mark.parametrize(("cls", "path"), PATHS.items(), ids=["sale.created", "lead.created"])
def test_clients_that_hang_up(
    server: Server, directory: Path, cls: Any, path: str, cancels: bool
) -> None:
    """Every event takes effect once, and no claim or connection is kept, whatever clients do."""
    events = [make_event(cls) for _ in range(EVENTS)]
    requests = [signed_request(event, SECRET) for event in events]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # Every event twice, at about the same time.
        extra = {"X-Cancel": "1"} if cancels else {}
        sent = [
            pool.submit(hang_up, server, path, (body, {**headers, **extra}))
            for body, headers in requests * 2
        ]
        for each in sent:
            with suppress(OSError):  # the server was quicker
                each.result()

        def settle(request: tuple[bytes, dict[str, str]]) -> bytes:
            # Far sooner than the end of a lease.
            settled: bytes = until(lambda: ok(server.post(path, *request)), "it is settled", 10.0)
            return settled

        answers = set(pool.map(settle, requests))
        assert HANDLED in answers or not cancels, "every cancellation was too late"
        assert set(pool.map(settle, requests)) == {DUPLICATE}
    until(lambda: server.post("/connections", b"", {}, method="GET")[2] == b"0", "none is in use")
    notes = Counter((directory / "notes.txt").read_text().split())
    assert {event.id: notes[event.id] for event in events} == {event.id: 1 for event in events}
    for word in ("Traceback", "ERROR", "claim"):
        assert word not in server.log
