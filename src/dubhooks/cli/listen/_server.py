"""The HTTP side of ``dubhooks listen``: deliveries by POST, the page by GET."""

from __future__ import annotations

import json
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from ipaddress import ip_address
from queue import Empty
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ...reply import Reply
from .._output import print_problem
from ._inspector import MAX_BODY, Inspector

if TYPE_CHECKING:
    from .._sending import Answer

__all__ = ["InspectorServer", "is_loopback"]

_PAGE: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/_dubhooks/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/_dubhooks/page.css": ("page.css", "text/css; charset=utf-8"),
}
_SAFETY: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_PASSED_ON: Final = ("content-type", "retry-after", "upstash-nonretryable-error")
_TUNNELS: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host")
_REPLAY: Final = "/_dubhooks/replay/"
_STILL_THERE: Final = 15.0
"""Seconds of silence after which a page is sent something, to find out whether it is there."""


class InspectorServer(ThreadingHTTPServer):
    """Serves one inspector."""

    daemon_threads = True

    def __init__(self, host: str, port: int, inspector: Inspector) -> None:
        """Raise ``OSError`` when the port cannot be taken."""
        self.inspector = inspector
        self.is_private = is_loopback(host)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # The inherited method asks DNS for the host's name, which can take seconds offline.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a client hangs up; any other error is a defect and shown."""
        import sys

        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach ``host``."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Handler(BaseHTTPRequestHandler):
    server: InspectorServer  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    timeout = 30
    server_version = "dubhooks"
    sys_version = ""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Say nothing: deliveries are shown, the page's own requests are not."""

    def do_GET(self) -> None:
        """Serve the page and its live feed."""
        path = urlsplit(self.path).path
        if not self._is_for_page():
            self._answer(404, b"not found")
        elif path in _PAGE:
            name, content_type = _PAGE[path]
            content = (files("dubhooks.cli.listen") / "_page" / name).read_bytes()
            self._answer(200, content, {"Content-Type": content_type, **_SAFETY})
        elif path == "/_dubhooks/events":
            self._feed()
        else:
            self._answer(404, b"not found")

    def do_POST(self) -> None:
        """Take a delivery, or replay one."""
        body = self._body()
        if body is None:
            return
        path = urlsplit(self.path).path
        if path.startswith("/_dubhooks/"):
            self._replay(path)
            return
        headers = [(name.lower(), value) for name, value in self.headers.items()]
        try:
            _, passed_on = self.server.inspector.take(path, headers, body)
        except OSError as error:
            # A delivery that could not be saved must come again.
            print_problem(f"a delivery could not be saved: {error.strerror}")
            self._answer(503, b"not saved")
            return
        self._pass_on(passed_on)

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not (length.isdecimal() and length.isascii()):
            self._answer(411, b"Content-Length is needed")
        elif int(length[:12]) > MAX_BODY:
            self._answer(413, b"too large")
        else:
            return self.rfile.read(int(length))
        self.close_connection = True
        return None

    def _pass_on(self, passed_on: Reply | Answer) -> None:
        if isinstance(passed_on, Reply):
            self._answer(passed_on.status, passed_on.body, passed_on.headers)
        elif passed_on.status is None:
            self._answer(502, b"the application did not answer")
        else:
            kept = {name: value for name, value in passed_on.headers.items() if name in _PASSED_ON}
            self._answer(passed_on.status, passed_on.body, kept)

    def _replay(self, path: str) -> None:
        # The header cannot be sent by a page of another site without being asked for first.
        number = path.removeprefix(_REPLAY)
        if not self._is_for_page() or self.headers.get("X-Dubhooks") != "replay":
            self._answer(404, b"not found")
        elif not self.server.inspector.can_replay:
            self._answer(409, b"start with --forward-to")
        elif not number.isdecimal() or self.server.inspector.replay(int(number[:12])) is None:
            self._answer(404, b"not found")
        else:
            self._answer(200, b"replayed")

    def _is_for_page(self) -> bool:
        """Tell whether the page may be shown: not through a tunnel or a foreign name."""
        if not self.server.is_private:
            return True
        if any(self.headers.get(name) is not None for name in _TUNNELS):
            return False
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        return is_loopback(host)

    def _feed(self) -> None:
        seen = self.headers.get("Last-Event-ID", "")
        after = int(seen[:12]) if seen.isdecimal() and seen.isascii() else 0
        inspector = self.server.inspector
        kept, queue = inspector.watch(after)
        try:
            self.send_response(200)
            for name, value in {"Content-Type": "text/event-stream", **_SAFETY}.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            self._tell("settings", {"canReplay": inspector.can_replay})
            for one in kept:
                self._tell("delivery", one)
            while True:
                try:
                    self._tell("delivery", queue.get(timeout=_STILL_THERE))
                except Empty:
                    self.wfile.write(b": still there\n\n")
        finally:
            inspector.unwatch(queue)

    def _tell(self, kind: str, message: dict[str, Any]) -> None:
        number = f"id: {message['number']}\n" if "number" in message else ""
        self.wfile.write(f"{number}event: {kind}\ndata: {json.dumps(message)}\n\n".encode())

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        given = headers if headers is not None else {"Content-Type": "text/plain"}
        for name, value in given.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
