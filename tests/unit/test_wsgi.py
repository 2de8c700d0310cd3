"""The WSGI application: how it reads a body, and what it answers."""

import io
import logging
import tempfile
from types import SimpleNamespace
from typing import Any

import pytest

from dubhooks import BodyIncomplete, BodyTooLarge, ConfigurationError, MemoryStore, Webhooks, wsgi
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.clients import WsgiClient
from tests.support.receiving import SECRET, AsyncMemoryStore, sale, signed

Log = pytest.LogCaptureFixture
MAX_BODY = 4_096


class Input(io.RawIOBase):
    """A request's body that counts what is read and fails where reading could wait for ever."""

    def __init__(self, body: bytes, *, ends: bool = True) -> None:
        self._stream = io.BytesIO(body)
        self._ends = ends
        self.read_bytes = 0

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes."""
        assert size >= 0, "reading without a limit could wait for ever"
        chunk = self._stream.read(size)
        assert chunk or self._ends, "reading on could wait for ever"
        self.read_bytes += len(chunk)
        return chunk


def receiver(**settings: Any) -> Webhooks:
    """Return a receiver of small bodies with a handler of sales."""
    hooks = Webhooks(SECRET, max_body=MAX_BODY, **settings)
    hooks.on(SaleCreated)(lambda _: None)
    return hooks


def read(stream: Any, **environ: Any) -> bytes:
    """Read a body as the application does."""
    return wsgi.read_body({"wsgi.input": stream, **environ}, MAX_BODY)


class TestBodies:
    """Reading a body: no further than allowed, and never where it could wait for ever."""

    @pytest.mark.parametrize("length", ["4097", "9" * 20, "9" * 5_000])
    def test_length_is_too_large(self, length: str) -> None:
        """A body that says it is too large, in any number of digits, is not read at all."""
        stream = Input(b"x" * 10_000)
        with pytest.raises(BodyTooLarge):
            read(stream, CONTENT_LENGTH=length)
        assert stream.read_bytes == 0

    @pytest.mark.parametrize("length", ["0" * 5_000, "-1", "+5", "1e3", "12 ", "ten", "", "²"])
    def test_length_is_no_length(self, length: str) -> None:
        """Without a length nothing marks the end, so nothing is read."""
        stream = Input(b"x" * 100, ends=False)
        assert read(stream, CONTENT_LENGTH=length) == read(stream) == b""
        assert stream.read_bytes == 0
        assert read(SimpleNamespace(read=stream.read)) == b""

    def test_chunks_that_are_too_many(self) -> None:
        """A chunked body is read no further than the limit."""
        client = WsgiClient(wsgi.app(receiver()))
        assert client.post(b"x" * 10 * MAX_BODY, [], chunked=True).status == 413
        assert client.sent < 2 * MAX_BODY

    def test_chunks_without_an_end(self, caplog: Log) -> None:
        """Chunks on a server that does not mark their end are refused, and the log says why."""
        app = wsgi.app(receiver())

        def server(environ: Any, start_response: Any) -> Any:
            del environ["wsgi.input_terminated"]
            return app(environ, start_response)

        body, headers = signed(sale())
        client = WsgiClient(server)
        assert client.post(body, [*headers.items()], chunked=True).status == 400
        assert client.sent == 0
        assert "wsgi.input_terminated" in caplog.text

    @pytest.mark.parametrize("kind", [io.BytesIO, tempfile.SpooledTemporaryFile])
    def test_in_memory_without_length(self, kind: Any) -> None:
        """A body that is all there, in memory or in a file, is read though nothing says so."""
        with kind() as stream:
            stream.write(b"x" * MAX_BODY)
            stream.seek(0)
            assert read(stream) == b"x" * MAX_BODY
            stream.write(b"x" * 10 * MAX_BODY)
            stream.seek(0)
            with pytest.raises(BodyTooLarge):
                read(stream)
            assert stream.tell() == MAX_BODY + 1

    def test_the_client_hangs_up(self) -> None:
        """A body shorter than its length is called that, and not a wrong signature."""
        with pytest.raises(BodyIncomplete, match="ended before the announced length"):
            read(Input(b"x" * 50), CONTENT_LENGTH="51")

    def test_nothing_of_it_is_there(self, caplog: Log) -> None:
        """An announced body without a byte was read by somebody else, or never sent."""
        app = wsgi.app(receiver())

        def consumed(environ: Any, start_response: Any) -> Any:
            return app({**environ, "wsgi.input": Input(b"")}, start_response)

        assert b"body_empty" in WsgiClient(consumed).post(b"x", []).body
        assert "middleware has read it from wsgi.input" in caplog.text
        assert "or the client hung up" in caplog.text

    @pytest.mark.parametrize("error", [ConnectionResetError, TimeoutError, ValueError])
    def test_the_connection_is_lost(self, error: type[Exception]) -> None:
        """What a server raises then is a reply too, although nobody may be there to read it."""

        class Lost(Input):
            def read(self, size: int = -1) -> bytes:
                if self.read_bytes:
                    raise error
                return super().read(min(size, 50))

        with pytest.raises(BodyIncomplete, match="ended in the middle"):
            read(Lost(b"x" * 100), CONTENT_LENGTH="100")

    def test_more_than_the_length(self) -> None:
        """What follows the body on the connection is not read."""
        assert read(Input(b"{}POST /next", ends=False), CONTENT_LENGTH="2") == b"{}"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_other_methods(method: str) -> None:
    """Anything but POST is answered 405 with what is allowed, and HEAD without a body."""
    client = WsgiClient(wsgi.app(receiver()))
    answer = client.post(b"x", [], method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert (answer.body == b"") == (method == "HEAD")
    assert client.sent == 0


def test_the_handler_fails(caplog: Log) -> None:
    """What a handler raises is logged and answered 500, without a word of it."""
    hooks = Webhooks(SECRET, store=MemoryStore())
    hooks.on(SaleCreated)(lambda event: {event.id: 1}["the handler's own"])
    body, headers = signed(sale())
    for _ in range(2):
        answer = WsgiClient(wsgi.app(hooks)).post(body, [*headers.items()])
        assert (answer.status, answer.body) == (500, b'{"outcome":"failed"}')
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert caplog.records[0].exc_info is not None
    assert caplog.records[0].exc_info[0] is KeyError


def test_an_async_store() -> None:
    """A store that cannot work here is refused before there is any delivery."""
    with pytest.raises(ConfigurationError, match="AsyncMemoryStore needs an event loop that lasts"):
        wsgi.app(receiver(store=AsyncMemoryStore()))


@pytest.mark.parametrize(
    ("status", "line"),
    [(200, "200 OK"), (489, "489 Not Retryable"), (299, "299 Unknown"), (422, "422 Unprocessable")],
)
def test_status_lines(status: int, line: str) -> None:
    """Every status has a phrase, because PEP 3333 asks for one."""
    assert wsgi.status_line(status).startswith(line)
