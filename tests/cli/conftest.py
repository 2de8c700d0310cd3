"""Running commands in this process, against servers on the loopback interface."""

from collections.abc import Callable, Iterator
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


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves a WSGI application and gives its URL."""
    running: list[Any] = []

    def start(application: Any) -> str:
        context = serving(application)
        running.append(context)
        url: str = context.__enter__()
        return url

    yield start
    for context in running:
        context.__exit__(None, None, None)


@pytest.fixture
def refused_url() -> str:
    """Return a URL on which nothing listens."""
    with serving(lambda _environ, _start: []) as url:
        return url
