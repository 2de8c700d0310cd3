"""Clients that drive WSGI and ASGI applications in process, one level below HTTP.

They call an application as a server would, so that a test controls what
frameworks' own test clients hide: how a body arrives, header bytes that are
not ASCII, the same header twice, and how much of a body was read at all.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol
from wsgiref.handlers import SimpleHandler

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication  # new in Python 3.11

PIECE = 1_024
"""Bytes in one piece of a body that is sent in chunks."""

Headers = list[tuple[str, str]]
"""Request headers; values are Latin-1 text, so that any byte can be sent."""


class Response:
    """What a client got back: ``status``, ``headers`` with lower-case names, ``body``."""

    def __init__(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.headers} {self.body[:200]!r}>"


class Client(Protocol):
    """What the behaviour table needs of an adapter: one request to the place it is mounted at."""

    @property
    def sent(self) -> int:
        """Bytes of the last body that the application has read."""
        ...

    def post(
        self,
        body: bytes,
        headers: Headers,
        *,
        chunked: bool = False,
        method: str = "POST",
        stall: float = 0.0,
    ) -> Response:
        """Send one request.

        ``chunked``: without a Content-Length, in pieces of ``PIECE`` bytes.
        ``stall``: seconds that pass between the first byte and the rest.
        """
        ...


class _Source(io.RawIOBase):
    """A request body that counts what was read of it; ends like a server's input stream."""

    def __init__(self, body: bytes) -> None:
        self._rest = memoryview(body)
        self.sent = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), PIECE, len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        self.sent += size
        return size


class WsgiClient:
    """Drives a WSGI application through the standard library's own server handler.

    That handler refuses what PEP 3333 forbids an application, hop-by-hop
    headers among it.
    """

    def __init__(self, app: WSGIApplication, path: str = "/webhooks/dub") -> None:
        self._app = app
        self._path = path
        self.sent = 0

    def post(
        self,
        body: bytes,
        headers: Headers,
        *,
        chunked: bool = False,
        method: str = "POST",
        stall: float = 0.0,
    ) -> Response:
        """Send one request; see :class:`Client`."""
        assert not stall, "nothing bounds a slow body under WSGI"
        source = _Source(body)
        environ = self._environ(headers, method)
        if chunked:
            # What gunicorn and the other servers that decode chunks set.
            environ |= {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
        else:
            environ["CONTENT_LENGTH"] = str(len(body))
        output, errors = io.BytesIO(), io.StringIO()
        handler = SimpleHandler(
            io.BufferedReader(source, PIECE), output, errors, environ, multithread=True
        )
        handler.http_version = "1.1"
        handler.origin_server = False
        handler.os_environ = {}
        handler.wsgi_file_wrapper = None
        handler.run(self._app)
        self.sent = source.sent
        assert "Traceback" not in errors.getvalue(), errors.getvalue()
        return _parsed(output.getvalue())

    def _environ(self, headers: Headers, method: str) -> dict[str, Any]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": self._path,
            "QUERY_STRING": "",
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "testserver",
        }
        for name, value in headers:
            key = name.upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
            # Servers join the values of a header that comes twice (RFC 9110, section 5.2).
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        return environ


def _parsed(raw: bytes) -> Response:
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return Response(int(status.removeprefix("Status:").split()[0]), pairs, body)


class AsgiClient:
    """Drives an ASGI application on an event loop of its own for every request."""

    def __init__(
        self, app: Callable[[Any, Any, Any], Awaitable[None]], path: str = "/webhooks/dub"
    ) -> None:
        self._app = app
        self._path = path
        self.sent = 0

    def post(self, body: bytes, headers: Headers, **how: Any) -> Response:
        """Send one request; see :class:`Client`."""
        return asyncio.run(self.send(body, headers, **how))

    async def send(
        self,
        body: bytes,
        headers: Headers,
        *,
        chunked: bool = False,
        method: str = "POST",
        stall: float = 0.0,
    ) -> Response:
        """Send one request from the running event loop, beside others."""
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        encoded.append((b"host", b"testserver"))
        if chunked:
            encoded.append((b"transfer-encoding", b"chunked"))
        else:
            encoded.append((b"content-length", str(len(body)).encode()))
        exchange = _Exchange(body, stall)
        await self._run(self._scope(method, encoded), exchange)
        self.sent = exchange.sent
        return exchange.response()

    async def _run(self, scope: dict[str, Any], exchange: _Exchange) -> None:
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:
            # A server logs what comes after the response has begun; before that, it is a 500
            # that the application failed to make.
            if exchange.status is None:
                raise

    def _scope(self, method: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": self._path,
            "raw_path": self._path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 40_000),
            "server": ("testserver", 80),
            "state": {},
        }


class Watched:
    """An ASGI application, and what it raised."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.raised: list[Exception] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request as a server does."""
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            self.raised.append(error)
            raise


class _Exchange:
    """One request and its response, as ASGI messages."""

    def __init__(self, body: bytes, stall: float) -> None:
        self._rest = body
        self._stall = stall
        self._begun = False
        self._done = asyncio.Event()
        self.sent = 0
        self.status: int | None = None
        self._headers: list[tuple[str, str]] = []
        self._body = b""

    async def receive(self) -> dict[str, Any]:
        if self._begun and not self._rest:
            await self._done.wait()  # a client that waits for its response
            return {"type": "http.disconnect"}
        size = 1 if self._stall and not self._begun else PIECE
        if self._stall and self._begun:
            await asyncio.sleep(self._stall)
            self._stall = 0
        piece, self._rest = self._rest[:size], self._rest[size:]
        self._begun = True
        self.sent += len(piece)
        return {"type": "http.request", "body": piece, "more_body": bool(self._rest)}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert self.status is None, "the application began a second response"
            self.status = message["status"]
            self._headers = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message["headers"]
            ]
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                self._done.set()

    def response(self) -> Response:
        assert self.status is not None, "the application sent no response"
        return Response(self.status, self._headers, self._body)
