"""What the pages about developing promise, done."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from dubhooks._explain_causes import _TEXTS
from dubhooks.cli._app import _COMMANDS
from dubhooks.cli._checks import CHECKS

DOCS = Path(__file__).parents[2] / "docs"
SECRET = "whsec_0123456789abcdef0123456789abcdef"
ENVIRONMENT = {**os.environ, "DUB_WEBHOOK_SECRET": SECRET}


def page(name: str) -> str:
    """Return a page."""
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.fixture
def application(tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The page's application under its own command, and its URL."""
    blocks = re.findall(
        r"^```python\n(.*?)^```$", page("develop-locally.md"), re.MULTILINE | re.DOTALL
    )
    assert len(blocks) == 1
    (tmp_path / "app.py").write_text(blocks[0], encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "app", "run", "--port", str(port)],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    deadline = monotonic() + 20
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert monotonic() < deadline
        sleep(0.05)
    yield f"http://127.0.0.1:{port}/webhooks/dub", server
    server.kill()
    server.communicate()


def dubhooks(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command."""
    command = [sys.executable, "-m", "dubhooks", *arguments]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def test_from_nothing_to_a_handled_event(
    application: tuple[str, "subprocess.Popen[str]"],
) -> None:
    """The page's commands have the results that the page promises."""
    url, server = application
    handled = dubhooks("trigger", "sale.created", "--to", url, "--set", "data.sale.amount=1900")
    assert handled.returncode == 0
    assert handled.stdout.endswith('{"outcome":"handled"}\n')
    assert server.stdout is not None
    line = next(line for line in server.stdout if " paid " in line)
    assert line.endswith("paid 1900 cents\n")
    for event, options, status in (
        ("sale.created", ["--tamper"], "401"),
        ("link.created", [], "200"),
        ("payout.confirmed", [], "501"),
    ):
        assert dubhooks("trigger", event, "--to", url, *options).stdout.startswith(status)
    examined = dubhooks("doctor", url, "--event", "sale.created")
    assert (examined.returncode, examined.stdout.splitlines()[-1]) == (0, "no fault found")


def test_every_command_check_and_cause_is_documented() -> None:
    """The pages name every command, every check of the doctor and every cause."""
    commands = {command.__name__ for command in _COMMANDS}
    overview = page("cli.md")
    assert all(re.search(rf"`[^`]*\b{name}\b", overview) for name in commands)
    assert set(re.findall(r"`([a-z_]+)`", overview)) >= {check.code for check in CHECKS}
    causes = set(re.findall(r"`([a-z0-9_]+)`", page("signature-does-not-match.md")))
    assert causes >= set(_TEXTS) - {"secret_missing"}


@pytest.mark.parametrize("command", [command.__name__ for command in _COMMANDS])
def test_every_command_has_help(command: str) -> None:
    """The help of every command has examples and exit codes, a line for each."""
    told = dubhooks(command, "--help")
    assert told.returncode == 0
    assert f"\n    dubhooks {command}" in told.stdout or "\n    curl" in told.stdout
    assert "Exit codes: 0 " in told.stdout
    assert "--json" in told.stdout
    assert "\\b" not in told.stdout
