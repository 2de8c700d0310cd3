"""Real servers for tests: started as processes on a free port of the loopback interface."""

from __future__ import annotations

import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
"""The repository."""
START_SECONDS = 40.0
"""How long a server may take to accept connections on a busy machine."""
FORKING = "-Wignore:This process:DeprecationWarning"
"""An option of Python, which from 3.12 on warns of a fork beside threads, as some tests want it."""


def free_port() -> int:
    """Return a port that nothing listens on now, of those that no client is given meanwhile."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def until(condition: Callable[[], Any], what: str, seconds: float = START_SECONDS) -> Any:
    """Return the first true value of ``condition``, or fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.01)
    return value


class Server:
    """A running server.  Its process group is ended with it."""

    def __init__(self, command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> None:
        """``command`` may hold ``{port}``."""
        self.port = free_port()
        self._log = cwd / f"server-{self.port}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [part.replace("{port}", str(self.port)) for part in command],
                cwd=cwd,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a process group of its own, workers included
            )

    @property
    def log(self) -> str:
        """What the server has printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait(self) -> None:
        """Return once the server accepts connections."""
        until(self._accepts, "the server accepts connections")

    def _accepts(self) -> bool:
        assert self.process.poll() is None, f"the server ended:\n{self.log}"
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def post(
        self,
        path: str,
        body: bytes | Iterator[bytes],
        headers: Mapping[str, str],
        *,
        method: str = "POST",
        seconds: float = 60.0,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request; return status, headers with lower-case names, and body.

        A body that is an iterator is sent in chunks.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(
                method, path, body, dict(headers), encode_chunked=not isinstance(body, bytes)
            )
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return response.status, fields, response.read()
        finally:
            connection.close()

    def post_at_once(
        self, path: str, body: bytes, headers: Mapping[str, str], *, times: int, threads: int = 50
    ) -> list[int]:
        """Send the same request many times at once; return the statuses."""
        with ThreadPoolExecutor(threads) as pool:
            sent = [pool.submit(self.post, path, body, headers) for _ in range(times)]
            return [one.result()[0] for one in sent]

    def signal(self, number: signal.Signals, pid: int | None = None) -> None:
        """Send a signal to one process of the server, by default to its first."""
        os.kill(self.process.pid if pid is None else pid, number)

    def kill(self) -> None:
        """End the server's process group at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)


@contextmanager
def serving(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None
) -> Generator[Server]:
    """Start a server in ``cwd``, wait until it accepts connections, and end it in the end.

    ``{port}`` in ``command`` becomes a free port.
    """
    server = Server(command, cwd, environment or {})
    try:
        server.wait()
        yield server
    finally:
        server.kill()


def importing(*folders: Path) -> dict[str, str]:
    """Return the variable with which a process imports from folders, the tests, and what we do."""
    inherited = filter(None, [os.environ.get("PYTHONPATH")])
    return {"PYTHONPATH": os.pathsep.join([*map(str, folders), str(ROOT), *inherited])}


def python(*arguments: str) -> list[str]:
    """Return a command of the running Python, for example ``python("-m", "gunicorn")``."""
    return [sys.executable, *arguments]
