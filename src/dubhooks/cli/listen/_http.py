"""The HTTP side of ``dubhooks listen``: deliveries by POST, the page by GET."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.client import responses
from importlib.resources import files
from typing import Any, Final, NamedTuple

from ..._headers import headers_in_environ
from ...errors import BodyIncomplete, BodyTooLarge
from ...reply import build_refusal
from .._output import print_problem
from ._inspector import Inspector

_MAX_BODY: Final = 1_048_576
_PAGE: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/_dubhooks/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/_dubhooks/page.css": ("page.css", "text/css; charset=utf-8"),
}
_FEED: Final = re.compile(r"/_dubhooks/feed/(\w{1,16})/([0-9]{1,12})")
_REPLAY: Final = re.compile(r"/_dubhooks/replay/([0-9]{1,12})")
_HERE: Final = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]*)?", re.IGNORECASE)
_TUNNELS: Final = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST")
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
_CHUNK_SIZE: Final = re.compile(rb"([0-9a-fA-F]{1,8})[;\s]")
_LONGEST_LINE: Final = 1_000


class _Response(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]


_NOT_FOUND: Final = _Response(404, b"not found", {})


class InspectorApp:
    """One inspector as a WSGI application, for our own server."""

    def __init__(self, inspector: Inspector) -> None:
        self._inspector = inspector

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        status, body, headers = self._answer(environ, environ["PATH_INFO"])
        start_response(f"{status} {responses.get(status, 'Other')}", list(headers.items()))
        return [body]

    def _answer(self, environ: dict[str, Any], path: str) -> _Response:
        if environ["REQUEST_METHOD"] == "GET":
            return self._show(path) if _is_for_page(environ) else _NOT_FOUND
        if environ["REQUEST_METHOD"] != "POST":
            return _Response(405, b"deliveries are sent by POST", {"Allow": "GET, POST"})
        try:
            body = b"".join(_read_body(environ))
        except (BodyTooLarge, BodyIncomplete) as error:
            refusal = build_refusal(error)
            return _Response(refusal.status, refusal.body, {})
        if not path.startswith("/_dubhooks/"):
            return self._deliver(environ, path, body)
        # The header cannot be sent by a page of another site without being asked for first.
        is_asked = environ.get("HTTP_X_DUBHOOKS") == "replay" and _is_for_page(environ)
        return self._replay(path) if is_asked else _NOT_FOUND

    def _show(self, path: str) -> _Response:
        if path in _PAGE:
            name, content_type = _PAGE[path]
            content = (files("dubhooks.cli.listen") / "_page" / name).read_bytes()
            return _Response(200, content, {"Content-Type": content_type, **_SAFETY})
        feed = _FEED.fullmatch(path)
        return _as_json(self._inspector.feed(feed[1], int(feed[2]))) if feed else _NOT_FOUND

    def _deliver(self, environ: dict[str, Any], path: str, body: bytes) -> _Response:
        headers = [(name.lower(), value) for name, value in headers_in_environ(environ)]
        try:
            delivery = self._inspector.take(path, headers, body)
        except OSError as error:
            # A delivery that could not be saved must come again.
            print_problem(f"a delivery could not be saved: {error.strerror}")
            return _Response(503, b"not saved", {})
        answer = delivery.answer
        kept = {name: value for name, value in answer.headers.items() if name in _PASSED_ON}
        text = b"the application did not answer" if answer.status is None else answer.body
        return _Response(delivery.status, text, kept)

    def _replay(self, path: str) -> _Response:
        found = _REPLAY.fullmatch(path)
        delivery = self._inspector.replay(int(found[1])) if found else None
        if delivery is None:
            return _Response(409, b"it is not kept any more, or there is no --forward-to", {})
        return _as_json(delivery.as_json())


def _is_for_page(environ: dict[str, Any]) -> bool:
    """Tell whether the page may be shown: not through a tunnel or under a foreign name."""
    is_here = _HERE.fullmatch(environ.get("HTTP_HOST", ""))
    return bool(is_here) and not any(name in environ for name in _TUNNELS)


def _as_json(document: dict[str, Any]) -> _Response:
    headers = {"Content-Type": "application/json", **_SAFETY}
    return _Response(200, json.dumps(document).encode(), headers)


def _read_body(environ: dict[str, Any]) -> Iterator[bytes]:
    """Yield the parts of a body, whose size is announced or which comes in chunks.

    Raises:
        BodyTooLarge: it is larger than a receiver takes.
        BodyIncomplete: it ends early, or its end cannot be told.
    """
    left = _MAX_BODY
    for size in _read_sizes(environ):
        left -= size
        if left < 0:
            raise BodyTooLarge(f"the body has more than {_MAX_BODY} bytes")
        part = environ["wsgi.input"].read(size)
        if len(part) < size:
            raise BodyIncomplete("the body ends early")
        yield part


def _read_sizes(environ: dict[str, Any]) -> Iterator[int]:
    """Yield the size of the body, or of each of its chunks (RFC 9112, section 7.1)."""
    if "HTTP_TRANSFER_ENCODING" not in environ:
        length = environ.get("CONTENT_LENGTH", "0")
        if not (length.isascii() and length.isdecimal()):
            raise BodyIncomplete("Content-Length is not a number")
        yield int(length[:12])
        return
    read_line = environ["wsgi.input"].readline
    while found := _CHUNK_SIZE.match(read_line(_LONGEST_LINE)):
        if not (size := int(found[1], 16)):
            # Headers may follow; an empty line is the end.
            while read_line(_LONGEST_LINE).strip():
                pass
            return
        yield size
        read_line(_LONGEST_LINE)
    raise BodyIncomplete("the chunks are not as they should be")
