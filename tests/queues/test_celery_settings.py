"""What CeleryQueue refuses before the first 202, and the traps of Celery that it avoids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from dubhooks import ConfigurationError, DeadLetterDirectory, SQLiteStore, Webhooks
from dubhooks.queues.celery import CeleryQueue
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.queues.apps.celery_app import make_app

SECRET = "whsec_0123456789abcdef"


def make_receiver(queue: CeleryQueue, path: Path) -> Webhooks:
    """Return a receiver whose sales wait in ``queue``."""
    hooks = Webhooks(
        SECRET,
        store=SQLiteStore(path / "claims.db"),
        dead_letters=DeadLetterDirectory(path / "letters"),
    )
    hooks.on(SaleCreated, queue=queue)(lambda _: None)
    return hooks


def refuse(app: Celery, **options: Any) -> str:
    """Return the sentence with which a queue of ``app`` is refused."""
    with pytest.raises(ConfigurationError) as refused:
        CeleryQueue(app, **options).check()
    return str(refused.value)


@pytest.mark.parametrize("missing", ["confirm_publish", "confirm_timeout", "read_timeout"])
def test_rabbitmq_confirms_in_time(missing: str) -> None:
    """Without confirms RabbitMQ drops silently; without timeouts publishing hangs."""
    app = make_app("amqp://127.0.0.1:1//")
    CeleryQueue(app).check()
    del app.conf.broker_transport_options[missing]
    assert "confirm_publish" in refuse(app)


def test_eager_tasks_are_refused() -> None:
    """They would run the handler before the answer."""
    app = make_app("amqp://127.0.0.1:1//")
    app.conf.task_always_eager = True
    assert "task_always_eager" in refuse(app, may_lose_events=True)


@pytest.mark.parametrize("may_lose_events", [False, True])
def test_memory_is_refused(may_lose_events: bool) -> None:
    """A broker in memory forgets with its process."""
    assert "memory" in refuse(Celery(broker="memory://"), may_lose_events=may_lose_events)


def test_redis_may_lose() -> None:
    """Celery on Redis loses events of killed workers, so somebody has to accept that."""
    app = Celery(broker="redis://127.0.0.1:1/0")
    assert "may_lose_events=True" in refuse(app)
    assert "socket_timeout" in refuse(app, may_lose_events=True)
    app.conf.broker_transport_options = {"socket_timeout": 60}
    assert "15 s at most" in refuse(app, may_lose_events=True)
    app.conf.broker_transport_options = {"socket_timeout": 5}
    CeleryQueue(app, may_lose_events=True).check()


def test_refused_before_the_first_202(tmp_path: Path) -> None:
    """warm_up says so, and a delivery is answered 503."""
    hooks = make_receiver(CeleryQueue(Celery(broker="memory://")), tmp_path)
    with pytest.raises(ConfigurationError, match="memory"):
        hooks.warm_up()
    assert hooks.handle(*signed_request(make_event(SaleCreated), SECRET)).status == 503


def test_nobody_listens(tmp_path: Path) -> None:
    """A broker that is not there is a 503 at once."""
    queue = CeleryQueue(make_app("amqp://127.0.0.1:1//"))
    hooks = make_receiver(queue, tmp_path)
    with pytest.raises(OperationalError):
        queue.put("a message")
    assert hooks.handle(*signed_request(make_event(SaleCreated), SECRET)).status == 503


def test_task_keeps_its_message_until_it_is_done() -> None:
    """By default Celery acknowledges before the run, and after a hard time limit."""
    app = make_app("amqp://127.0.0.1:1//")
    CeleryQueue(app, name="shop.dub")
    task = app.tasks["shop.dub"]
    assert (task.acks_late, task.reject_on_worker_lost) == (True, True)
    assert (task.acks_on_failure_or_timeout, task.ignore_result) == (False, True)
    assert task.serializer == "json"


def test_each_application_has_its_own_task() -> None:
    """A task is known to the application it was made for, and to no other."""
    first, second = make_app("amqp://a//"), make_app("amqp://b//")
    CeleryQueue(first)
    assert "dubhooks" in first.tasks
    assert "dubhooks" not in second.tasks
