"""``dubhooks listen`` in a process of its own, over real HTTP."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any

SECRET = "whsec_0123456789abcdef0123456789abcdef"
Answer = tuple[int, dict[str, str], bytes]


class Listener:
    """A running ``dubhooks listen``."""

    def __init__(self, *options: str, **variables: str) -> None:
        command = [sys.executable, "-W", "error", "-m", "dubhooks", "listen", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, *options],
            env={**os.environ, "DUB_WEBHOOK_SECRET": SECRET, "DUB_POSTBACK_SECRET": ""} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.greeting = self.line()
        found = re.search(r"http://127.0.0.1:(\d+)/", self.greeting)
        assert found
        self.url, self.port = found[0], int(found[1])

    def line(self) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr and self.process.stderr.read()
        return line

    def printed(self) -> dict[str, Any]:
        """Return the next line of ``--json``."""
        found: dict[str, Any] = json.loads(self.line())
        return found

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send one request, in chunks when the body is a list of them.

        Returns:
            The status, headers with lower-case names, and the body.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            given = {name.lower(): value for name, value in response.getheaders()}
            return response.status, given, response.read()
        finally:
            connection.close()

    def send_raw(self, request: bytes) -> bytes:
        """Send bytes, and no more; return what comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as raw:
            raw.sendall(request)
            raw.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: raw.recv(65_536), b""))

    def deliver(self, body: Any, headers: dict[str, str]) -> dict[str, Any]:
        """Send a delivery, and return what ``--json`` prints about it."""
        status, _, _ = self.request("POST", "/webhooks/dub", body, headers)
        printed = self.printed()
        assert printed["status"] == status
        return printed

    def replay(self, number: int) -> Answer:
        """Ask for a replay, as the page does."""
        return self.request("POST", f"/_dubhooks/replay/{number}", headers={"X-Dubhooks": "replay"})

    def stop(self) -> tuple[int, str]:
        """Press Ctrl-C; return the exit code and stderr."""
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=10)
        return self.process.returncode, errors


@contextmanager
def listeners() -> Generator[Callable[..., Listener]]:
    """Give a function that starts a listener; all of them end with it."""
    started: list[Listener] = []

    def start(*options: str, **variables: str) -> Listener:
        started.append(Listener(*options, **variables))
        return started[-1]

    try:
        yield start
    finally:
        for one in started:
            one.process.kill()
            one.process.communicate()


class Application:
    """What is developed behind the inspector: it keeps its requests, and answers the same."""

    def __init__(self, status: str, headers: list[tuple[str, str]], text: bytes) -> None:
        self.requests: list[tuple[bytes, str | None]] = []
        self._answer = status, headers, text

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Keep the body and its signature."""
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        self.requests.append((body, environ.get("HTTP_DUB_SIGNATURE")))
        status, headers, text = self._answer
        start_response(status, headers)
        return [text]
