"""A client that is quicker than the servers: raw connections that stay open, on one event loop."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import NamedTuple

import dubhooks
from tests.benchmarks import bodies
from tests.benchmarks.bodies import SECRET
from tests.benchmarks.served import PATH
from tests.support.processes import Server
from tests.support.processes_of_servers import children_of

CONNECTIONS = 8
WARM_SECONDS = 0.1
END_OF_HEADERS = b"\r\n\r\n"


class Rate(NamedTuple):
    """What one turn of load came to."""

    per_second: float
    server_microseconds: float
    """Of CPU time that the server spent on a request."""
    client_load: float
    """The part of a processor that the client used."""


class Deliveries:
    """Sales, each with an id of its own and signed."""

    def __init__(self) -> None:
        self._number = 0
        before, _, after = bodies.sale().partition(b'"id":"evt_')
        self._before, self._after = before + b'"id":"evt_', after[after.index(b'"') :]

    def write(self) -> bytes:
        """Return the bytes of the next request."""
        self._number += 1
        body = b"%b%024d%b" % (self._before, self._number, self._after)
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Dub-Signature: {dubhooks.sign(body, SECRET)}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


class _Connection(asyncio.Protocol):
    def __init__(self, deliveries: Deliveries, end: float) -> None:
        self._deliveries, self._end = deliveries, end
        self._received = b""
        self.answered: list[float] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._deliveries.write())

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(END_OF_HEADERS)
        if not found or not _is_whole(head.lower(), body):
            return
        if b" 200 " not in head[:16]:
            self._fail(f"the server answered {head[:80]!r} {body[:80]!r}")
            return
        self._received = b""
        self.answered.append(time.perf_counter())
        if self.answered[-1] < self._end:
            self._transport.write(self._deliveries.write())
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answered or self.answered[-1] < self._end:
            self._fail(f"the server closed the connection: {exc}")
        elif not self.ended.done():
            self.ended.set_result(None)

    def _fail(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_exception(AssertionError(why))
        self._transport.abort()


def send_load(server: Server, deliveries: Deliveries, seconds: float) -> Rate:
    """Send as much as the server takes, and count the answers."""
    return asyncio.run(_send(server, deliveries, seconds))


async def _send(server: Server, deliveries: Deliveries, seconds: float) -> Rate:
    loop = asyncio.get_running_loop()
    of_server = _cpu_seconds(server.process.pid)
    begin = time.perf_counter() + WARM_SECONDS
    end = begin + seconds
    spent = time.process_time()
    made = [
        await loop.create_connection(lambda: _Connection(deliveries, end), "127.0.0.1", server.port)
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*[connection.ended for _, connection in made])
    spent = time.process_time() - spent
    of_server = _cpu_seconds(server.process.pid) - of_server
    every = [when for _, one in made for when in one.answered]
    counted = sum(begin <= when <= end for when in every)
    return Rate(counted / seconds, of_server / len(every) * 1e6, spent / (seconds + WARM_SECONDS))


def _cpu_seconds(process: int) -> float:
    """Return the CPU time of a process and of its children."""
    ticks = 0
    for one in (process, *children_of(process)):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _is_whole(head: bytes, body: bytes) -> bool:
    _, has_length, after = head.partition(b"content-length:")
    if has_length:
        return len(body) >= int(after.partition(b"\r\n")[0])
    # Django leaves the length to its CommonMiddleware, and gunicorn then sends chunks.
    return body.endswith(b"0\r\n\r\n")
