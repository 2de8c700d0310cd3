"""Django's tasks on PostgreSQL, with real workers."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from secrets import token_hex
from threading import Event, Thread
from typing import Any, ClassVar

import pytest

from dubhooks.testing import QueueWorker
from tests.queues.apps.django_app import database_at
from tests.queues.support.engine_workers import running_worker
from tests.queues.support.server_contract import ServerContract
from tests.queues.support.workload import KILLS
from tests.support.adapters.django_setup import HAS_TASKS, add_database
from tests.support.servers import PostgreSQLServer

if not HAS_TASKS:
    pytest.skip("django-tasks-db needs Django 5.2", allow_module_level=True)

from django.core.management import call_command
from django.db import Error, close_old_connections, connections
from django.test import override_settings

from dubhooks.django import DjangoQueue

pytestmark = pytest.mark.slow


class TasksRouter:
    """Keeps tasks on PostgreSQL."""

    def db_for_write(self, model: Any, **_: Any) -> str | None:
        """Return the database of tasks."""
        return "tasks" if model._meta.app_label == "django_tasks_database" else None


@pytest.fixture(scope="module", autouse=True)
def postgresql() -> Iterator[None]:
    """One PostgreSQL for the tests of this module."""
    with (
        PostgreSQLServer() as server,
        override_settings(DATABASE_ROUTERS=[f"{__name__}.TasksRouter"]),
    ):
        TestDjango.postgresql = server
        add_database("tasks", database_at(server.host, server.port))
        call_command("migrate", "django_tasks_database", database="tasks", verbosity=0)
        yield
        connections.close_all()


class TestDjango(ServerContract):
    """DjangoQueue on PostgreSQL."""

    kills = KILLS
    postgresql: ClassVar[PostgreSQLServer]

    def make_queue(self) -> DjangoQueue:
        """Return a queue whose messages no other test has."""
        self.name = f"dubhooks-{token_hex(4)}"
        return DjangoQueue(queue_name=self.name)

    @contextmanager
    def worker(self) -> Generator[QueueWorker]:
        """Start ``manage.py db_worker``, and ``manage.py dubhooks_requeue`` every few seconds."""
        command = [sys.executable, "-m", "tests.queues.apps.django_app", "db_worker"]
        worker = running_worker(
            [*command, "--queue-name", self.name, "--interval", "0.2", "--no-startup-delay"],
            self.directory / "worker.log",
            DJANGO_PORT=str(self.postgresql.port),
            DJANGO_QUEUE=self.name,
        )
        with worker as running, _requeueing():
            yield running

    @property
    def server(self) -> PostgreSQLServer:
        """Return the database."""
        return self.postgresql

    def read_storage(self) -> str:
        """Return the database's files and the workers' logs."""
        files = [path for path in self.postgresql.directory.rglob("*") if path.is_file()]
        files.append(self.directory / "worker.log")
        return "".join(path.read_bytes().decode("latin-1") for path in files)


@contextmanager
def _requeueing() -> Generator[None]:
    is_over = Event()

    def requeue() -> None:
        while not is_over.wait(3):
            close_old_connections()
            with suppress(Error):  # the server is away
                call_command("dubhooks_requeue", stdout=StringIO())
        connections.close_all()

    thread = Thread(target=requeue)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
