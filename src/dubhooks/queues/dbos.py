"""Handlers in a worker process of DBOS, on one SQLite file: one machine, and no server at all.

python -m dubhooks.queues.dbos shop.hooks:later
"""

from __future__ import annotations

import signal
import sqlite3
import sys
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pkgutil import resolve_name
from threading import Event
from typing import Any

from dbos import DBOS, DBOSClient, DBOSConfig
from typing_extensions import Unpack, override

from ..errors import ConfigurationError
from ._bounded import call_bounded
from ._queue import Queue, QueueOptions

__all__ = ["DBOSQueue"]

_CONSTANT = "dubhooks"
"""Of every version and every worker: DBOS recovers only what has its own, and its own version is
a hash of the code, so that a deployment would strand what waits."""
_DAY = timedelta(days=1)


class DBOSQueue(Queue):
    """Runs handlers in one worker process of this machine.

    Web and worker make the same queue::

        later = DBOSQueue("sqlite:///dub-queue.db")
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "dubhooks",
        concurrency: int = 4,
        **common: Unpack[QueueOptions],
    ) -> None:
        """Choose the file; the worker makes it.

        Args:
            url: ``sqlite:///`` and the path of a file of its own.
            name: of the queue and its workflow.
            concurrency: how many events the worker runs at a time.
            common: ``retry_for`` and ``may_lose_events``.

        Raises:
            ConfigurationError: it is no file of SQLite.
        """
        super().__init__(**common)
        if not url.startswith("sqlite:///") or url == "sqlite:///" or ":memory:" in url:
            raise ConfigurationError("DBOSQueue takes a file: DBOSQueue('sqlite:///dub-queue.db')")
        self._url = url
        self._name = name
        self._concurrency = concurrency

    @override
    def check(self) -> None:
        """Make the tables, unless they are there.

        Raises:
            ConfigurationError: this Python has an SQLite that DBOS cannot use.
        """
        if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < (3, 42):
            raise ConfigurationError("on this Python DBOS needs SQLite 3.42 or newer")
        DBOS.migrate(self._url)

    @cached_property
    def _client(self) -> Any:
        return DBOSClient(system_database_url=self._url, application_name=_CONSTANT)

    @override
    def put(self, message: str, after: float = 0.0) -> None:
        """Write a message to the file."""
        options: dict[str, Any] = {"queue_name": self._name, "workflow_name": self._name}
        options |= {"app_version": _CONSTANT, "delay_seconds": after}
        # DBOS tries forever while another program locks the file.
        call_bounded(lambda: self._client.enqueue(options, message))

    def run_worker(self) -> None:
        """Work messages off until SIGTERM; then wait for what runs, 30 seconds at most."""
        stopped = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: stopped.set())
        same: DBOSConfig = {"application_version": _CONSTANT, "executor_id": _CONSTANT}
        DBOS(config={"name": _CONSTANT, "system_database_url": self._url, **same})

        @DBOS.workflow(name=self._name, max_recovery_attempts=None)
        def work(message: str) -> None:
            self.work(message)

        DBOS.listen_queues([self._name])
        DBOS.launch()
        name, most = self._name, self._concurrency
        DBOS.register_queue(
            name, worker_concurrency=most, polling_interval_sec=0.2, on_conflict="always_update"
        )
        while not stopped.wait(_DAY.total_seconds()):
            with suppress(Exception):  # the file may be locked: then tomorrow
                self.collect(_DAY)
        DBOS.destroy(workflow_completion_timeout_sec=30)

    def collect(self, age: timedelta) -> None:
        """Delete the rows of finished messages that were put longer ago than ``age``."""
        before = (datetime.now(timezone.utc) - age).isoformat()
        while done := self._client.list_workflows(
            status=["SUCCESS", "ERROR"], queue_name=self._name, end_time=before, limit=100
        ):
            self._client.delete_workflows([each.workflow_id for each in done])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m dubhooks.queues.dbos package.module:queue")
    resolve_name(sys.argv[1]).run_worker()
