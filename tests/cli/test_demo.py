"""``dubhooks demo`` in a process of its own, as people run it."""

import json
import subprocess
import sys

import pytest

from dubhooks import postbacks, webhooks
from dubhooks.cli.demo import _steps

BREAKAGES = {
    "payouts nobody took are answered 200": (
        "import dubhooks.reply as r; r._STATUS['unhandled_payout'] = 200",
        "payout.confirmed",
    ),
    "nothing is verified": (
        "import dubhooks.receiver._pipeline as p; p.check_request = lambda *_: None",
        "body tampered with",
    ),
    "claims are forgotten": (
        "from dubhooks.stores.sqlite import SQLiteStore as s; s.complete = s.release",
        "link.created, again",
    ),
    "claims are not atomic": (
        "from dubhooks.stores.sqlite import SQLiteStore as s; from dubhooks import Claim\n"
        "s.claim = lambda self, key, token, *, fingerprint, **_: "
        "Claim('acquired', 1, fingerprint, 0.0)",
        "sale.created",
    ),
    "the handler gets another class": (
        "from dubhooks import webhooks as w\n"
        "w.family.classes['link.created'].__name__ = 'LinkUpdated'",
        "link.created",
    ),
}


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the demo with ``arguments`` in a new process."""
    return python("-m", "dubhooks", "demo", *arguments)


def python(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python in a new process in which warnings are errors."""
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_every_event_is_sent() -> None:
    """The demo's own tables of names and classes, which it checks the models by, are complete."""
    for family, table in ((webhooks, _steps._WEBHOOKS), (postbacks, _steps._POSTBACKS)):
        classes = {name: cls.__name__ for name, cls in family.family.classes.items()}
        assert table == classes


def test_people_get_a_table_and_a_verdict() -> None:
    """The demo lists what was sent, answered and run, and exits with 0."""
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.rstrip().endswith("all as it should be")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["sale.created", "200", "handled", "SaleCreated", "ok"] in lines
    assert ["payout.sent,", "an", "unknown", "name"] in [line[:4] for line in lines]
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout.isascii()


def test_machines_get_one_json_document() -> None:
    """With ``--json`` stdout is one document that covers both families and every situation."""
    done = run("--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert report["seconds"] < 15
    rows = report["rows"]
    every = [row for row in rows if row["part"] == "every event"]
    assert len(every) == 18 + 3
    assert all(row["answered"] == {"200 handled": 1} and len(row["ran"]) == 1 for row in every)
    burst = next(row for row in rows if row["copies"] == 50)
    assert burst["ran"] == ["SaleCreated"]
    assert sum(burst["answered"].values()) == 50
    answered = {answer for row in rows for answer in row["answered"]}
    assert answered >= {
        "200 handled",
        "200 duplicate",
        "200 ignored",
        "400 malformed",
        "401 unauthorized",
        "422 conflict",
        "500 failed",
        "501 unhandled_payout",
    }


@pytest.mark.slow
@pytest.mark.parametrize(("code", "found_in"), BREAKAGES.values(), ids=BREAKAGES)
def test_a_broken_library_makes_the_demo_fail(code: str, found_in: str) -> None:
    """Whatever part of the library is broken, the demo names the row and exits with 1."""
    main = "from dubhooks.cli import main; main(['demo', '--json'])"
    done = python("-c", f"{code}\n{main}")
    assert (done.returncode, done.stderr) == (1, "")
    report = json.loads(done.stdout)
    assert report["ok"] is False
    assert found_in in [row["sent"] for row in report["rows"] if not row["ok"]]


def test_people_are_told_what_differs() -> None:
    """A row that differs is followed by what it should have been."""
    code = BREAKAGES["payouts nobody took are answered 200"][0]
    done = python("-c", f"{code}\nfrom dubhooks.cli import main; main(['demo'])")
    assert done.returncode == 1
    assert "WRONG" in done.stdout
    assert "should be answered 501 unhandled_payout and run nothing" in " ".join(
        done.stdout.split()
    )
