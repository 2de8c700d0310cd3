"""The WSGI application, called as a server calls it, with the standard library's validator on."""

import io
import logging
import tempfile
from collections.abc import Iterable
from http.client import HTTPConnection
from threading import Thread
from types import SimpleNamespace
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from dubhooks import (
    BodyTooLarge,
    ConfigurationError,
    DeliveryRecord,
    MemoryStore,
    Reject,
    Webhooks,
    wsgi,
)
from dubhooks.webhooks import SaleCreated
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

    def readline(self, *_: Any) -> bytes:
        """Fail: a body has no lines."""
        raise AssertionError

    readlines = __iter__ = readline  # type: ignore[assignment]


class Answer:
    """What an application answered."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: dict[str, str] = {}
        self.body = b""

    def start(self, status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
        """Take status and headers."""
        self.status, self.headers = status, dict(headers)
        return lambda _: None

    @property
    def code(self) -> int:
        """The status."""
        return int(self.status.split()[0])


def receiver(**settings: Any) -> Webhooks:
    """Return a receiver of small bodies with a handler of sales."""
    hooks = Webhooks(SECRET, max_body=MAX_BODY, **settings)
    hooks.on(SaleCreated)(lambda _: None)
    return hooks


def call(application: Any, body: Any, headers: dict[str, str], **environ: Any) -> Answer:
    """Call an application; ``environ`` changes variables, ``None`` removes one."""
    stream = Input(body) if isinstance(body, bytes) else body
    given: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)) if isinstance(body, bytes) else None,
        "wsgi.input": stream,
        **{f"HTTP_{name.upper().replace('-', '_')}": it for name, it in headers.items()},
    }
    given.pop("HTTP_CONTENT_TYPE", None)
    given = {name: it for name, it in (given | environ).items() if it is not None}
    setup_testing_defaults(given)
    answer = Answer()
    # The validator's own stream has no more methods than PEP 3333 names.
    checked = validator(application) if isinstance(stream, Input) else application
    chunks: Iterable[bytes] = checked(given, answer.start)
    answer.body = b"".join(chunks)
    if isinstance(stream, Input):
        chunks.close()  # type: ignore[attr-defined]
    return answer


class TestBodies:
    """Reading a body: no further than allowed, and never where it could wait for ever."""

    def test_handled(self) -> None:
        """A delivery is answered with the receiver's reply and its length."""
        answer = call(wsgi.app(receiver()), *signed(sale()))
        assert answer.status == "200 OK"
        assert answer.body == b'{"outcome":"handled"}'
        assert answer.headers == {"Content-Type": "application/json", "Content-Length": "21"}

    def test_length_is_too_large(self) -> None:
        """A body that says it is too large is refused without reading any of it."""
        stream = Input(b"x" * 10_000)
        answer = call(wsgi.app(receiver()), stream, {}, CONTENT_LENGTH="4097")
        assert answer.code == 413
        assert stream.read_bytes == 0
        assert "Connection" not in answer.headers

    @pytest.mark.parametrize("length", ["9" * 20, "9" * 5_000])
    def test_length_is_absurd(self, length: str) -> None:
        """A length of any number of digits is too large, and no error of ours."""
        with pytest.raises(BodyTooLarge):
            wsgi.read_body({"CONTENT_LENGTH": length}, MAX_BODY)

    @pytest.mark.parametrize("length", ["0" * 5_000, "-1", "+5", "1e3", "12 ", "ten", "", "²"])
    def test_length_is_no_length(self, length: str) -> None:
        """Without a length nothing marks the end, so nothing is read."""
        stream = Input(b"x" * 100, ends=False)
        for environ in ({"CONTENT_LENGTH": length}, {}):
            assert wsgi.read_body(environ | {"wsgi.input": stream}, MAX_BODY) == b""
        assert stream.read_bytes == 0

    @pytest.mark.parametrize("length", ["-1", "ten", ""])
    def test_garbage_is_a_reply(self, length: str) -> None:
        """A length that is none is answered, whatever the server lets through."""
        environ: dict[str, Any] = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": length}
        environ["wsgi.input"] = Input(b"x", ends=False)
        answer = Answer()
        assert b"".join(wsgi.app(receiver())(environ, answer.start)) == (
            b'{"outcome":"malformed","code":"body_empty"}'
        )
        assert answer.code == 400

    def test_terminated_without_length(self) -> None:
        """A chunked body whose end the server marks is read to that end."""
        body, headers = signed(sale())
        answer = call(wsgi.app(receiver()), Input(body), headers, **{"wsgi.input_terminated": True})
        assert answer.code == 200

    def test_chunks_without_an_end(self, caplog: Log) -> None:
        """Chunks on a server that does not mark their end are refused, and the log says why."""
        body, headers = signed(sale())
        stream = Input(body, ends=False)
        answer = call(wsgi.app(receiver()), stream, {**headers, "Transfer-Encoding": "chunked"})
        assert (answer.code, stream.read_bytes) == (400, 0)
        assert "wsgi.input_terminated" in caplog.text

    def test_terminated_and_too_large(self) -> None:
        """A chunked body is read no further than the limit."""
        stream = Input(b"x" * 10 * MAX_BODY)
        answer = call(wsgi.app(receiver()), stream, {}, **{"wsgi.input_terminated": True})
        assert answer.code == 413
        assert stream.read_bytes == MAX_BODY + 1

    @pytest.mark.parametrize("kind", [io.BytesIO, tempfile.SpooledTemporaryFile])
    def test_in_memory_without_length(self, kind: Any) -> None:
        """A body that is all there, in memory or in a file, is read though nothing says so."""
        body, headers = signed(sale())
        with kind() as stream:
            stream.write(body)
            stream.seek(0)
            chunks = {**headers, "Transfer-Encoding": "chunked"}
            assert call(wsgi.app(receiver()), stream, chunks).code == 200

    def test_in_memory_and_too_large(self) -> None:
        """Such a body is read no further than the limit, either."""
        held = io.BytesIO(b"x" * 10 * MAX_BODY)
        answer = call(wsgi.app(receiver()), held, {"Transfer-Encoding": "chunked"})
        assert answer.code == 413
        assert held.tell() == MAX_BODY + 1

    def test_in_memory_and_empty(self, caplog: Log) -> None:
        """Nothing is said about the server when it is the body that is empty."""
        answer = call(wsgi.app(receiver()), io.BytesIO(), {"Transfer-Encoding": "chunked"})
        assert b"body_empty" in answer.body
        assert "wsgi.input_terminated" not in caplog.text

    @pytest.mark.parametrize("missing", [1, 50])
    def test_the_client_hangs_up(self, missing: int) -> None:
        """A body shorter than its length is called that, and not a wrong signature."""
        body, headers = signed(sale())
        answer = call(
            wsgi.app(receiver()), Input(body[:-missing]), headers, CONTENT_LENGTH=str(len(body))
        )
        assert (answer.code, answer.body) == (
            400,
            b'{"outcome":"malformed","code":"body_incomplete"}',
        )

    def test_nothing_of_it_is_there(self, caplog: Log) -> None:
        """An announced body without a byte was read by somebody else, or never sent."""
        answer = call(wsgi.app(receiver()), Input(b""), {}, CONTENT_LENGTH="10")
        assert b"body_empty" in answer.body
        assert "middleware has read it from wsgi.input" in caplog.text
        assert "or the client hung up" in caplog.text

    def test_a_flood_of_such_requests(self, caplog: Log) -> None:
        """Anybody can send them, so one receiver says it once and then counts."""
        application = wsgi.app(receiver())
        for _ in range(3):
            call(application, Input(b""), {}, CONTENT_LENGTH="10")
        assert len(caplog.records) == 1

    @pytest.mark.parametrize("error", [ConnectionResetError, TimeoutError, ValueError])
    def test_the_connection_is_lost(self, error: type[Exception]) -> None:
        """What a server raises then is a reply too, although nobody may be there to read it."""

        class Lost(Input):
            def read(self, size: int = -1) -> bytes:
                if self.read_bytes:
                    raise error
                return super().read(min(size, 50))

        body, headers = signed(sale())
        answer = call(wsgi.app(receiver()), Lost(body), headers, CONTENT_LENGTH=str(len(body)))
        assert (answer.code, answer.body) == (
            400,
            b'{"outcome":"malformed","code":"body_incomplete"}',
        )

    def test_more_than_the_length(self) -> None:
        """What follows the body on the connection is not read."""
        body, headers = signed(sale())
        stream = Input(body + b"POST /next", ends=False)
        answer = call(wsgi.app(receiver()), stream, headers, CONTENT_LENGTH=str(len(body)))
        assert answer.code == 200
        assert stream.read_bytes == len(body)

    def test_many_chunks(self) -> None:
        """A body larger than one read is put together."""
        hooks = Webhooks(SECRET)
        request = signed(sale(data__customer__avatar="x" * 200_000))
        assert call(wsgi.app(hooks), *request).code == 200

    def test_empty(self) -> None:
        """An empty body is refused with its code."""
        assert b"body_empty" in call(wsgi.app(receiver()), b"", {}).body

    def test_compressed(self) -> None:
        """A compressed body is refused with its code."""
        body, headers = signed(sale())
        headers["Content-Encoding"] = "gzip"
        answer = call(wsgi.app(receiver()), body, headers)
        assert answer.code == 415


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_other_methods(method: str) -> None:
    """Anything but POST is answered 405 with what is allowed, and HEAD without a body."""
    records: list[DeliveryRecord] = []
    hooks = receiver(observers=[records.append])
    stream = Input(b"x")
    answer = call(wsgi.app(hooks), stream, {}, REQUEST_METHOD=method, CONTENT_LENGTH="1")
    assert answer.status == "405 Method Not Allowed"
    assert answer.headers["Allow"] == "POST"
    assert (answer.body == b"") == (method == "HEAD")
    assert stream.read_bytes == 0
    assert [record.outcome for record in records] == ["wrong_method"]


def test_the_handler_fails(caplog: Log) -> None:
    """What a handler raises is logged and answered 500, without a word of it."""
    hooks = Webhooks(SECRET, store=MemoryStore())
    hooks.on(SaleCreated)(lambda event: {event.id: 1}["the handler's own"])
    request = signed(sale())
    for _ in range(2):
        answer = call(wsgi.app(hooks), *request)
        assert answer.status == "500 Internal Server Error"
        assert answer.body == b'{"outcome":"failed"}'
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert caplog.records[0].exc_info is not None
    assert caplog.records[0].exc_info[0] is KeyError


def test_what_stops_the_process_is_passed_on() -> None:
    """A worker that is told to exit exits."""
    hooks = Webhooks(SECRET)

    @hooks.on(SaleCreated)
    def handler(_: object) -> None:
        raise SystemExit(1)

    with pytest.raises(SystemExit):
        call(wsgi.app(hooks), *signed(sale()))


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


def test_rejected() -> None:
    """The one status that stops the queue is sent, and its header with it."""
    hooks = Webhooks(SECRET)

    @hooks.on(SaleCreated)
    def handler(_: object) -> None:
        raise Reject

    answer = call(wsgi.app(hooks), *signed(sale()))
    assert answer.status == "489 Not Retryable"
    assert answer.headers["Upstash-NonRetryable-Error"] == "true"


class Quiet(WSGIRequestHandler):
    """A request handler that logs nothing."""

    def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - its name in http.server
        """Log nothing."""


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("handled", 200, b'{"outcome":"handled"}'),
        ("unsigned", 401, b'{"outcome":"unauthorized","code":"signature_missing"}'),
        ("large", 413, b'{"outcome":"too_large","code":"body_too_large"}'),
        ("own status", 299, b'{"outcome":"handled"}'),
    ],
)
def test_over_http(kind: str, status: int, body: bytes) -> None:
    """The standard library's server serves it on a real socket, its validator in between."""
    hooks = Webhooks(SECRET, max_body=MAX_BODY)
    code = 299 if kind == "own status" else 200
    hooks.on(SaleCreated)(lambda _: SimpleNamespace(status_code=code))
    with make_server("127.0.0.1", 0, validator(wsgi.app(hooks)), handler_class=Quiet) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        content, headers = signed(sale())
        if kind == "large":
            content = b"x" * (MAX_BODY + 1)
        client = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        client.request("POST", "/", content, {} if kind == "unsigned" else headers)
        response = client.getresponse()
        assert (response.status, response.read()) == (status, body)
        client.close()
        thread.join()
