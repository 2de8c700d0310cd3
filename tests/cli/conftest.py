"""Running commands in this process, against servers on the loopback interface."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from dubhooks.cli import main
from dubhooks.cli._server import serving

SECRET = "whsec_0123456789abcdef0123456789abcdef"
POSTBACK_SECRET = "pbsec_00112233445566778899aabbccddeeff"


class Done(NamedTuple):
    """A command that ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Done]
Serve = Callable[[Any], str]


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a function that runs a command with both secrets in the environment."""
    monkeypatch.setenv("DUB_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("DUB_POSTBACK_SECRET", POSTBACK_SECRET)

    def run(*arguments: object) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        code = exit_.value.code
        assert code is None or isinstance(code, int)
        printed = capfd.readouterr()
        done = Done(code or 0, printed.out, printed.err)
        for secret in (SECRET, POSTBACK_SECRET):
            assert secret not in done.out + done.err
        return done

    return run


class Recorder:
    """An endpoint that keeps what it gets and answers as it is told."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.bodies: list[bytes] = []
        self.signatures: list[str | None] = []
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer the next status; 200 when there is none."""
        with self.lock:
            self.bodies.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            self.signatures.append(environ.get("HTTP_DUB_SIGNATURE"))
            status = self.statuses.pop(0) if self.statuses else 200
        start_response(f"{status} Answer", [("Content-Type", "text/plain")])
        return [b"\x1b[31mthanks\x07"]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves a WSGI application and gives its URL."""
    with ExitStack() as stack:
        yield lambda application: stack.enter_context(serving(application))


@pytest.fixture
def refused_url() -> str:
    """Return a URL on which nothing listens."""
    with serving(lambda _environ, _start: []) as url:
        return url
