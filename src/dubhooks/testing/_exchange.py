"""One request and its response, and the code that an application is called with."""

from __future__ import annotations

import logging
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    Pairs: TypeAlias = list[tuple[str, str]]

__all__ = ["Answer", "Request", "from_django", "from_wsgi", "no_answer"]

logger = logging.getLogger("dubhooks.testing")

RAISED = "the application raised, so the delivery is answered with 500"

HOST = "testserver"
PORT = 443
SCHEME = "https"
"""Dub delivers to https addresses, and an application may redirect anything else."""


class Request(NamedTuple):
    """A delivery to send."""

    path: str
    """Path and query as they stand in a URL."""
    headers: dict[str, str]
    """Names in lower case, once each; values in Latin-1."""
    body: bytes


class Answer(NamedTuple):
    """What an application answered."""

    status: int
    headers: Pairs
    body: bytes


def no_answer() -> Answer:
    """Return what a server sends in place of an application that gave no answer."""
    return Answer(500, [], b"")


def from_wsgi(app: WSGIApplication, request: Request) -> Answer:
    """Return what a WSGI application answers; 500 when it raises, as from a server."""
    started: list[tuple[str, Pairs]] = []
    body: list[bytes] = []

    def start_response(
        status: str, headers: Pairs, _exc_info: object = None, /
    ) -> Callable[[bytes], object]:
        started.append((status, headers))
        return body.append

    try:
        _collect(app(_environ(request), start_response), body)
        # The last one counts: an application may replace a response that it began.
        status, headers = started[-1]
    except Exception:
        logger.exception(RAISED)
        return no_answer()
    return Answer(int(status.split()[0]), headers, b"".join(body))


def from_django(handler: Callable[[WSGIEnvironment], Any], request: Request) -> Answer:
    """Return what Django answers; 500 when it raises, for which there is a setting."""
    try:
        response = handler(_environ(request))
        return Answer(response.status_code, list(response.items()), b"".join(response))
    except Exception:
        logger.exception(RAISED)
        return no_answer()


def _environ(request: Request) -> WSGIEnvironment:
    """Return what a WSGI server makes of a request (PEP 3333)."""
    path, _, query = request.path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": HOST,
        "SERVER_PORT": str(PORT),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": SCHEME,
        "wsgi.input": BytesIO(request.body),
        "wsgi.errors": _Errors(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return environ


def _collect(chunks: Iterable[bytes], body: list[bytes]) -> None:
    try:
        body.extend(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


class _Errors:
    """``wsgi.errors``: what an application writes there goes to the log."""

    def write(self, text: str) -> int:
        if text.strip():
            logger.error("%s", text.rstrip())
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing is kept back."""
