"""What DjangoQueue refuses before the first 202, and the traps of Django's tasks that it avoids."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from dubhooks import ConfigurationError, DeadLetterDirectory, SQLiteStore, Webhooks
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.adapters import django_setup
from tests.support.receiving import errors

if not django_setup.HAS_TASKS:
    pytest.skip("django-tasks-db needs Django 5.2", allow_module_level=True)

from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections, transaction
from django.test import modify_settings, override_settings
from django.utils import timezone

from dubhooks.django import DjangoQueue
from dubhooks.django import queue as queue_module
from dubhooks.django.management.commands import dubhooks_requeue as command_module

SECRET = "whsec_0123456789abcdef"
LEASE = 2.0
Log = pytest.LogCaptureFixture


@pytest.fixture(autouse=True)
def _no_queue_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test is a process of its own, as far as queues are concerned."""
    monkeypatch.setattr(queue_module, "QUEUES", {})
    monkeypatch.setattr(command_module, "QUEUES", queue_module.QUEUES)
    yield
    connections.close_all()


class Shop:
    """A receiver whose sales wait in a queue."""

    def __init__(self, path: Path, *failures: BaseException, **options: Any) -> None:
        self.seen: list[SaleCreated] = []
        self.letters = path / "letters"
        self.name = f"dubhooks-{token_hex(4)}"
        self.queue = DjangoQueue(queue_name=self.name, **options)
        self.hooks = Webhooks(
            SECRET,
            store=SQLiteStore(path / "claims.db"),
            dead_letters=DeadLetterDirectory(self.letters),
            lease=LEASE,
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
        """Run a worker in this process until no task is left."""
        call_command("db_worker", queue_name=self.name, batch=True, startup_delay=False)

    @property
    def rows(self) -> Any:
        """The rows of the queue."""
        model: Any = apps.get_model("django_tasks_database", "DBTaskResult")
        return model.objects.filter(queue_name=self.name).order_by("enqueued_at")

    def list_statuses(self) -> list[str]:
        """Return the status of each row."""
        return [str(row.status) for row in self.rows]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop."""
    return Shop(tmp_path)


def refuse(**options: Any) -> str:
    """Return the sentence with which a queue is refused."""
    with pytest.raises(ConfigurationError) as refused:
        DjangoQueue(**options).check()
    return str(refused.value)


@pytest.mark.parametrize("may_lose_events", [False, True])
@pytest.mark.parametrize("backend", ["eager", "dummy"])
def test_backend_keeps_tasks(backend: str, may_lose_events: bool) -> None:
    """Django's own backends run a task at once, or never."""
    said = refuse(backend=backend, may_lose_events=may_lose_events)
    assert f"TASKS['{backend}']" in said
    assert "django_tasks_db.DatabaseBackend" in said


@pytest.mark.parametrize(("backend", "said"), [("jobs", "jobs"), ("narrow", "not valid")])
def test_backend_has_the_queue(backend: str, said: str) -> None:
    """Django itself refuses a backend that ``TASKS`` lacks, or a queue that the backend lacks."""
    with pytest.raises(Exception, match=said):
        DjangoQueue(backend=backend).check()
    DjangoQueue(backend="narrow", queue_name="mail").check()


def test_app_is_installed() -> None:
    """The table belongs to it."""
    without = modify_settings(INSTALLED_APPS={"remove": "django_tasks_db"})
    with without, pytest.raises(LookupError, match="django_tasks_database"):
        DjangoQueue().check()


class Elsewhere:
    """A router that sends tasks to another database."""

    alias = "other"

    def db_for_write(self, *_: Any, **__: Any) -> str:
        """Return its alias."""
        return self.alias


@pytest.mark.parametrize(
    ("name", "refusal", "said"),
    [("empty.db", DatabaseError, "no such table"), (":memory:", ConfigurationError, "in memory")],
)
def test_table_is_there(
    name: str, refusal: type[Exception], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a table, or with one that no worker can see, a queue is refused."""
    monkeypatch.setattr(Elsewhere, "alias", name)
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": name}
    if name == "empty.db":
        database = django_setup.sqlite(name)
    every: dict[str, Any] = {**connections.settings, name: database}
    monkeypatch.setattr(connections, "settings", connections.configure_settings(every))
    with (
        override_settings(DATABASE_ROUTERS=[f"{__name__}.Elsewhere"]),
        pytest.raises(refusal, match=said),
    ):
        DjangoQueue().check()


def test_refused_before_the_first_202(tmp_path: Path, caplog: Log) -> None:
    """warm_up says so, and a delivery is answered 503."""
    shop = Shop(tmp_path, backend="eager")
    with pytest.raises(ConfigurationError, match="at once"):
        shop.hooks.warm_up()
    assert shop.deliver() == 503
    assert "at once" in errors(caplog)[-1]


def test_one_queue_for_each_name(shop: Shop) -> None:
    """A task names its backend and its queue, so that two of one name cannot be told apart."""
    with pytest.raises(ConfigurationError, match="make it once"):
        DjangoQueue(queue_name=shop.name)
    DjangoQueue(queue_name=shop.name, backend="narrow")


# -- traps ------------------------------------------------------------------------------------


def test_open_transaction(shop: Shop, caplog: Log) -> None:
    """What is enqueued in a transaction is not queued yet, so there is no 202."""
    with transaction.atomic():
        assert shop.deliver() == 503
    assert "out of atomic()" in errors(caplog)[-1]
    assert shop.deliver() == 202
    assert shop.list_statuses() == ["READY"]


def test_delivery_is_worked(shop: Shop) -> None:
    """By the project's own db_worker."""
    assert shop.deliver() == 202
    shop.work()
    assert (len(shop.seen), shop.list_statuses()) == (1, ["SUCCESSFUL"])


def test_later_is_a_row_with_its_time(tmp_path: Path) -> None:
    """What fails is put again, and the first row is done."""
    shop = Shop(tmp_path, ValueError("odd"))
    shop.deliver()
    shop.work()
    assert (len(shop.seen), shop.list_statuses()) == (1, ["SUCCESSFUL", "READY"])
    wait = shop.rows[1].run_after - timezone.now()
    assert timedelta(seconds=5) < wait < timedelta(seconds=10)


def test_killed_workers_rows_go_back(shop: Shop) -> None:
    """``RUNNING`` for ever: after ten leases, the next put or task gives the row back."""
    shop.deliver()
    shop.deliver()
    old = timezone.now() - timedelta(seconds=10 * LEASE + 1)
    killed, running = shop.rows
    shop.rows.filter(id=killed.id).update(status="RUNNING", started_at=old)
    shop.rows.filter(id=running.id).update(status="RUNNING", started_at=timezone.now())
    shop.deliver()  # the first put has looked, less than a minute ago
    assert shop.list_statuses() == ["RUNNING", "RUNNING", "READY"]
    shop.queue._requeue_at = 0.0
    shop.work()
    assert shop.list_statuses() == ["SUCCESSFUL", "RUNNING", "SUCCESSFUL"]


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()])
def test_interrupted_row_goes_back(error: BaseException, tmp_path: Path) -> None:
    """A worker that is asked twice to end fails its task, which then is given back."""
    shop = Shop(tmp_path, error)
    shop.deliver()
    shop.work()
    assert (len(shop.seen), shop.list_statuses()) == (1, ["FAILED"])
    assert shop.queue.requeue() == 1
    shop.work()
    assert (len(shop.seen), shop.list_statuses()) == (2, ["SUCCESSFUL"])


def test_worker_without_the_queue(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails the task, and somebody who has the queue gives it back."""
    shop.deliver()
    with monkeypatch.context() as patch:
        patch.setattr(queue_module, "QUEUES", {})
        shop.work()
    assert "this worker has no DjangoQueue" in shop.rows[0].traceback
    assert shop.queue.requeue() == 1
    shop.work()
    assert (len(shop.seen), shop.list_statuses()) == (1, ["SUCCESSFUL"])


def test_given_up_rows_stay_failed(tmp_path: Path) -> None:
    """What is a dead letter is shown as failed, and is not tried again."""
    shop = Shop(tmp_path, ValueError("odd"), retry_for=0.001)
    shop.deliver()
    shop.work()
    assert (shop.queue.requeue(), shop.list_statuses()) == (0, ["FAILED"])
    assert len(list(shop.letters.glob("*.body"))) == 1


def test_queues_leave_others_tasks_alone(shop: Shop, tmp_path: Path) -> None:
    """Another queue's rows, and another task's, are not ours."""
    shop.deliver()
    old = timezone.now() - timedelta(days=1)
    shop.rows.update(status="RUNNING", started_at=old)
    (tmp_path / "b").mkdir()
    assert Shop(tmp_path / "b").queue.requeue() == 0
    shop.rows.update(task_path="shop.tasks.send_mail")
    assert shop.queue.requeue() == 0
    assert DjangoQueue().requeue() == 0


def test_command(shop: Shop) -> None:
    """``manage.py dubhooks_requeue`` is for quiet shops."""
    shop.deliver()
    shop.rows.update(status="RUNNING", started_at=timezone.now() - timedelta(days=1))
    said = StringIO()
    call_command("dubhooks_requeue", stdout=said)
    assert said.getvalue() == f"default, {shop.name}: 1 given back\n"
    assert shop.list_statuses() == ["READY"]


def test_command_without_a_queue() -> None:
    """It says what is missing."""
    with pytest.raises(CommandError, match="no DjangoQueue"):
        call_command("dubhooks_requeue")


def test_requeueing_is_no_reason_to_refuse(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event is held when its row is there, whatever becomes of the others."""

    def fail() -> int:
        from django.db import OperationalError

        raise OperationalError("password=secret")

    shop.hooks.warm_up()
    monkeypatch.setattr(shop.queue, "requeue", fail)
    assert shop.deliver() == 202
