"""Dramatiq on Redis, with real workers."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from secrets import token_hex
from typing import ClassVar

import pytest

from dubhooks.queues.dramatiq import DramatiqQueue
from dubhooks.testing import QueueWorker, make_event
from dubhooks.webhooks import SaleCreated
from tests.queues.apps.dramatiq_app import make_broker
from tests.queues.support.engine_workers import running_worker
from tests.queues.support.server_contract import ServerContract
from tests.queues.support.workload import KILLS
from tests.support.processes import until
from tests.support.servers import RedisServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def redis_server() -> Iterator[None]:
    """One Redis for the tests of this module."""
    with RedisServer() as server:
        TestDramatiq.redis = server
        yield


class TestDramatiq(ServerContract):
    """DramatiqQueue on Redis with an append-only file."""

    kills = KILLS
    patience = 180.0
    redis: ClassVar[RedisServer]

    def make_queue(self) -> DramatiqQueue:
        """Return a queue whose messages no other test has."""
        self.name = f"dubhooks-{token_hex(4)}"
        return DramatiqQueue(make_broker(self.redis.url), name=self.name)

    def worker(self) -> AbstractContextManager[QueueWorker]:
        """Start ``dramatiq`` with two processes."""
        return running_worker(
            [
                *(sys.executable, "-m", "dramatiq", "tests.queues.apps.dramatiq_app:broker"),
                *("--processes", "2", "--threads", "2"),
            ],
            self.directory / "worker.log",
            DRAMATIQ_REDIS_URL=self.redis.url,
            DRAMATIQ_QUEUE=self.name,
        )

    @property
    def server(self) -> RedisServer:
        """Return Redis."""
        return self.redis

    def read_storage(self) -> str:
        """Return Redis' files and the workers' logs."""
        files = [path for path in self.redis.directory.rglob("*") if path.is_file()]
        files.append(self.directory / "worker.log")
        return "".join(path.read_bytes().decode("latin-1") for path in files)

    def test_delayed_messages_come_back_to_a_new_worker(self) -> None:
        """A worker forgets them when Redis is restarted; one that is started after that has them.

        See Bogdanp/dramatiq#527, and the page.
        """
        event = make_event(SaleCreated, {"+plan": "fail"})
        with self.worker() as worker:
            assert self.shop.deliver(event).status == 202
            until(lambda: self.shop.count_runs(event), "it runs, and is delayed by 10 seconds")
            time.sleep(3)
            self.server.kill()
            time.sleep(6)  # longer than the client tries
            self.server.start()
            time.sleep(12)  # until it was due, and the worker is connected again
            assert self.shop.count_runs(event) == 1
            worker.stop()
        with self.worker():
            until(lambda: self.shop.list_effects(event), "it runs again", self.patience)
