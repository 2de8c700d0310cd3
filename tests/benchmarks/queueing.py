"""What a 202 costs: a delivery that goes into a queue, beside a handler that does nothing."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex
from typing import Any

import dubhooks
from dubhooks.queues import Queue
from dubhooks.queues.celery import CeleryQueue
from dubhooks.queues.dbos import DBOSQueue
from dubhooks.queues.dramatiq import DramatiqQueue
from dubhooks.queues.procrastinate import ProcrastinateQueue
from dubhooks.testing import HeldQueue
from dubhooks.webhooks import SaleCreated
from tests.benchmarks import bodies
from tests.benchmarks.bodies import SECRET
from tests.benchmarks.measuring import percentile
from tests.benchmarks.report import Bar, Part, Plot, Table, Target, duration
from tests.queues.apps import celery_app, dramatiq_app, procrastinate_app, rq_app
from tests.queues.support.rabbitmq import RabbitMQServer
from tests.support.servers import PostgreSQLServer, RedisServer

NAMES = ("celery", "rq", "dramatiq", "procrastinate", "dbos", "django-tasks-db")
MOST_MILLISECONDS = 3.0
TEXT = (
    "`hooks.handle` with a sale of 2.4 kB whose handler has a queue, in turn with a receiver that "
    "runs a handler that does nothing at once and has no store: the difference is what a 202 "
    "costs, a confirmed and durable write into the engine. PostgreSQL flushes to the disk, Redis "
    "once a second, RabbitMQ and SQLite as they come. No worker runs meanwhile."
)
COLUMNS = ["", "`put`, median", "`put`, p99", "inline", "queued", "median difference"]


def main(turns: int) -> Part:
    """Measure every engine."""
    part = Part("Respond fast, work later", TEXT)
    part.versions = {name: version(name) for name in NAMES}
    rows: list[list[str]] = []
    bars: list[Bar] = []
    for name, make in ENGINES.items():
        with make() as queue:
            put, inline, queued = _measure(queue, turns)
        difference = statistics.median(
            later - now for later, now in zip(queued, inline, strict=True)
        )
        told = (
            statistics.median(put),
            percentile(put, 0.99),
            statistics.median(inline),
            statistics.median(queued),
            difference,
        )
        rows.append([name, *map(duration, told)])
        bars.append(Bar(name, difference / 1000, ours=True))
        what = f"202 with {name}: beyond an inline handler"
        part.targets.append(Target(what, difference / 1000, MOST_MILLISECONDS, unit="ms"))
    note = f"A flush of 4 kB to this disk took {duration(_measure_flush(turns))}, as a median."
    part.tables.append(Table("A 202 by engine", COLUMNS, rows, note))
    title = "What a 202 costs beyond an inline handler (ms)"
    part.plots.append(Plot("queued", title, "ms", bars))
    return part


def _measure(queue: Queue, turns: int) -> tuple[list[float], list[float], list[float]]:
    """Return the microseconds of each put, each inline and each queued delivery."""
    body = bodies.sale()
    headers = {"Dub-Signature": dubhooks.sign(body, SECRET)}
    inline = dubhooks.Webhooks(SECRET)
    inline.on(SaleCreated)(_do_nothing)
    held = HeldQueue()
    calls: list[Callable[[], Any]] = []
    with tempfile.TemporaryDirectory() as directory:
        _receiver(held, Path(directory)).handle(body, headers)
        message = held.messages[0].text
        queued = _receiver(queue, Path(directory))
        queued.warm_up()
        assert queued.handle(body, headers).status == 202
        calls = [
            lambda: queue.put(message),
            lambda: inline.handle(body, headers),
            lambda: queued.handle(body, headers),
        ]
        times: list[list[float]] = [[] for _ in calls]
        for _ in range(turns):
            for call, taken in zip(calls, times, strict=True):
                before = time.perf_counter()
                call()
                taken.append((time.perf_counter() - before) * 1e6)
    put, now, later = times
    return put, now, later


def _measure_flush(turns: int) -> float:
    """Return the median microseconds until 4 kB more of a file are on the disk."""
    times: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(turns):
            file.write(bytes(4096))
            file.flush()
            before = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - before) * 1e6)
    return statistics.median(times)


def _receiver(queue: Queue, directory: Path) -> dubhooks.Webhooks:
    hooks = dubhooks.Webhooks(
        SECRET,
        store=dubhooks.SQLiteStore(directory / "claims.db"),
        dead_letters=dubhooks.DeadLetterDirectory(directory / f"letters-{token_hex(4)}"),
    )
    hooks.on(SaleCreated, queue=queue)(_do_nothing)
    return hooks


def _do_nothing(_event: SaleCreated) -> None:
    """Take a sale."""


# -- engines ----------------------------------------------------------------------------------


@contextmanager
def _celery() -> Generator[Queue]:
    with RabbitMQServer() as server:
        app = celery_app.make_app(server.url)
        yield CeleryQueue(app, queue="sales")
        app.close()


@contextmanager
def _rq() -> Generator[Queue]:
    with RedisServer() as server:
        yield rq_app.make_queue(server.url, "sales")


@contextmanager
def _dramatiq() -> Generator[Queue]:
    with RedisServer() as server:
        yield DramatiqQueue(dramatiq_app.make_broker(server.url), name="sales")


@contextmanager
def _procrastinate() -> Generator[Queue]:
    with PostgreSQLServer("fsync=on") as server:
        app = procrastinate_app.make_app(server.url().replace("+psycopg", ""))
        with app.open():
            app.schema_manager.apply_schema()
            yield ProcrastinateQueue(app, name="sales")


@contextmanager
def _dbos() -> Generator[Queue]:
    with tempfile.TemporaryDirectory() as directory:
        yield DBOSQueue(f"sqlite:///{directory}/queue.db")


@contextmanager
def _django() -> Generator[Queue]:
    from tests.queues.apps.django_app import database_at
    from tests.support.adapters.django_setup import add_database

    # isort: split
    from django.core.management import call_command
    from django.db import connections
    from django.test import override_settings

    from dubhooks.django import DjangoQueue

    with (
        PostgreSQLServer("fsync=on") as server,
        override_settings(DATABASE_ROUTERS=[f"{__name__}.TasksRouter"]),
    ):
        add_database("tasks", database_at(server.host, server.port))
        call_command("migrate", "django_tasks_database", database="tasks", verbosity=0)
        yield DjangoQueue(queue_name="sales")
        connections.close_all()


class TasksRouter:
    """Keeps Django's tasks on PostgreSQL."""

    def db_for_write(self, model: Any, **_: Any) -> str | None:
        """Return the database of tasks."""
        return "tasks" if model._meta.app_label == "django_tasks_database" else None


ENGINES: dict[str, Callable[[], AbstractContextManager[Queue]]] = {
    "Celery, RabbitMQ": _celery,
    "RQ": _rq,
    "Dramatiq, Redis": _dramatiq,
    "Procrastinate": _procrastinate,
    "DBOS, SQLite": _dbos,
    "Django tasks, PostgreSQL": _django,
}
