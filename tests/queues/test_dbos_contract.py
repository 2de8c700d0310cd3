"""DBOS on one SQLite file, with real workers."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import AbstractContextManager, closing
from datetime import timedelta

import pytest

from dubhooks.queues.dbos import DBOSQueue
from dubhooks.testing import QueueWorker, make_event
from dubhooks.webhooks import SaleCreated
from tests.queues.support.engine_workers import running_worker
from tests.queues.support.server_contract import ServerContract
from tests.queues.support.workload import KILLS
from tests.support.processes import until

pytestmark = pytest.mark.slow


class LockedFile:
    """The file as a server: it is locked when the server is frozen or gone."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def freeze(self) -> None:
        """Lock the file."""
        self._connection = sqlite3.connect(self._path, isolation_level=None, timeout=30)
        self._connection.execute("BEGIN EXCLUSIVE")

    def thaw(self) -> None:
        """Unlock the file."""
        assert self._connection is not None
        self._connection.close()

    kill = freeze
    start = thaw


class TestDBOS(ServerContract):
    """DBOSQueue on a file in the test's directory."""

    kills = KILLS

    def make_queue(self) -> DBOSQueue:
        """Return a queue of the test's file, which a worker has made."""
        self.path = str(self.directory / "queue.db")
        self.url = f"sqlite:///{self.path}"
        return DBOSQueue(self.url)

    def worker(self) -> AbstractContextManager[QueueWorker]:
        """Start the worker's command."""
        return running_worker(
            [sys.executable, "-m", "dubhooks.queues.dbos", "tests.queues.apps.dbos_app:later"],
            self.directory / "worker.log",
            DBOS_URL=self.url,
        )

    @property
    def server(self) -> LockedFile:
        """Return the file."""
        if not hasattr(self, "_file"):
            self._file = LockedFile(self.path)
        return self._file

    def read_storage(self) -> str:
        """Return the file and the workers' logs."""
        return "".join(
            path.read_bytes().decode("latin-1")
            for path in self.directory.iterdir()
            if path.name.startswith(("queue.db", "worker.log"))
        )

    def test_finished_rows_are_collected(self) -> None:
        """Rows do not name a version or a worker that changes; finished ones are deleted."""
        done, waiting = make_event(SaleCreated), make_event(SaleCreated, {"+plan": "fail"})
        with self.worker():
            for event in (done, waiting):
                assert self.shop.deliver(event).status == 202
            until(lambda: self.shop.list_effects(done), "one has run")
            until(lambda: self.list_rows() == ["DELAYED", "SUCCESS", "SUCCESS"], "one waits")
            assert isinstance(self.queue, DBOSQueue)
            self.queue.collect(timedelta(days=1))
            assert len(self.list_rows()) == 3
            self.queue.collect(timedelta(0))
        assert self.list_rows() == ["DELAYED"]

    def list_rows(self) -> list[str]:
        """Return the status of each row, all of one version and one executor."""
        query = "SELECT status, application_version, executor_id FROM workflow_status"
        with closing(sqlite3.connect(self.path, timeout=30)) as connection:
            rows = connection.execute(query).fetchall()
        assert {it for row in rows for it in row[1:]} <= {"dubhooks", None}
        return sorted(row[0] for row in rows)
