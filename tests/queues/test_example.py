"""``examples/work_later.py``, with a worker that is killed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.queues.support.engine_workers import running_worker
from tests.support.processes import Server, importing, python, serving, until

pytestmark = pytest.mark.slow

SECRET = "whsec_0123456789abcdef0123456789abcdef"
EXAMPLES = Path(__file__).parents[2] / "examples"
WORKER = python("-m", "dubhooks.queues.dbos", "work_later:later")
FLASK = python("-m", "flask", "--app", "work_later", "run", "--port", "{port}")
SALES = 200


def count_sales(server: Server) -> int:
    """Return how many sales the ledger has."""
    return int(server.post("/sales", b"", {}, method="GET")[2])


def has_more_than(server: Server, seen: int) -> bool:
    """Tell whether the ledger has grown."""
    return count_sales(server) > seen


def test_worker_is_killed(tmp_path: Path) -> None:
    """200 sales while the worker is killed twice: each is in the ledger, once."""
    environment = {**importing(EXAMPLES), "DUB_WEBHOOK_SECRET": SECRET}
    log = tmp_path / "worker.log"

    def deliver(server: Server) -> int:
        return server.post("/webhooks/dub", *signed_request(make_event(SaleCreated), SECRET))[0]

    with serving(FLASK, tmp_path, environment) as server, ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(deliver, server) for _ in range(SALES)]
        for _ in range(2):
            with running_worker(WORKER, log, tmp_path, **environment) as worker:
                seen = count_sales(server)
                until(partial(has_more_than, server, seen), "the worker runs handlers")
                worker.kill()
        assert {answer.result() for answer in answers} == {202}
        with running_worker(WORKER, log, tmp_path, **environment):
            until(lambda: count_sales(server) >= SALES, "every sale is there", 120)
            time.sleep(3)
        assert count_sales(server) == SALES
