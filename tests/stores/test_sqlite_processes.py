"""Run once, and exactly once, by real processes on one SQLite file, through ``kill -9``."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from dubhooks import SQLiteInbox, SQLiteStore, Webhooks
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.processes import importing

pytestmark = pytest.mark.slow

WORKER = "tests.support.stores.sqlite_worker"
SECRET = "whsec_" + "0" * 32
PROCESSES, THREADS = 5, 10
PATIENCE = 60.0


def started(program: str, directory: Path, **options: object) -> subprocess.Popen[bytes]:
    """Start a worker process."""
    flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", WORKER, program, str(directory), *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **importing()},
    )


def told(worker: subprocess.Popen[bytes], line: bytes) -> None:
    """Send a line to a worker."""
    assert worker.stdin is not None
    worker.stdin.write(line + b"\n")
    worker.stdin.flush()


def said(worker: subprocess.Popen[bytes]) -> bytes:
    """Return the next line of a worker; at its end, fail with what it complained of."""
    assert worker.stdout is not None
    line = worker.stdout.readline()
    assert line, worker.communicate()[1].decode()
    return line.rstrip(b"\n")


def ended(worker: subprocess.Popen[bytes]) -> str:
    """Wait for the end of a worker and return what it printed last."""
    output, errors = worker.communicate(timeout=PATIENCE)
    assert worker.returncode == 0, errors.decode()
    return output.decode().splitlines()[-1]


def burst(directory: Path, body: bytes, **options: object) -> Counter[tuple[str, int]]:
    """Deliver one body 50 times at once, from 5 processes, and count the answers."""
    workers = [started("burst", directory, threads=THREADS, **options) for _ in range(PROCESSES)]
    for worker in workers:
        told(worker, body)
    for worker in workers:
        assert said(worker) == b"ready"
    for worker in workers:
        told(worker, b"go")
    return Counter(
        (outcome, status) for worker in workers for outcome, status in json.loads(ended(worker))
    )


def effects_of(directory: Path) -> list[str]:
    """Return the ids that the handlers of bursts noted."""
    log = directory / "effects.log"
    return log.read_text().splitlines() if log.exists() else []


def killed_in_handler(directory: Path, body: bytes, lease: float) -> None:
    """Let a worker claim the event, and kill it while its handler runs."""
    worker = started("hang", directory, lease=lease)
    told(worker, body)
    assert said(worker) == b"started"
    worker.kill()
    worker.communicate()
    assert worker.returncode == -9


def test_fifty_deliveries_from_five_processes(tmp_path: Path) -> None:
    """50 concurrent deliveries of one event run the handler once; the others are told so."""
    event = make_event(SaleCreated)
    answers = burst(tmp_path, event.to_json())
    assert answers.total() == PROCESSES * THREADS
    assert answers["handled", 200] == 1
    assert set(answers) <= {("handled", 200), ("duplicate", 200), ("busy", 409)}
    assert effects_of(tmp_path) == [event.id]
    store = SQLiteStore(tmp_path / "claims.db")
    hooks = Webhooks(SECRET, store=store)
    hooks.on(SaleCreated)(lambda _: pytest.fail("it ran before"))
    assert hooks.handle(*signed_request(event, SECRET)).outcome == "duplicate"
    store.close()


def test_fifty_deliveries_take_over_a_dead_worker(tmp_path: Path) -> None:
    """When a killed worker's lease is over, one of 50 concurrent deliveries takes it over."""
    event = make_event(SaleCreated)
    body, lease = event.to_json(), 0.5
    killed_in_handler(tmp_path, body, lease)
    store = SQLiteStore(tmp_path / "claims.db")
    deadline = time.monotonic() + PATIENCE
    # Another key with the same lease, claimed later, tells when the dead worker's is over.
    store.claim("clock", "one", fingerprint="", lease=lease, retention=60.0)
    while store.claim("clock", "two", fingerprint="", lease=60.0, retention=60.0).state == "busy":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    store.close()
    answers = burst(tmp_path, body)
    assert answers["handled", 200] == 1
    assert set(answers) <= {("handled", 200), ("duplicate", 200), ("busy", 409)}
    assert effects_of(tmp_path) == [event.id]


def farmed(directory: Path, mode: str) -> tuple[dict[str, Any], list[list[str]]]:
    """Run the farm of workers that are killed; return its result and its log."""
    farm = started("farm", directory, mode=mode, kills=110, seconds=25, lease=3)
    result: dict[str, Any] = json.loads(ended(farm))
    assert len(result["killed"]) >= 100
    log = [line.split() for line in (directory / "log").read_text().splitlines()]
    return result, log


def test_a_hundred_kills_in_lease_mode(tmp_path: Path) -> None:
    """Nothing is lost, and only a kill between effect and completion repeats an effect."""
    result, log = farmed(tmp_path, "lease")
    last = {line[2]: line for line in log}
    effects: defaultdict[str, list[str]] = defaultdict(list)
    for word, event_id, pid, *_ in log:
        if word == "effect":
            effects[event_id].append(pid)
    sent = {event_id for word, event_id, *_ in log if word == "sent"}
    assert sent == {f"evt_{number}" for number in range(result["events"])}
    assert set(effects) == sent, "an event was lost"
    killed = {str(pid) for pid in result["killed"]}
    for event_id, pids in effects.items():
        # Whoever was killed after its effect and before its answer has it as its last line.
        crashed = [pid for pid in pids if pid in killed and last[pid][:2] == ["effect", event_id]]
        assert len(pids) <= 1 + len(crashed), f"{event_id} was repeated without a crash: {pids}"
    outcomes = Counter(outcome for word, *_, outcome in log if word == "answered")
    assert set(outcomes) <= {"handled", "duplicate", "busy"}
    # The kills did hit what they were meant to hit.
    assert sum(line[0] == "effect" for pid, line in last.items() if pid in killed) > 0
    assert outcomes["busy"] > 0


def prepare_inbox(directory: Path) -> None:
    """Create the tables of the inbox and of its effects."""
    connection = sqlite3.connect(directory / "effects.db")
    connection.execute("PRAGMA journal_mode=WAL")
    SQLiteInbox().create_table(connection)
    connection.execute("CREATE TABLE effects (id TEXT NOT NULL)")
    connection.close()


def rows_of(directory: Path) -> Counter[str]:
    """Count the effects of each event."""
    connection = sqlite3.connect(directory / "effects.db")
    rows = Counter(event_id for (event_id,) in connection.execute("SELECT id FROM effects"))
    connection.close()
    return rows


def test_a_hundred_kills_in_inbox_mode(tmp_path: Path) -> None:
    """With the inbox in the transaction of the effect, every event takes effect exactly once."""
    prepare_inbox(tmp_path)
    result, log = farmed(tmp_path, "inbox")
    assert rows_of(tmp_path) == {f"evt_{number}": 1 for number in range(result["events"])}
    answered = {(pid, event_id) for word, event_id, pid, *_ in log if word == "answered"}
    cut_off = {(pid, event_id) for word, event_id, pid, *_ in log if word == "sent"} - answered
    assert cut_off, "no kill fell into a delivery"
