"""Handlers in the workers of Procrastinate (3.4 or newer), on PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from threading import local

from procrastinate import App, BaseRetryStrategy, RetryDecision, SyncPsycopgConnector
from procrastinate.exceptions import AppNotOpen
from procrastinate.jobs import Job
from procrastinate.types import TimeDeltaParams
from typing_extensions import Unpack, override

from ..errors import ConfigurationError, GivenUp
from ._bounded import call_bounded
from ._message import read_message
from ._queue import Queue, QueueOptions
from ._work import is_overdue

__all__ = ["ProcrastinateQueue"]


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
            TaskAlreadyRegistered: Procrastinate's, when the application has a task of this name.
        """
        super().__init__(**common)
        self._app = app
        self._here = local()
        self._inherited: object = None
        self.name = name
        """Of the task and of its queue."""
        self._task = app.task(name=name, queue=name, retry=_UntilGivenUp())(self._run)
        again = app.task(name=f"{name}.take_back", queue=name, queueing_lock=f"{name}.take_back")
        app.periodic(cron="* * * * *")(again(self._take_back))
        if hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(after_in_child=self._note_inherited)

    @override
    def put(self, message: str, after: float = 0.0) -> None:
        """Write a job; PostgreSQL has committed it.

        Raises:
            ConfigurationError: the application is not open in this process.
        """
        # By this machine's clock, so that only what has to wait depends on it.
        delay: TimeDeltaParams | None = {"milliseconds": round(after * 1000)} if after else None
        self._ask(partial(self._task.configure(schedule_in=delay).defer, message=message))

    @override
    def check(self) -> None:
        """Refuse an application that keeps nothing.

        Raises:
            ConfigurationError: there is no table for its jobs, or it is not open on PostgreSQL.
        """
        if not self._ask(self._app.check_connection):
            raise ConfigurationError("make its tables: procrastinate --app=... schema --apply")

    def _ask(self, call: Callable[[], object]) -> object:
        """Return what ``call`` returns, which talks to PostgreSQL."""
        if getattr(self._here, "is_worker", False):
            return call()  # on the worker's event loop, which only this thread reaches
        pool = self._find_pool()
        if pool is None or pool is self._inherited:
            raise ConfigurationError(
                "the Procrastinate application is not open: give it a PsycopgConnector, and call "
                "app.open(), not open_async(), in each process after it was forked"
            )
        return call_bounded(call)

    def _find_pool(self) -> object | None:
        """Return the connections that ``app.open()`` made."""
        connector = self._app.connector.get_sync_connector()
        try:
            return connector.pool if isinstance(connector, SyncPsycopgConnector) else None
        except AppNotOpen:
            return None

    def _note_inherited(self) -> None:
        """Note what a forked child must not use: both would read each other's answers."""
        self._inherited = self._find_pool()

    def _run(self, message: str) -> None:
        self._here.is_worker = True
        self.work(message)

    async def _take_back(self, timestamp: int) -> None:  # noqa: ARG002 - what periodic tasks get
        """Give back the jobs of workers that are gone, and of those that lack the task."""
        manager = self._app.job_manager
        jobs = list(await manager.get_stalled_jobs(queue=self.name, task_name=self.name))
        for job in await manager.list_jobs_async(queue=self.name, task=self.name, status="failed"):
            letter = read_message(str(job.task_kwargs.get("message")))
            # Before ``retry_for`` we give up nothing, so this one was never worked.
            if letter is None or not is_overdue(self, letter):
                jobs.append(job)
        for job in jobs:
            await manager.retry_job(job)
