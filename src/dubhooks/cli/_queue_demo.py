"""``dubhooks demo --queue``: handlers in a queue of one SQLite file, whose worker is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

from ..queues.dbos import DBOSQueue
from ..testing import QueueShop, make_event
from ..testing.shop import PLACE
from ..webhooks import CommissionCreated, LeadCreated, SaleCreated

_PATIENCE = 60.0

if PLACE in os.environ:  # this is the worker
    later = DBOSQueue(f"sqlite:///{os.environ[PLACE]}/queue.db")
    shop = QueueShop(later)


def run_queue_demo() -> list[dict[str, Any]]:
    """Return the rows of the table: what was done, what was answered, what ran."""
    kinds = (SaleCreated, LeadCreated, CommissionCreated)
    events = [make_event(kind) for kind in kinds for _ in range(6)]
    with TemporaryDirectory(prefix="dubhooks-demo-") as place:
        shop = QueueShop(DBOSQueue(f"sqlite:///{place}/queue.db"), place)
        shop.hooks.warm_up()  # says what is wrong, before anything waits for it
        replies = [shop.deliver(event) for event in events * 2]
        answered = Counter(f"{reply.status} {reply.outcome}" for reply in replies)
        with _start_worker(place) as worker:
            _wait(lambda: shop.count_all_runs() > 1)
            worker.kill()
        first, cut_off = shop.count_effects(), shop.count_cut_off()
        with _start_worker(place) as worker:
            _wait(lambda: len(shop.count_effects()) == len(events))
            worker.kill()
        effects = shop.count_effects()
        shop.store.close()
    runs, before = sum(effects.values()), sum(first.values())
    is_right = len(effects) == len(events) and runs - len(events) <= cut_off
    queued = {"202 queued": 2 * len(events)}
    rows: list[tuple[str, dict[str, int], int, int, bool]] = [
        (f"{len(events)} events, each twice", answered, 0, 0, answered == queued),
        ("a worker, and kill -9", {}, before, before, True),
        ("the next worker", {}, len(events) - before, runs - before, is_right),
    ]
    names = ("sent", "answered", "expected_runs", "runs", "ok")
    return [{"expected": "202 queued", **dict(zip(names, row, strict=True))} for row in rows]


def _start_worker(place: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dubhooks.queues.dbos", f"{__name__}:later"]
    environment = {**os.environ, PLACE: place}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + _PATIENCE
    while not condition() and monotonic() < deadline:
        sleep(0.05)
