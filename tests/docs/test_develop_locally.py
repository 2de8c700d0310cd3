"""What the pages about developing promise, done."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dubhooks._explain.causes import _TEXTS
from dubhooks.cli._app import _COMMANDS
from dubhooks.cli.doctor._checks import CHECKS
from tests.support.processes import Server, python, serving

DOCS = Path(__file__).parents[2] / "docs"
SECRET = "whsec_0123456789abcdef0123456789abcdef"
ENVIRONMENT = {**os.environ, "DUB_WEBHOOK_SECRET": SECRET}


def page(name: str) -> str:
    """Return a page."""
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """The page's application, started by the page's command."""
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```$", page("develop-locally.md"))
    assert len(blocks) == 1
    (tmp_path / "app.py").write_text(blocks[0], encoding="utf-8")
    command = python("-m", "flask", "--app", "app", "run", "--port", "{port}")
    with serving(command, tmp_path, {"DUB_WEBHOOK_SECRET": SECRET}) as started:
        yield started


def dubhooks(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command."""
    command = python("-m", "dubhooks", *arguments)
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def test_from_nothing_to_a_handled_event(server: Server) -> None:
    """The page's commands have the results that the page promises."""
    url = f"http://127.0.0.1:{server.port}/webhooks/dub"
    handled = dubhooks("trigger", "sale.created", "--to", url, "--set", "data.sale.amount=1900")
    assert handled.returncode == 0
    assert handled.stdout.startswith("200 handled in ")
    assert " paid 1900 cents\n" in server.log
    for event, options, told in (
        ("sale.created", ["--repeat", "2", "--same"], "2 sent: 1 handled, 1 duplicate (2 x 200)"),
        ("sale.created", ["--tamper"], "401 unauthorized"),
        ("link.created", [], "200 ignored"),
        ("payout.confirmed", [], "501 unhandled_payout"),
    ):
        assert f" {event} --to $URL{''.join(f' {one}' for one in options)} " in page(
            "develop-locally.md"
        )
        assert dubhooks("trigger", event, "--to", url, *options).stdout.startswith(told)
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
