"""What RQQueue refuses before the first 202, and the traps of RQ that it avoids."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
import rq
from redis import Redis
from rq.serializers import JSONSerializer

from dubhooks import ConfigurationError, DeadLetterDirectory, SQLiteStore, Webhooks
from dubhooks.queues.rq import RQQueue
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.queues.apps.rq_app import make_client
from tests.queues.support.redis_settings import check_hanging_server, check_server_settings
from tests.support.servers import RedisServer

SECRET = "whsec_0123456789abcdef"
HERE = f"{__name__}.later"
NOWHERE = "redis://127.0.0.1:1/0"
Log = pytest.LogCaptureFixture

later: RQQueue
"""Where the jobs of these tests look for their queue."""


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
    """A receiver whose sales wait in RQ; its handler raises what it is told to."""

    def __init__(self, client: Redis, place: Path, **options: Any) -> None:
        global later
        later = RQQueue(HERE, client, **options)
        self.raises: BaseException | None = None
        self.pause = 0.0
        self.runs = 0
        self.jobs = rq.Queue("dubhooks", connection=client, serializer=JSONSerializer)
        self.hooks = Webhooks(
            SECRET,
            store=SQLiteStore(place / "claims.db"),
            dead_letters=DeadLetterDirectory(place / "letters"),
        )
        self.hooks.on(SaleCreated, queue=later)(self._handle)

    def deliver(self) -> int:
        """Deliver a sale and return the status."""
        return self.hooks.handle(*signed_request(make_event(SaleCreated), SECRET)).status

    def work(self, at_most: int = 1, **options: Any) -> None:
        """Let a worker in this process work off jobs."""
        options.setdefault("serializer", JSONSerializer)
        worker = rq.SimpleWorker([self.jobs], connection=self.jobs.connection, **options)
        worker.work(burst=True, max_jobs=at_most)

    def count(self) -> dict[str, int]:
        """Return how many jobs wait, are scheduled, and have failed for good."""
        jobs = self.jobs
        registries = (jobs.scheduled_job_registry, jobs.failed_job_registry)
        return {
            "waiting": jobs.count,
            **dict(zip(("scheduled", "failed"), map(len, registries), strict=True)),
        }

    def _handle(self, _: SaleCreated) -> None:
        self.runs += 1
        time.sleep(self.pause)
        if self.raises is not None:
            raise self.raises


# -- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["later", "later.", ".later", "", None])
def test_path_leads_to_a_queue_in_a_module(path: Any) -> None:
    """A worker imports the module and finds the queue there."""
    with pytest.raises(ConfigurationError, match=r"shop\.hooks\.later"):
        RQQueue(path, make_client(NOWHERE))


@pytest.mark.parametrize("connection", [NOWHERE, redis.asyncio.Redis(), None, Redis])
def test_connection_is_a_client(connection: Any) -> None:
    """A URL, an asynchronous client or a class is none."""
    with pytest.raises(ConfigurationError, match="a client of redis-py"):
        RQQueue(HERE, connection)


@pytest.mark.parametrize("timeout", [0, -1, "600", None])
def test_timeout_is_a_duration(timeout: Any) -> None:
    """RQ would never end a handler, or at once."""
    with pytest.raises(ConfigurationError, match="timeout"):
        RQQueue(HERE, make_client(NOWHERE), timeout=timeout)
    RQQueue(HERE, make_client(NOWHERE), timeout=timedelta(minutes=5))


def test_redis_that_hangs(server: RedisServer) -> None:
    """A put is given up in time, whatever the client's timeouts are."""
    check_hanging_server(server, RQQueue(HERE, Redis.from_url(server.url)))


def test_servers_that_forget_are_refused(caplog: Log) -> None:
    """No append-only file, or eviction: refused, or accepted by may_lose_events."""
    check_server_settings(
        lambda url, **options: RQQueue(HERE, make_client(url), **options).check(), caplog
    )


@pytest.mark.parametrize(
    ("version", "is_old"), [("6.0.16", True), ("6.2.0", False), ("8.2", False)]
)
def test_old_servers_lose_what_is_taken(version: str, is_old: bool) -> None:
    """Before 6.2 there is no command that moves a job from one list to another, and waits."""

    class OldRedis(Redis):
        def info(self, *_: Any, **__: Any) -> dict[str, Any]:
            return {"redis_version": version, "aof_enabled": 1}

    refused = pytest.raises(ConfigurationError, match="too old") if is_old else nullcontext()
    with refused:
        RQQueue(HERE, OldRedis()).check()


def test_refused_before_the_first_202(client: Redis, tmp_path: Path) -> None:
    """warm_up says so, and a delivery is answered 503, until the setting is another."""
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        shop = Shop(client, tmp_path)
        with pytest.raises(ConfigurationError, match="noeviction"):
            shop.hooks.warm_up()
        assert (shop.deliver(), shop.count()["waiting"]) == (503, 0)
    finally:
        client.config_set("maxmemory-policy", "noeviction")
    assert (shop.deliver(), shop.count()["waiting"]) == (202, 1)


# -- traps of RQ ------------------------------------------------------------------------------


def test_job_shows_nothing(client: Redis, tmp_path: Path) -> None:
    """The arguments are JSON and not pickled; what workers log is not the call with them."""
    shop = Shop(client, tmp_path, timeout=30)
    assert shop.deliver() == 202
    [job] = shop.jobs.jobs
    path, message = job.args
    assert (path, json.loads(message)["event"]) == (HERE, "sale.created")
    assert b'"dubhooks.queues.rq.run"' in job.data
    assert (job.description, job.timeout, job.result_ttl) == ("a delivery", 30, 0)


def test_done_job_leaves_nothing(client: Redis, tmp_path: Path) -> None:
    """Neither a result nor the delivery stays in Redis."""
    shop = Shop(client, tmp_path)
    assert shop.deliver() == 202
    shop.work()
    assert shop.runs == 1
    assert not list(client.scan_iter("rq:job:*"))


def test_killed_job_runs_again(client: Redis, tmp_path: Path) -> None:
    """RQ gives up a job whose worker was killed, unless it has retries left; these have."""
    shop = Shop(client, tmp_path)
    assert shop.deliver() == 202
    [job] = shop.jobs.jobs
    worker = rq.SimpleWorker([shop.jobs], connection=client, serializer=JSONSerializer)
    assert rq.Queue.dequeue_any([shop.jobs], None, client, serializer=JSONSerializer)
    worker.prepare_execution(job)
    worker.prepare_job_execution(job, remove_from_intermediate_queue=True)
    assert shop.count() == {"waiting": 0, "scheduled": 0, "failed": 0}
    shop.jobs.started_job_registry.cleanup(timestamp=time.time() + 3600)
    assert shop.count() == {"waiting": 1, "scheduled": 0, "failed": 0}


@pytest.mark.parametrize(("others", "kept"), [([], 1), (["other"], 0)])
def test_taken_job_is_kept_for_workers_of_one_queue(
    others: list[str], kept: int, client: Redis, tmp_path: Path
) -> None:
    """What a worker of several queues takes is nowhere until it begins; the page says so."""
    shop = Shop(client, tmp_path)
    assert shop.deliver() == 202
    queues = [shop.jobs, *(rq.Queue(it, connection=client) for it in others)]
    assert rq.Queue.dequeue_any(queues, None, client, serializer=JSONSerializer)
    assert shop.jobs.count == 0
    assert len(shop.jobs.intermediate_queue.get_job_ids()) == kept


def test_stop_in_a_handler_runs_again(client: Redis, tmp_path: Path) -> None:
    """What tells a process to stop is raised to RQ, which runs the job again."""
    shop = Shop(client, tmp_path)
    shop.raises = SystemExit()
    assert shop.deliver() == 202
    shop.work(at_most=2)
    assert (shop.runs, shop.count()["waiting"], shop.count()["failed"]) == (2, 1, 0)
    shop.raises = None
    shop.work()
    assert (shop.runs, shop.count()["waiting"]) == (3, 0)


def test_time_limit_puts_back(client: Redis, tmp_path: Path) -> None:
    """A handler that hangs is interrupted, and its message comes again later."""
    shop = Shop(client, tmp_path, timeout=1)
    shop.pause = 30.0
    assert shop.deliver() == 202
    shop.work()
    assert (shop.runs, shop.count()) == (1, {"waiting": 0, "scheduled": 1, "failed": 0})


def test_given_up_job_does_not_run_again(client: Redis, tmp_path: Path) -> None:
    """It is a dead letter, and RQ has it among the failed jobs, without retries."""
    shop = Shop(client, tmp_path, retry_for=0.001)
    shop.raises = ValueError()
    assert shop.deliver() == 202
    shop.work(at_most=3)
    assert (shop.runs, shop.count()) == (1, {"waiting": 0, "scheduled": 0, "failed": 1})
    assert len(list((tmp_path / "letters").glob("*.body"))) == 1


def test_delays_wait_for_a_scheduler(client: Redis, tmp_path: Path) -> None:
    """A worker without one leaves them where they are."""
    shop = Shop(client, tmp_path)
    later.put("a message", 900.0)
    shop.work()
    assert shop.count() == {"waiting": 0, "scheduled": 1, "failed": 0}


def test_delays_are_whole(client: Redis, tmp_path: Path) -> None:
    """RQ leaves fractions of a second away; a message is not early for that."""
    shop = Shop(client, tmp_path)
    for _ in range(5):
        due = time.time() + 3.0
        later.put("a message", 3.0)
        [job_id] = shop.jobs.scheduled_job_registry.get_job_ids()
        when = shop.jobs.scheduled_job_registry.get_scheduled_time(job_id).timestamp()
        assert due <= when <= due + 2
        shop.jobs.scheduled_job_registry.remove(job_id)
        time.sleep(0.15)


def test_queue_that_cannot_be_imported(client: Redis, tmp_path: Path, caplog: Log) -> None:
    """A worker in another directory puts the message back, and says so."""
    shop = Shop(client, tmp_path)
    elsewhere = RQQueue("shop.elsewhere.later", client, timeout=30)
    elsewhere.put("a message")
    shop.work()
    assert shop.count() == {"waiting": 0, "scheduled": 1, "failed": 0}
    [job] = [shop.jobs.fetch_job(it) for it in shop.jobs.scheduled_job_registry.get_job_ids()]
    assert job is not None
    assert (job.args, job.timeout) == (["shop.elsewhere.later", "a message"], 30)
    [record] = [it for it in caplog.records if it.name == "dubhooks"]
    assert record.levelno == logging.ERROR
    assert "'shop.elsewhere.later' cannot be imported" in record.getMessage()


def test_wrong_serializer_loses_nothing(client: Redis, tmp_path: Path) -> None:
    """A worker that was started without --serializer cannot read a job, and RQ keeps it."""
    shop = Shop(client, tmp_path)
    assert shop.deliver() == 202
    shop.work(at_most=3, serializer=None)
    assert shop.count() == {"waiting": 1, "scheduled": 0, "failed": 0}
    shop.work()
    assert shop.runs == 1
