"""Celery on RabbitMQ, with real workers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from secrets import token_hex
from typing import ClassVar

import pytest

from dubhooks.queues.celery import CeleryQueue
from dubhooks.testing import QueueWorker
from tests.queues.apps.celery_app import make_app
from tests.queues.support.engine_workers import running_worker
from tests.queues.support.rabbitmq import RabbitMQServer
from tests.queues.support.server_contract import ServerContract
from tests.queues.support.workload import KILLS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def rabbitmq() -> Iterator[None]:
    """One RabbitMQ for the tests of this module."""
    with RabbitMQServer() as server:
        TestCelery.rabbitmq = server
        yield


class TestCelery(ServerContract):
    """CeleryQueue on RabbitMQ."""

    kills = KILLS
    rabbitmq: ClassVar[RabbitMQServer]

    def make_queue(self) -> CeleryQueue:
        """Return a queue whose messages no other test has."""
        self.name = f"dubhooks-{token_hex(4)}"
        return CeleryQueue(make_app(self.rabbitmq.url), queue=self.name)

    def worker(self) -> AbstractContextManager[QueueWorker]:
        """Start ``celery worker`` with two processes."""
        return running_worker(
            [
                *(sys.executable, "-m", "celery", "-A", "tests.queues.apps.celery_app", "worker"),
                *("--concurrency", "2", "--queues", self.name, "--loglevel", "INFO"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ],
            self.directory / "worker.log",
            AMQP_URL=self.rabbitmq.url,
            AMQP_QUEUE=self.name,
        )

    @property
    def server(self) -> RabbitMQServer:
        """Return the broker."""
        return self.rabbitmq

    def read_storage(self) -> str:
        """Return the broker's files and the workers' logs."""
        files = [path for path in self.rabbitmq.directory.rglob("*") if path.is_file()]
        files.append(self.directory / "worker.log")
        return "".join(path.read_bytes().decode("latin-1") for path in files)
