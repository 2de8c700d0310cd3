"""Procrastinate on PostgreSQL, with real workers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from secrets import token_hex
from typing import ClassVar

import pytest

from dubhooks.queues.procrastinate import ProcrastinateQueue
from dubhooks.testing import QueueWorker
from tests.queues.apps.procrastinate_app import make_app
from tests.queues.support.engine_workers import running_worker
from tests.queues.support.server_contract import ServerContract
from tests.queues.support.workload import KILLS
from tests.support.servers import PostgreSQLServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def postgresql() -> Iterator[None]:
    """One PostgreSQL for the tests of this module, with the tables of Procrastinate."""
    with PostgreSQLServer() as server:
        TestProcrastinate.postgresql = server
        with make_app(TestProcrastinate.url()).open() as app:
            app.schema_manager.apply_schema()
        yield


class TestProcrastinate(ServerContract):
    """ProcrastinateQueue on PostgreSQL."""

    kills = KILLS
    postgresql: ClassVar[PostgreSQLServer]

    @classmethod
    def url(cls) -> str:
        """Where the database is, for psycopg."""
        return cls.postgresql.url().replace("+psycopg", "")

    def make_queue(self) -> ProcrastinateQueue:
        """Return a queue whose messages no other test has."""
        self.name = f"dubhooks-{token_hex(4)}"
        self.app = make_app(self.url()).open()
        return ProcrastinateQueue(self.app, name=self.name)

    def teardown_method(self) -> None:
        """Close the application."""
        super().teardown_method()
        self.app.close()

    def worker(self) -> AbstractContextManager[QueueWorker]:
        """Start ``procrastinate worker`` with two jobs at a time."""
        return running_worker(
            [
                *(sys.executable, "-m", "procrastinate"),
                *("--app", "tests.queues.apps.procrastinate_app.app", "worker"),
                *("--queues", self.name, "--concurrency", "2"),
            ],
            self.directory / "worker.log",
            PROCRASTINATE_URL=self.url(),
            PROCRASTINATE_QUEUE=self.name,
        )

    @property
    def server(self) -> PostgreSQLServer:
        """Return the database."""
        return self.postgresql

    def read_storage(self) -> str:
        """Return the database's files and the workers' logs."""
        files = [path for path in self.postgresql.directory.rglob("*") if path.is_file()]
        files.append(self.directory / "worker.log")
        return "".join(path.read_bytes().decode("latin-1") for path in files)
