"""Handlers in a worker process of DBOS, on one SQLite file: one machine, and no server at all.

python -m dubhooks.queues.dbos shop.hooks:later
"""

from __future__ import annotations

import signal
import sqlite3
import sys
from functools import cached_property
from importlib import import_module
from threading import Event, Thread
from time import time
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from ..errors import ConfigurationError
from ._bounded import call_bounded
from ._queue import Queue

if TYPE_CHECKING:
    from dbos import DBOSClient, EnqueueOptions
    from typing_extensions import Unpack

    from ._queue import QueueOptions

__all__ = ["DBOSQueue"]

_CONSTANT: Final = "dubhooks"
"""Of every version and every worker: DBOS recovers only what has its own, and its own version is
a hash of the code, so that a deployment would strand what waits."""
_SHUTDOWN_SECONDS: Final = 30
_COLLECT_EVERY: Final = 24 * 3600.0
_COLLECTED: Final = 1000


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
        if not url.startswith("sqlite:///") or url.rstrip("/") == "sqlite:" or ":memory:" in url:
            raise ConfigurationError(
                "DBOSQueue is for one machine and one file: DBOSQueue('sqlite:///dub-queue.db')"
            )
        self._url = url
        self._name = name
        self._concurrency = concurrency

    @override
    def check(self) -> None:
        """Make the tables, unless they are there.

        Raises:
            ConfigurationError: this Python has an SQLite that DBOS cannot use.
        """
        from dbos import DBOS

        if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < (3, 42):
            raise ConfigurationError(
                f"on this Python DBOS needs SQLite 3.42 or newer, and this is "
                f"{sqlite3.sqlite_version}: use Python 3.11, a newer SQLite, or another engine"
            )

        DBOS.migrate(self._url)

    @cached_property
    def _client(self) -> DBOSClient:
        from dbos import DBOSClient

        return DBOSClient(system_database_url=self._url, application_name=_CONSTANT)

    @override
    def put(self, message: str, after: float = 0.0) -> None:
        """Write a message to the file."""
        options: EnqueueOptions = {
            "queue_name": self._name,
            "workflow_name": self._name,
            "app_version": _CONSTANT,
            "delay_seconds": after,
        }
        # DBOS tries for ever while another program locks the file.
        call_bounded(lambda: self._enqueue(options, message))

    def _enqueue(self, options: EnqueueOptions, message: str) -> None:
        self._client.enqueue(options, message)

    def run_worker(self, stopped: Event) -> None:
        """Work messages off until ``stopped``; then wait for what runs, 30 seconds at most."""
        from dbos import DBOS

        DBOS(
            config={
                "name": _CONSTANT,
                "system_database_url": self._url,
                "application_version": _CONSTANT,
                "executor_id": _CONSTANT,
                "enable_otlp": False,
            }
        )

        @DBOS.workflow(name=self._name, max_recovery_attempts=None)
        def work(message: str) -> None:
            self.work(message)

        DBOS.listen_queues([self._name])
        DBOS.launch()
        DBOS.register_queue(
            self._name,
            worker_concurrency=self._concurrency,
            polling_interval_sec=0.2,
            on_conflict="always_update",
        )
        Thread(target=self._collect, args=(stopped,), daemon=True).start()
        stopped.wait()
        DBOS.destroy(workflow_completion_timeout_sec=_SHUTDOWN_SECONDS)

    def _collect(self, stopped: Event) -> None:
        """Delete the rows of finished messages, daily."""
        while not stopped.wait(_COLLECT_EVERY):
            self.collect()

    def collect(self, older_than: float = _COLLECT_EVERY) -> int:
        """Delete the rows of messages that were finished, and return how many.

        Args:
            older_than: seconds since they were put.
        """
        count = 0
        before = _as_iso(time() - older_than)
        while True:
            finished = self._client.list_workflows(
                status=["SUCCESS", "ERROR"],
                queue_name=self._name,
                end_time=before,
                limit=_COLLECTED,
                load_input=False,
                load_output=False,
            )
            if not finished:
                return count
            self._client.delete_workflows([each.workflow_id for each in finished])
            count += len(finished)


def _as_iso(moment: float) -> str:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(moment, timezone.utc).isoformat()


def main(arguments: list[str]) -> None:
    """Run the worker of the queue that is named as ``package.module:name``."""
    module, _, name = "".join(arguments).partition(":")
    if not (len(arguments) == 1 and name):
        sys.exit("usage: python -m dubhooks.queues.dbos package.module:queue")
    sys.path.insert(0, "")
    queue: Any = getattr(import_module(module), name, None)
    if not isinstance(queue, DBOSQueue):
        sys.exit(f"{arguments[0]} is no DBOSQueue")
    stopped = Event()

    def stop(*_: object) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    queue.run_worker(stopped)


if __name__ == "__main__":
    # The queue is an instance of the imported module's class, not of this one's.
    import_module("dubhooks.queues.dbos").main(sys.argv[1:])
