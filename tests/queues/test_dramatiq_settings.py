"""What DramatiqQueue refuses before the first 202, and the traps of Dramatiq that it avoids."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import AgeLimit, Retries, TimeLimit
from redis import Redis

from dubhooks import ConfigurationError, DeadLetterDirectory, SQLiteStore, Webhooks
from dubhooks.queues.dramatiq import DramatiqQueue
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.queues.apps.dramatiq_app import make_broker
from tests.queues.apps.rq_app import make_client
from tests.queues.support.redis_settings import check_hanging_server, check_server_settings
from tests.support.processes import until
from tests.support.servers import RedisServer

SECRET = "whsec_0123456789abcdef"
NOWHERE = "redis://127.0.0.1:1/0"
Log = pytest.LogCaptureFixture


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A Redis for the tests of this module."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def client(server: RedisServer) -> Iterator[Redis]:
    """A client of a Redis that is empty."""
    with make_client(server.url) as client:
        client.flushall()
        yield client


class Shop:
    """A receiver whose sales wait in Dramatiq; its handler does what it is told to."""

    def __init__(self, broker: dramatiq.Broker, place: Path, **options: Any) -> None:
        self.broker = broker
        self.letters = place / "letters"
        self.does: Callable[[], object] = lambda: None
        self.runs = 0
        self.hooks = Webhooks(
            SECRET,
            store=SQLiteStore(place / "claims.db"),
            dead_letters=DeadLetterDirectory(self.letters),
        )
        self.hooks.on(SaleCreated, queue=DramatiqQueue(broker, **options))(self._handle)

    def deliver(self) -> int:
        """Deliver a sale and return the status."""
        return self.hooks.handle(*signed_request(make_event(SaleCreated), SECRET)).status

    @contextmanager
    def working(self) -> Generator[None]:
        """Let a worker of this process run."""
        self.broker.emit_after("process_boot")
        worker = dramatiq.Worker(self.broker, worker_threads=1, worker_timeout=100)
        worker.start()
        try:
            yield
        finally:
            worker.stop()
            broker: Any = self.broker
            broker.client.close()

    def _handle(self, _: SaleCreated) -> None:
        self.runs += 1
        self.does()


def count(client: Redis) -> dict[str, Any]:
    """Return how many messages there are, delayed ones, and failed ones."""
    names = {"held": ".msgs", "delayed": ".DQ.msgs", "failed": ".XQ.msgs"}
    return {name: client.hlen(f"dramatiq:dubhooks{end}") for name, end in names.items()}


# -- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("broker", [NOWHERE, RedisBroker, None, StubBroker()])
def test_broker_is_a_broker(broker: Any) -> None:
    """A URL or a class is none; one in memory forgets with its process, and others may hang."""
    with pytest.raises(ConfigurationError, match="takes a RedisBroker"):
        DramatiqQueue(broker)


@pytest.mark.parametrize(
    ("option", "middleware"), [("max_retries", TimeLimit), ("time_limit", Retries)]
)
def test_middleware_is_needed(option: str, middleware: type[Any]) -> None:
    """Without Retries a message whose worker is interrupted is done with; Dramatiq says so."""
    broker = RedisBroker(client=make_client(NOWHERE), middleware=[middleware()])
    with pytest.raises(ValueError, match=option):
        DramatiqQueue(broker)


def test_redis_that_hangs(server: RedisServer) -> None:
    """A put is given up in time, whatever the client's timeouts are."""
    check_hanging_server(server, DramatiqQueue(RedisBroker(client=Redis.from_url(server.url))))


def test_servers_that_forget_are_refused(caplog: Log) -> None:
    """No append-only file, or eviction: refused, or accepted by may_lose_events."""
    check_server_settings(
        lambda url, **options: DramatiqQueue(make_broker(url), **options).check(), caplog
    )


# -- traps of Dramatiq ------------------------------------------------------------------------


def test_rare_maintenance_is_warned_about(client: Redis, caplog: Log) -> None:
    """By default a killed worker's messages come back with one command of a thousand."""
    DramatiqQueue(RedisBroker(client=client)).check()
    [record] = [it for it in caplog.records if it.name == "dubhooks"]
    assert record.levelno == logging.WARNING
    assert "by 1000 of" in record.getMessage()
    caplog.clear()
    DramatiqQueue(RedisBroker(client=client, maintenance_chance=100_000)).check()
    assert not caplog.records


def test_age_limits_drop_nothing(client: Redis, tmp_path: Path) -> None:
    """A limit for the messages of all other actors is not for these."""
    middleware = [AgeLimit(max_age=1), Retries(), TimeLimit()]
    shop = Shop(RedisBroker(client=client, middleware=middleware), tmp_path)
    assert shop.deliver() == 202
    time.sleep(0.01)
    with shop.working():
        until(lambda: shop.runs, "the handler runs")
        until(lambda: count(client) == {"held": 0, "delayed": 0, "failed": 0}, "it is done")


def test_given_up_message_does_not_run_again(client: Redis, tmp_path: Path) -> None:
    """It is a dead letter, and Dramatiq has it among its own for a week."""
    shop = Shop(RedisBroker(client=client), tmp_path, retry_for=0.001)
    shop.does = lambda: 1 / 0
    assert shop.deliver() == 202
    with shop.working():
        until(lambda: count(client)["failed"], "it is given up")
    assert (shop.runs, count(client)) == (1, {"held": 0, "delayed": 0, "failed": 1})
    assert len(list(shop.letters.glob("*.body"))) == 1


def test_time_limit_puts_back(client: Redis, tmp_path: Path) -> None:
    """A handler that hangs is interrupted, and its message comes again."""
    shop = Shop(RedisBroker(client=client), tmp_path, timeout=1)

    def hang() -> None:
        while True:
            time.sleep(0.01)

    shop.does = hang
    assert shop.deliver() == 202
    with shop.working():
        until(lambda: count(client) == {"held": 0, "delayed": 1, "failed": 0}, "it is put back")


def test_interrupt_while_redis_is_away(tmp_path: Path) -> None:
    """Dramatiq's own retry would be lost; the worker keeps the message until it is put back."""
    with RedisServer() as server, make_client(server.url) as client:
        shop = Shop(make_broker(server.url), tmp_path)

        def stop() -> None:
            server.kill()
            raise SystemExit

        shop.does = stop
        assert shop.deliver() == 202
        with shop.working():
            until(lambda: shop.runs, "the handler runs")
            time.sleep(1)
            server.start()
            until(lambda: count(client)["delayed"], "it is put back")
            shop.does = lambda: None
            until(lambda: shop.runs == 2, "it runs again")
