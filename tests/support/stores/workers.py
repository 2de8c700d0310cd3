"""Worker processes that tests start by the dozen and kill at random instants.

``Workers`` runs this file as a program.  It imports everything once, opens no
connection, and forks a worker for every line on its input; so a worker starts
in a few milliseconds and never shares a connection.

What workers do is counted by what they leave behind: every effect and every
end of a delivery is a line in one file, written with ``O_APPEND``.
"""

from __future__ import annotations

import json
import logging
import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from typing_extensions import Self

import dubhooks
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.processes import FORKING, importing, python, until

if TYPE_CHECKING:
    from tests.support.fake_clock import FakeClock


SECRET = "whsec_workers"
RETENTION = timedelta(days=30)
KILLS = int(os.environ.get("DUBHOOKS_TEST_KILLS", "25"))
"""How many workers a test kills; a hundred before a release."""
RESTARTS = int(os.environ.get("DUBHOOKS_TEST_RESTARTS", "4"))
"""How often a test ends and starts a server; forty before a release."""


def open_store(kind: str, url: str) -> Any:
    """Return a store; the imports are here because not every test has every driver."""
    if kind == "redis":
        from dubhooks.stores.redis import RedisStore

        return RedisStore(url)
    if kind == "sqlite":
        return dubhooks.SQLiteStore(url)
    if kind.startswith("django"):
        from tests.support.stores.django_project import store_at

        return store_at(url)
    from dubhooks.stores.sqlalchemy import SQLAlchemyStore

    return SQLAlchemyStore(url)


# Of a fixed time, so that every process makes the same body.
_TIME = datetime(2026, 1, 1, tzinfo=timezone.utc)
_SALE = make_event(SaleCreated, seed=1).model_copy(update={"created_at": _TIME})


def sale(event_id: str) -> SaleCreated:
    """Return the same event for an id, however often it is asked."""
    return _SALE.model_copy(update={"id": event_id})


@cache
def delivery_of(event_id: str) -> tuple[bytes, dict[str, str]]:
    """Return the same body and headers for an id, in every process."""
    return signed_request(sale(event_id), SECRET)


class Line(NamedTuple):
    """What a worker left behind."""

    process: int
    what: str
    """``effect``, ``end`` of a delivery whose claim was completed, or a word of the work's own."""
    event_id: str


class Log:
    """A file that many processes append to, a line at a time."""

    def __init__(self, path: str | Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._ready = os.open(f"{path}.ready", os.O_WRONLY | os.O_APPEND)

    def ready(self) -> None:
        """Say that this worker is about to begin."""
        os.write(self._ready, b".")

    def write(self, what: str, event_id: str) -> None:
        """Append a line."""
        os.write(self._file, f"{os.getpid()} {what} {event_id}\n".encode())


class Notices(logging.Handler):
    """Notes that a claim was not completed, which no return value says."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.is_open = False

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a message of the library."""
        message = record.getMessage()
        if "could not be completed" in message or "after its lease was over" in message:
            self.is_open = True


def deliveries(
    kind: str,
    url: str,
    log: str,
    events: int,
    seconds: float = 3600.0,
    lease: float = 2.0,
    slowest: float = 0.003,
) -> None:
    """Deliver random events out of ``events``, until killed or for ``seconds``."""
    hooks, lines, notices = _receiver(kind, url, log, lease, slowest)
    lines.ready()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        _deliver(hooks, lines, notices, f"evt_{random.randrange(events)}")


def sweep(kind: str, url: str, log: str, events: int, lease: float = 2.0) -> None:
    """Deliver every event again and again until each is done, as Dub's retries would."""
    hooks, lines, notices = _receiver(kind, url, log, lease, 0.0)
    left = [f"evt_{number}" for number in range(events)]
    deadline = time.monotonic() + 60.0
    while left and time.monotonic() < deadline:
        left = [each for each in left if not _deliver(hooks, lines, notices, each)]
        time.sleep(0.02)
    assert not left, f"never done: {left[:5]}"


def duplicates(kind: str, url: str, log: str, go: str, events: list[str], threads: int) -> None:
    """Deliver the same events from many threads, all beginning when the file ``go`` is there."""
    hooks, lines, notices = _receiver(kind, url, log, 60.0, 0.02)

    def deliver() -> None:
        for event_id in events:
            body, headers = delivery_of(event_id)
            lines.write(hooks.handle(body, headers).outcome, event_id)

    waiting = [threading.Thread(target=deliver) for _ in range(threads)]
    hooks.warm_up()
    lines.ready()
    while not Path(go).exists():
        time.sleep(0.000_5)
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    assert not notices.is_open


def inbox(kind: str, url: str, log: str, events: int) -> None:
    """Take random events, each in the transaction of its effect, until killed."""
    takers = {"sqlite": _sqlite_inbox, "django": _django_inbox}
    take, refusal = takers.get(kind.partition("-")[0], _sql_inbox)(url)
    lines = Log(log)
    lines.ready()
    while True:
        event = sale(f"evt_{random.randrange(events)}")
        try:
            take(event)
        except refusal:
            # A deadlock, or the server is gone: it would be delivered again.
            lines.write("refused", event.id)
            time.sleep(0.01)


def _sqlite_inbox(url: str) -> tuple[Callable[[SaleCreated], None], type[Exception]]:
    connection, box = sqlite3.connect(url, timeout=30.0), dubhooks.SQLiteInbox()

    def take(event: SaleCreated) -> None:
        with connection:
            if box.first(connection, event):
                time.sleep(random.uniform(0.0, 0.002))
                connection.execute("INSERT INTO effects VALUES (?)", (event.id,))

    return take, sqlite3.OperationalError


def _sql_inbox(url: str) -> tuple[Callable[[SaleCreated], None], type[Exception]]:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import DBAPIError

    from dubhooks.stores.sqlalchemy import SQLAlchemyInbox

    engine, box = create_engine(url), SQLAlchemyInbox()
    statement = text("INSERT INTO effects VALUES (:id)")

    def take(event: SaleCreated) -> None:
        with engine.begin() as connection:
            if box.first(connection, event):
                time.sleep(random.uniform(0.0, 0.002))
                connection.execute(statement, {"id": event.id})

    return take, DBAPIError


def _django_inbox(url: str) -> tuple[Callable[[SaleCreated], None], type[Exception]]:
    from django.db import Error, connections, transaction

    from dubhooks.django import DjangoInbox
    from tests.support.stores.django_project import alias_at

    alias = alias_at(url)
    box = DjangoInbox(using=alias)

    def take(event: SaleCreated) -> None:
        connections[alias].close_if_unusable_or_obsolete()  # as Django does before a request
        with transaction.atomic(using=alias):
            if box.first(event):
                time.sleep(random.uniform(0.0, 0.002))
                with connections[alias].cursor() as cursor:
                    cursor.execute("INSERT INTO effects VALUES (%s)", [event.id])

    return take, Error


def _receiver(
    kind: str, url: str, log: str, lease: float, slowest: float
) -> tuple[dubhooks.Webhooks, Log, Notices]:
    hooks = dubhooks.Webhooks(
        SECRET, store=open_store(kind, url), lease=lease, retention=RETENTION, max_age=None
    )
    lines, notices = Log(log), Notices()
    logging.getLogger("dubhooks").addHandler(notices)

    @hooks.on(SaleCreated)
    def handle(event: SaleCreated) -> None:
        time.sleep(random.uniform(0.0, slowest) / 2)
        lines.write("effect", event.id)
        time.sleep(random.uniform(0.0, slowest) / 2)

    return hooks, lines, notices


def _deliver(hooks: dubhooks.Webhooks, lines: Log, notices: Notices, event_id: str) -> bool:
    """Deliver an event; tell whether it is done for good."""
    notices.is_open = False
    body, headers = delivery_of(event_id)
    outcome = hooks.handle(body, headers).outcome
    if outcome == "handled" and not notices.is_open:
        lines.write("end", event_id)
    assert outcome in ("handled", "duplicate", "busy", "unavailable"), outcome
    return outcome == "duplicate" or (outcome == "handled" and not notices.is_open)


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


# -- the tests' side -------------------------------------------------------------------------------


class Worker:
    """A worker process, known by its id."""

    def __init__(self, process: int) -> None:
        self.process = process

    @property
    def is_alive(self) -> bool:
        """Tell whether it runs."""
        try:
            return ") Z " not in Path(f"/proc/{self.process}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False

    def kill(self) -> None:
        """End it with SIGKILL."""
        os.kill(self.process, signal.SIGKILL)
        self.wait()

    def wait(self, seconds: float = 90.0) -> None:
        """Wait until it has ended."""
        until(lambda: not self.is_alive, "a worker ends", seconds)


class Workers:
    """Starts workers, and reads what they leave behind."""

    def __init__(self, directory: Path, clock: FakeClock | None = None) -> None:
        """``clock``: the workers' own wall clock, instead of the machine's."""
        self._environment = {**os.environ, **importing(), **(clock.environment if clock else {})}
        self.log = directory / "lines"
        self.log.touch()
        self.log.with_suffix(".ready").touch()
        self._errors = directory / "errors"
        self._started: list[Worker] = []

    def __enter__(self) -> Self:
        with self._errors.open("ab") as errors:
            self._source = subprocess.Popen(
                python(FORKING, "-m", __name__),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self._environment,
                text=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_all()
        self._source.communicate()
        errors = self._errors.read_text()
        assert not errors, errors

    def start(self, work: Callable[..., None], **arguments: Any) -> Worker:
        """Start a worker that does ``work``, one of this module's functions."""
        assert self._source.stdin is not None
        assert self._source.stdout is not None
        arguments["log"] = str(self.log)
        print(json.dumps([work.__name__, arguments]), file=self._source.stdin, flush=True)
        worker = Worker(int(self._source.stdout.readline()))
        self._started.append(worker)
        return worker

    def kill_all(self) -> None:
        """End every worker that still runs with SIGKILL."""
        for worker in self._started:
            if worker.is_alive:
                worker.kill()

    def lines(self, what: str | None = None) -> list[Line]:
        """Return what was written, or the lines of one kind."""
        parts = [line.split() for line in self.log.read_text().splitlines()]
        lines = [Line(int(process), kind, event_id) for process, kind, event_id in parts]
        return [line for line in lines if what in (None, line.what)]

    def until_ready(self, count: int) -> None:
        """Wait until so many workers have said that they are ready."""
        ready = self.log.with_suffix(".ready")
        until(lambda: ready.stat().st_size >= count, "workers are ready", 60.0)


def _serve() -> None:
    if "FAKETIME_TIMESTAMP_FILE" in os.environ:
        setattr(time, "sleep", _sleep)  # noqa: B010 - libfaketime breaks Python's own
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children here
    work: dict[str, Callable[..., None]] = {
        each.__name__: each for each in (deliveries, sweep, duplicates, inbox)
    }
    # SQLAlchemy logs connections that it could not reset; without a handler they go to stderr.
    logging.getLogger("sqlalchemy").addHandler(logging.NullHandler())
    delivery_of("evt_warm")
    dubhooks.Webhooks(SECRET).warm_up()
    imported: set[str] = set()
    for line in sys.stdin:
        name, arguments = json.loads(line)
        _import(arguments["kind"], arguments["url"], imported)
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                work[name](**arguments)
            except BaseException:  # noqa: BLE001 - a child must never go on in this loop
                traceback.print_exc()
            os._exit(0)
        print(child, flush=True)


def _import(kind: str, url: str, imported: set[str]) -> None:
    """Import what a store needs before the first fork; nothing connects."""
    if kind in imported:
        return
    if kind.startswith("django"):
        from tests.support.stores import django_project

        django_project.configure()
    open_store(kind, url)
    imported.add(kind)


if __name__ == "__main__":
    _serve()
