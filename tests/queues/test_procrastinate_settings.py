"""What ProcrastinateQueue refuses before the first 202, and the traps that it avoids."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from time import time
from typing import Any

import pytest
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import TaskAlreadyRegistered
from procrastinate.jobs import Job
from procrastinate.testing import InMemoryConnector

from dubhooks import ConfigurationError, DeadLetterDirectory, SQLiteStore, Webhooks
from dubhooks.queues.procrastinate import ProcrastinateQueue
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.queues.apps.procrastinate_app import make_app
from tests.support.processes import FORKING, python, until
from tests.support.receiving import errors
from tests.support.servers import PostgreSQLServer

SECRET = "whsec_0123456789abcdef"
Log = pytest.LogCaptureFixture


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A database with the tables of Procrastinate."""
    with PostgreSQLServer() as server:
        place = server.url().replace("+psycopg", "")
        with make_app(place).open() as app:
            app.schema_manager.apply_schema()
        yield place


class Shop:
    """A receiver whose sales wait in a queue of an application."""

    def __init__(self, app: App, path: Path, *failures: BaseException, **options: Any) -> None:
        self.seen: list[SaleCreated] = []
        self.letters = path / "letters"
        self.app = app
        self.queue = ProcrastinateQueue(app, **options)
        self.hooks = Webhooks(
            SECRET,
            store=SQLiteStore(path / "claims.db"),
            dead_letters=DeadLetterDirectory(self.letters),
        )
        self.hooks.on(SaleCreated, queue=self.queue)(self._handle)
        self._failures = list(failures)

    def _handle(self, event: SaleCreated) -> None:
        self.seen.append(event)
        if self._failures:
            raise self._failures.pop()

    def deliver(self) -> int:
        """Deliver an event and return the status."""
        return self.hooks.handle(*signed_request(make_event(SaleCreated), SECRET)).status

    def work(self) -> None:
        """Run workers in this process until one has taken back what others left, and worked it."""
        took_back = f"{self.queue.name}.take_back"
        self.work_until(lambda: self.list_jobs(took_back, status="succeeded"))
        run_worker(self.app, self.queue.name)

    def work_until(self, condition: Callable[[], Any]) -> None:
        """Run workers, one after the other, until ``condition``."""

        def work() -> Any:
            run_worker(self.app, self.queue.name)
            return condition()

        until(work, "workers have worked")

    def list_jobs(self, task: str | None = None, **filters: Any) -> list[Job]:
        """Return the jobs of a task, by default of the queue's."""
        with self.app.open():
            return list(self.app.job_manager.list_jobs(task=task or self.queue.name, **filters))


def run_worker(app: App, queue: str) -> None:
    """Run a worker in this process until no job is left."""
    app.run_worker(queues=[queue], wait=False, install_signal_handlers=False)


def refuse(app: App, **options: Any) -> str:
    """Return the sentence with which a queue of ``app`` is refused."""
    with pytest.raises(ConfigurationError) as refused:
        ProcrastinateQueue(app, **options).check()
    return str(refused.value)


@pytest.mark.parametrize("may_lose_events", [False, True])
def test_memory_is_refused(may_lose_events: bool) -> None:
    """A connector in memory forgets with its process."""
    app = App(connector=InMemoryConnector())
    assert "give it a PsycopgConnector" in refuse(app, may_lose_events=may_lose_events)


@pytest.mark.parametrize("connector", [PsycopgConnector, SyncPsycopgConnector])
def test_application_is_open(connector: Any, url: str, tmp_path: Path, caplog: Log) -> None:
    """Else a delivery is answered 503, and the log says what to call."""
    shop = Shop(App(connector=connector(conninfo=url)), tmp_path, name=connector.__name__)
    assert "app.open()" in refuse(shop.app, name="another")
    assert shop.deliver() == 503
    assert "app.open()" in errors(caplog)[-1]
    with shop.app.open():
        assert shop.deliver() == 202


def test_application_on_an_event_loop(url: str, tmp_path: Path) -> None:
    """Its connections belong to the loop, where nothing may block, so it is refused."""
    shop = Shop(make_app(url), tmp_path, name="loop")

    async def receive() -> None:
        async with shop.app.open_async():
            with pytest.raises(ConfigurationError, match="not open_async"):
                shop.hooks.warm_up()

    asyncio.run(receive())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_application_opened_before_a_fork(url: str) -> None:
    """Two processes on one connection would read each other's answers, so it is refused."""
    script = """
import os, sys
from dubhooks import ConfigurationError
from dubhooks.queues.procrastinate import ProcrastinateQueue
from tests.queues.apps.procrastinate_app import make_app
queue = ProcrastinateQueue(make_app(sys.argv[1]).open(), name="forked")
late = ProcrastinateQueue(make_app(sys.argv[1]), name="late")
queue.put("{}")
child = os.fork()
if not child:
    late._app.open()
    late.put("{}")
    try:
        queue.put("{}")
    except ConfigurationError as error:
        os._exit(7 if "after it was forked" in str(error) else 1)
    os._exit(2)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
queue.put("{}")
os._exit(status)
"""
    command = python(FORKING, "-c", script, url)
    assert subprocess.run(command, timeout=60, check=False).returncode == 7


def test_tables_are_there(url: str) -> None:
    """An empty database is refused, with the command that mends it."""
    with make_app(url.replace("/test", "/postgres")).open() as app:
        assert "schema --apply" in refuse(app)


def test_two_queues_have_two_names() -> None:
    """A job names its task, so that two of one name cannot be told apart."""
    app = make_app("")
    ProcrastinateQueue(app)
    ProcrastinateQueue(app, name="other")
    with pytest.raises(TaskAlreadyRegistered):
        ProcrastinateQueue(app)


# -- traps ------------------------------------------------------------------------------------


def test_killed_workers_jobs_are_taken_back(url: str, tmp_path: Path) -> None:
    """``doing`` for ever: the job of a worker that is gone is worked within a minute or two."""
    shop = Shop(make_app(url), tmp_path, name="killed")
    with shop.app.open():
        assert shop.deliver() == 202

    async def die() -> None:
        async with shop.app.open_async():
            manager = shop.app.job_manager
            worker = await manager.register_worker()
            assert await manager.fetch_job(queues=["killed"], worker_id=worker) is not None
            await manager.unregister_worker(worker)

    asyncio.run(die())
    assert [job.status for job in shop.list_jobs()] == ["doing"]
    shop.work()
    assert (len(shop.seen), [job.status for job in shop.list_jobs()]) == (1, ["succeeded"])


def test_worker_without_the_task(url: str, tmp_path: Path) -> None:
    """It fails the job, which Procrastinate never tries again: a worker with the task does."""
    shop = Shop(make_app(url), tmp_path, name="unknown")
    with shop.app.open():
        assert shop.deliver() == 202
    run_worker(make_app(url), "unknown")
    assert [job.status for job in shop.list_jobs()] == ["failed"]
    shop.work()
    assert (len(shop.seen), [job.status for job in shop.list_jobs()]) == (1, ["succeeded"])


def test_given_up_jobs_stay_failed(url: str, tmp_path: Path) -> None:
    """What is a dead letter is shown as failed, and is not tried again."""
    failures = (ValueError("odd"), ValueError("odd"))
    shop = Shop(make_app(url), tmp_path, *failures, name="failing", retry_for=0.001)
    with shop.app.open():
        assert shop.deliver() == 202
    run_worker(shop.app, "failing")
    shop.work()
    assert (len(shop.seen), [job.status for job in shop.list_jobs()]) == (1, ["failed"])
    assert len(list(shop.letters.glob("*.body"))) == 1


def test_interrupted_job_goes_back(url: str, tmp_path: Path) -> None:
    """What stops a worker in a handler gives its job to another."""
    shop = Shop(make_app(url), tmp_path, SystemExit(), KeyboardInterrupt(), name="stopped")
    with shop.app.open():
        assert shop.deliver() == 202
    shop.work_until(lambda: len(shop.seen) == 3)
    [job] = shop.list_jobs()
    assert (job.attempts, job.status) == (3, "succeeded")


def test_what_need_not_wait_has_no_time(url: str, tmp_path: Path) -> None:
    """A web server whose clock is ahead of PostgreSQL's delays nothing."""
    shop = Shop(make_app(url), tmp_path, name="clock")
    with shop.app.open():
        shop.queue.put("{}")
        shop.queue.put("{}", 60.0)
    now, later = (job.scheduled_at for job in shop.list_jobs())
    assert now is None
    assert later is not None
    assert 50 < later.timestamp() - time() < 61
