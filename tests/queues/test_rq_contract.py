"""RQ on Redis, with real workers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from secrets import token_hex
from typing import ClassVar

import pytest

from dubhooks.queues.rq import RQQueue
from dubhooks.testing import QueueWorker
from tests.queues.apps.rq_app import make_queue
from tests.queues.support.engine_workers import running_worker
from tests.queues.support.server_contract import ServerContract
from tests.queues.support.workload import KILLS
from tests.support.servers import RedisServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def redis_server() -> Iterator[None]:
    """One Redis for the tests of this module."""
    with RedisServer() as server:
        TestRQ.redis = server
        yield


class TestRQ(ServerContract):
    """RQQueue on Redis with an append-only file."""

    kills = KILLS
    patience = 300.0
    redis: ClassVar[RedisServer]

    def make_queue(self) -> RQQueue:
        """Return a queue whose messages no other test has."""
        self.name = f"dubhooks-{token_hex(4)}"
        return make_queue(self.redis.url, self.name)

    def worker(self) -> AbstractContextManager[QueueWorker]:
        """Start ``rq worker`` as the page tells to."""
        return running_worker(
            [
                *(sys.executable, "-m", "rq.cli", "worker", "--with-scheduler"),
                *("--serializer", "rq.serializers.JSONSerializer"),
                *("--config", "tests.queues.apps.rq_app"),
                *("--worker-ttl", "45", "--maintenance-interval", "30", self.name),
            ],
            self.directory / "worker.log",
            RQ_REDIS_URL=self.redis.url,
            RQ_QUEUE=self.name,
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
