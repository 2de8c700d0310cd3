"""The HTTP side of ``dubhooks listen``: deliveries by POST, the page by GET."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from socketserver import TCPServer
from typing import Any, Final

from ...errors import BodyIncomplete, BodyTooLarge
from ...reply import build_refusal
from .._output import print_problem
from ._inspector import Inspector

__all__ = ["InspectorServer"]

_MAX_BODY: Final = 1_048_576
_PAGE: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/_dubhooks/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/_dubhooks/page.css": ("page.css", "text/css; charset=utf-8"),
}
_FEED: Final = re.compile(r"/_dubhooks/feed/(\w{1,16})/([0-9]{1,12})")
_REPLAY: Final = re.compile(r"/_dubhooks/replay/([0-9]{1,12})")
_SAFETY: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_PASSED_ON: Final = ("content-type", "retry-after", "upstash-nonretryable-error")
_HERE: Final = ("127.0.0.1", "localhost")
_TUNNELS: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host")
_PORT: Final = re.compile(r":[0-9]*$")
_CHUNK_SIZE: Final = re.compile(rb"([0-9a-fA-F]{1,8})[;\s]")
_LONGEST_LINE: Final = 1_000


class InspectorServer(ThreadingHTTPServer):
    """Serves one inspector."""

    daemon_threads = True
    # A burst of connections waits in the backlog instead of being refused.
    request_queue_size = 256

    def __init__(self, port: int, inspector: Inspector) -> None:
        """Raise ``OSError`` when the port cannot be taken."""
        self.inspector = inspector
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # The inherited method asks DNS for the host's name, which can take seconds offline.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a client hangs up; any other error is a defect and shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: InspectorServer  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Say nothing: deliveries are shown, the page's own requests are not."""

    def do_GET(self) -> None:
        """Serve the page and what it shows."""
        path = self.path.partition("?")[0]
        if not self._is_for_page():
            self._answer(404, b"not found")
        elif path in _PAGE:
            name, content_type = _PAGE[path]
            content = (files("dubhooks.cli.listen") / "_page" / name).read_bytes()
            self._answer(200, content, {"Content-Type": content_type, **_SAFETY})
        elif feed := _FEED.fullmatch(path):
            self._answer_json(self.server.inspector.feed(feed[1], int(feed[2])))
        else:
            self._answer(404, b"not found")

    def do_POST(self) -> None:
        """Take a delivery, or replay one."""
        try:
            body = b"".join(self._read_body())
        except (BodyTooLarge, BodyIncomplete) as error:
            self.close_connection = True
            refusal = build_refusal(error)
            self._answer(refusal.status, refusal.body, refusal.headers)
            return
        path = self.path.partition("?")[0]
        if path.startswith("/_dubhooks/"):
            self._replay(path)
        else:
            self._deliver(path, body)

    def _deliver(self, path: str, body: bytes) -> None:
        headers = [(name.lower(), value) for name, value in self.headers.items()]
        try:
            delivery = self.server.inspector.take(path, headers, body)
        except OSError as error:
            # A delivery that could not be saved must come again.
            print_problem(f"a delivery could not be saved: {error.strerror}")
            self._answer(503, b"not saved")
            return
        answer = delivery.answer
        kept = {name: value for name, value in answer.headers.items() if name in _PASSED_ON}
        text = b"the application did not answer" if answer.status is None else answer.body
        self._answer(delivery.status, text, kept)

    def _replay(self, path: str) -> None:
        found = _REPLAY.fullmatch(path)
        # The header cannot be sent by a page of another site without being asked for first.
        if not found or not self._is_for_page() or self.headers.get("X-Dubhooks") != "replay":
            self._answer(404, b"not found")
        elif (delivery := self.server.inspector.replay(int(found[1]))) is None:
            self._answer(409, b"it is not kept any more, or there is no --forward-to")
        else:
            self._answer_json(delivery.as_json())

    def _read_body(self) -> Iterator[bytes]:
        """Yield the parts of a body, whose size is announced or which comes in chunks.

        Raises:
            BodyTooLarge: it is larger than a receiver takes.
            BodyIncomplete: it ends early, or its end cannot be told.
        """
        left = _MAX_BODY
        for size in self._read_sizes():
            left -= size
            if left < 0:
                raise BodyTooLarge(f"the body has more than {_MAX_BODY} bytes")
            part = self.rfile.read(size)
            if len(part) < size:
                raise BodyIncomplete("the body ends early")
            yield part

    def _read_sizes(self) -> Iterator[int]:
        """Yield the size of the body, or of each of its chunks (RFC 9112, section 7.1)."""
        if "Transfer-Encoding" not in self.headers:
            length = self.headers.get("Content-Length", "0")
            if not (length.isascii() and length.isdecimal()):
                raise BodyIncomplete("Content-Length is not a number")
            yield int(length[:12])
            return
        while found := _CHUNK_SIZE.match(self.rfile.readline(_LONGEST_LINE)):
            if not (size := int(found[1], 16)):
                # Headers may follow; an empty line is the end.
                while self.rfile.readline(_LONGEST_LINE).strip():
                    pass
                return
            yield size
            self.rfile.readline(_LONGEST_LINE)
        raise BodyIncomplete("the chunks are not as they should be")

    def _is_for_page(self) -> bool:
        """Tell whether the page may be shown: not through a tunnel or under a foreign name."""
        host = _PORT.sub("", self.headers.get("Host", "")).lower()
        return host in _HERE and not any(name in self.headers for name in _TUNNELS)

    def _answer_json(self, document: dict[str, Any]) -> None:
        headers = {"Content-Type": "application/json", **_SAFETY}
        self._answer(200, json.dumps(document).encode(), headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
