"""Handlers in the workers of Procrastinate (3.4 or newer), on PostgreSQL."""

from __future__ import annotations

import os
from functools import partial
from threading import local
from time import time
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from procrastinate import BaseRetryStrategy, RetryDecision, SyncPsycopgConnector
from procrastinate.connector import BaseAsyncConnector
from procrastinate.exceptions import AppNotOpen, TaskAlreadyRegistered
from procrastinate.testing import InMemoryConnector
from typing_extensions import override

from ..errors import ConfigurationError, GivenUp
from ._bounded import call_bounded
from ._message import read_message
from ._queue import Queue

if TYPE_CHECKING:
    from collections.abc import Callable

    from procrastinate import App
    from procrastinate.jobs import Job
    from procrastinate.types import TimeDeltaParams
    from typing_extensions import Unpack

    from ._queue import QueueOptions

__all__ = ["ProcrastinateQueue"]

_NOT_OPEN: Final = (
    "the Procrastinate application is not open in this process: call app.open() before the first "
    "delivery, for example in the lifespan of FastAPI, or when a worker of gunicorn starts"
)
_OPENED_BEFORE_A_FORK: Final = (
    "the Procrastinate application was opened before this process was forked, and its parent uses "
    "the same connections: call app.open() in each process, for example in gunicorn's post_fork"
)
_OPEN_ON_A_LOOP: Final = (
    "the Procrastinate application was opened on an event loop, which a put would block: call "
    "app.open() and not open_async(), on an application of its own if you need both"
)

_queues: WeakSet[ProcrastinateQueue] = WeakSet()
# Never used in this process: two processes on one connection read each other's answers.
_inherited: list[object] = []


def _note_inherited() -> None:
    _inherited.extend(filter(None, (queue.find_pool() for queue in _queues)))


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_note_inherited)


class _UntilGivenUp(BaseRetryStrategy):
    """Gives back a job that was interrupted: its row changes once, so that nothing is lost."""

    @override
    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        return None if isinstance(exception, GivenUp) else RetryDecision(retry_in={"seconds": 1})


class ProcrastinateQueue(Queue):
    """Runs handlers as one task of a Procrastinate application, in a queue of its own.

    Make it beside the application, so that every worker knows the task::

        queue_app = App(connector=PsycopgConnector(conninfo=...), import_paths=["shop.hooks"])
        later = ProcrastinateQueue(queue_app)
    """

    def __init__(self, app: App, *, name: str = "dubhooks", **common: Unpack[QueueOptions]) -> None:
        """Register the task, and one that takes back what killed workers had.

        Args:
            app: the application; its database is asked with the first event.
            name: of the task and of its queue.
            common: ``retry_for`` and ``may_lose_events``.

        Raises:
            ConfigurationError: the application has a task of this name.
        """
        super().__init__(**common)

        def work(message: str) -> None:
            self._here.is_worker = True
            try:
                self.work(message)
            finally:
                self._here.is_worker = False

        async def take_back(timestamp: int) -> None:  # noqa: ARG001 - what periodic tasks get
            await self._take_back()

        self._app = app
        self.name = name
        """Of the task and of its queue."""
        self._here = local()
        try:
            self._task = app.task(name=name, queue=name, retry=_UntilGivenUp())(work)
        except TaskAlreadyRegistered:
            raise ConfigurationError(
                f"the application has a task {name!r}: make ProcrastinateQueue once, or give the "
                "second one another name="
            ) from None
        again = app.task(name=f"{name}.take_back", queue=name, queueing_lock=f"{name}.take_back")
        app.periodic(cron="* * * * *")(again(take_back))
        _queues.add(self)

    @override
    def put(self, message: str, after: float = 0.0) -> None:
        """Write a job; PostgreSQL has committed it.

        Raises:
            ConfigurationError: the application is not open, or on an event loop.
        """
        # By this machine's clock, so that only what has to wait depends on it.
        delay: TimeDeltaParams | None = {"milliseconds": round(after * 1000)} if after else None
        self._ask(partial(self._task.configure(schedule_in=delay).defer, message=message))

    @override
    def check(self) -> None:
        """Refuse an application that keeps nothing.

        Raises:
            ConfigurationError: its jobs are in memory, there is no table for them, or it is not
                open.
        """
        if isinstance(self._app.connector, InMemoryConnector):
            raise ConfigurationError(
                "InMemoryConnector forgets events with its process: use PsycopgConnector"
            )
        if not self._ask(self._app.check_connection):
            raise ConfigurationError(
                "the database has no tables of Procrastinate: run procrastinate --app=... schema "
                "--apply"
            )

    def find_pool(self) -> object | None:
        """Return the open connections of this process, or ``None``."""
        connector = self._app.connector.get_sync_connector()
        try:
            return connector.pool if isinstance(connector, SyncPsycopgConnector) else None
        except AppNotOpen:
            return None

    def _ask(self, call: Callable[[], object]) -> object:
        """Return what ``call`` returns, which talks to PostgreSQL."""
        connector = self._app.connector
        try:
            if getattr(self._here, "is_worker", False):
                return call()  # on the worker's event loop, which only this thread reaches
            if isinstance(connector, BaseAsyncConnector) and (
                connector.get_sync_connector() is connector
            ):
                raise ConfigurationError(_OPEN_ON_A_LOOP)
            if _inherited and self.find_pool() in _inherited:
                raise ConfigurationError(_OPENED_BEFORE_A_FORK)
            return call_bounded(call)
        except AppNotOpen:
            raise ConfigurationError(_NOT_OPEN) from None

    async def _take_back(self) -> None:
        """Give back the jobs of workers that are gone, and of those that lack the task."""
        manager = self._app.job_manager
        stalled = await manager.get_stalled_jobs(queue=self.name, task_name=self.name)
        failed = await manager.list_jobs_async(queue=self.name, task=self.name, status="failed")
        for job in (*stalled, *filter(self._is_lost, failed)):
            await manager.retry_job(job)

    def _is_lost(self, job: Job) -> bool:
        """Tell whether a failed job was never worked: before ``retry_for`` we give up nothing."""
        letter = read_message(job.task_kwargs.get("message"))
        return letter is None or time() < letter.received_at + self.retry_for
