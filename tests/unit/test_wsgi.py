"""The WSGI application, called as a server calls it, with the standard library's validator on."""

import io
import logging
import tempfile
from collections.abc import Iterable
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from dubhooks import (
    DeliveryRecord,
    MemoryStore,
    Webhooks,
    wsgi,
)
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import SECRET, sale, signed

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

    @pytest.mark.parametrize("length", ["0" * 5_000, "-1", "+5", "1e3", "12 ", "ten", "", "²"])
    def test_length_is_no_length(self, length: str) -> None:
        """Without a length nothing marks the end, so nothing is read."""
        stream = Input(b"x" * 100, ends=False)
        for environ in ({"CONTENT_LENGTH": length}, {}):
            assert wsgi.read_body(environ | {"wsgi.input": stream}, MAX_BODY) == b""
        assert stream.read_bytes == 0

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


@pytest.mark.parametrize(
    ("status", "line"),
    [(200, "200 OK"), (489, "489 Not Retryable"), (299, "299 Unknown"), (422, "422 Unprocessable")],
)
def test_status_lines(status: int, line: str) -> None:
    """Every status has a phrase, because PEP 3333 asks for one."""
    assert wsgi.status_line(status).startswith(line)
