"""``dubhooks demo`` in a process of its own, as people run it."""

import json
import sqlite3
import subprocess
import sys

import pytest

BREAKAGES = {
    "nothing is verified": (
        "import dubhooks.receiver._pipeline as p; p.check_request = lambda *_: None",
        "a body tampered with",
    ),
    "claims are not atomic": (
        "from dubhooks.stores.sqlite import SQLiteStore as s; from dubhooks import Claim\n"
        "s.claim = lambda self, key, token, *, fingerprint, **_: "
        "Claim('acquired', 1, fingerprint, 0.0)",
        "another, 10 at the same time",
    ),
}


def python(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python in a new process in which warnings are errors."""
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_people_get_a_table_and_a_verdict() -> None:
    """The demo lists what was sent, answered and run, and exits with 0."""
    done = python("-m", "dubhooks", "demo")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-1] == "all as it should be"
    assert lines[0].split() == ["sale.created", "200", "handled", "ran", "once", "ok"]
    assert max(map(len, lines)) <= 80
    assert done.stdout.isascii()


def test_machines_get_one_json_document() -> None:
    """With ``--json`` stdout is one document, and it covers every situation."""
    done = python("-m", "dubhooks", "demo", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["ok"] is True
    burst = next(row for row in report["rows"] if sum(row["answered"].values()) == 10)
    assert (burst["answered"]["200 handled"], burst["runs"]) == (1, 1)
    assert {answer for row in report["rows"] for answer in row["answered"]} >= {
        *("200 handled", "200 duplicate", "200 ignored", "400 malformed"),
        *("401 unauthorized", "422 conflict", "500 failed", "501 unhandled_payout"),
    }


@pytest.mark.parametrize(("code", "found_in"), BREAKAGES.values(), ids=BREAKAGES)
def test_a_broken_library_makes_the_demo_fail(code: str, found_in: str) -> None:
    """Whatever is broken, the demo names the row, says what should be, and exits with 1."""
    done = python("-c", f"{code}\nfrom dubhooks.cli import main; main(['demo'])")
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    wrong = [number for number, line in enumerate(lines) if line.endswith(" WRONG")]
    assert found_in in [lines[number][:29].rstrip() for number in wrong]
    assert all(lines[number + 1].startswith("    should be ") for number in wrong)
    assert lines[-1] == f"{len(wrong)} of 13 differ"


def test_worker_of_a_queue_is_killed() -> None:
    """With ``--queue`` a worker is killed, and the next one runs what is left: all of it."""
    done = python("-m", "dubhooks", "demo", "--queue", "--json")
    if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < (3, 42):
        assert (done.returncode, done.stdout) == (2, "")
        assert "needs SQLite 3.42" in done.stderr
        return
    assert (done.returncode, done.stderr) == (0, "")
    delivered, killed, following = json.loads(done.stdout)["rows"]
    assert delivered["answered"] == {"202 queued": 36}
    assert killed["runs"] + following["expected_runs"] == 18
    assert following["runs"] >= following["expected_runs"] > 0
