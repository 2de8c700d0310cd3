"""Full disks and memory, cancelled deliveries, and deliveries that are not what they seem."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
from sqlalchemy import create_engine, text

import dubhooks
from dubhooks.stores.redis import AsyncRedisStore, RedisStore
from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore
from dubhooks.testing import signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.servers import MariaDBServer, PostgreSQLServer, RedisServer
from tests.support.stores import workers
from tests.support.stores.backends import Backend, Receiver

pytestmark = pytest.mark.slow

# Rows enough to make the table's file larger than every other file of the server.
FILL = {
    "postgresql": (
        "INSERT INTO dubhooks_claims SELECT 'old_' || n, '', 1, repeat('f', 64), true, 0, 0, 0 "
        "FROM generate_series(1, 40000) n"
    ),
    "mariadb": (
        "INSERT INTO dubhooks_claims SELECT concat('old_', seq), '', 1, repeat('f', 64), true, "
        "0, 0, 0 FROM seq_1_to_120000"
    ),
}
FILES = {
    "redis": "appendonlydir/*.incr.aof",
    "postgresql": "data/base/*/*",
    "mariadb": "data/test/dubhooks_claims.ibd",
}
KINDS = {"redis": RedisServer, "postgresql": PostgreSQLServer, "mariadb": MariaDBServer}


@pytest.fixture
def receiver(backend: Backend) -> Iterator[Receiver]:
    """A receiver on each engine."""
    receiver = Receiver(backend.open())
    yield receiver
    receiver.close()


@pytest.mark.parametrize("kind", KINDS)
def test_full_disk(kind: str) -> None:
    """On a full disk deliveries get a 503 unhandled; when there is room again they are handled."""
    with KINDS[kind]() as server:
        backend = Backend(kind, server)
        backend.empty()
        if kind in FILL:
            engine = create_engine(backend.url)
            with engine.begin() as connection:
                connection.execute(text(FILL[kind]))
            engine.dispose()
        receiver = Receiver(backend.open(), lease=600.0)
        assert receiver.deliver("evt_first").outcome == "handled"
        server.limit_files(max(path.stat().st_size for path in server.directory.glob(FILES[kind])))
        outcomes: dict[str, str] = {}
        deadline = time.monotonic() + 60
        while "unavailable" not in outcomes.values():
            assert time.monotonic() < deadline, "the disk is never full"
            event_id = f"evt_{len(outcomes)}"
            outcomes[event_id] = receiver.deliver(event_id).outcome
        refused = [each for each, outcome in outcomes.items() if outcome == "unavailable"]
        assert not set(refused) & set(receiver.effects)
        server.limit_files(None)
        while receiver.deliver(refused[0]).outcome == "unavailable":
            assert time.monotonic() < deadline, "the store does not recover"
            time.sleep(0.05)
        for event_id in ("evt_first", *outcomes):
            # A claim that could not be completed on the full disk waits for its lease.
            assert receiver.deliver(event_id).outcome in ("duplicate", "busy")
        assert set(Counter(receiver.effects).values()) == {1}
        assert set(receiver.effects) == {"evt_first", *outcomes}
        receiver.close()


def test_eviction_forgets(caplog: pytest.LogCaptureFixture) -> None:
    """With an eviction policy a full Redis forgets what was done: why the store warns about it."""
    options = ("--maxmemory", "3mb", "--maxmemory-policy", "allkeys-random")
    with RedisServer(*options) as server, redis.Redis.from_url(server.url) as client:
        receiver = Receiver(RedisStore(client))
        done = [f"evt_{number}" for number in range(200)]
        for event_id in done:
            receiver.deliver(event_id)
        for number in range(4000):
            client.set(f"other-{number}", "x" * 1000)
        again = Counter(receiver.deliver(event_id).outcome for event_id in done)
        assert again["handled"] > 0
        assert "set maxmemory-policy noeviction" in caplog.text
        receiver.close()


def test_same_id_with_another_body(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """An id that comes with another body is refused, whether the first one is done or not."""
    other = workers.sale("evt_1").model_copy(update={"created_at": workers.sale("x").created_at})
    body = other.to_json().replace(b'"evt_1"', b'"evt_1" ')
    assert receiver.deliver("evt_1").outcome == "handled"
    reply = receiver.send(*signed_request(body, workers.SECRET))
    assert (reply.outcome, reply.status) == ("conflict", 422)
    assert receiver.deliver("evt_1").outcome == "duplicate"
    assert receiver.effects == ["evt_1"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_ids_that_differ_in_case(receiver: Receiver) -> None:
    """Ids that differ in case only are two events."""
    for event_id in ("evt_aB", "evt_Ab", "EVT_AB", "evt_ab"):
        assert receiver.deliver(event_id).outcome == "handled"
        assert receiver.deliver(event_id).outcome == "duplicate"


def test_odd_ids(receiver: Receiver) -> None:
    """Long ids, spaces, quotes, other scripts and lone control characters are events, too."""
    ids = ["x" * 5000, " ", "evt ", "evt", "'; DROP TABLE dubhooks_claims; --", "évt", "🎉", "\x00"]
    for event_id in ids:
        assert receiver.deliver(event_id).outcome == "handled", event_id
    for event_id in ids:
        assert receiver.deliver(event_id).outcome == "duplicate", event_id
    assert receiver.effects == ids


def async_redis(url: str) -> Any:
    """A store on an asyncio client."""
    return AsyncRedisStore(redis.asyncio.Redis.from_url(url))


def async_sql(url: str) -> Any:
    """A store with connections of its own."""
    return AsyncSQLAlchemyStore(url)


ASYNC = {
    "redis": lambda server: async_redis(server.url),
    "postgresql": lambda server: async_sql(server.url("asyncpg")),
    "mariadb": lambda server: async_sql(server.url("aiomysql")),
}


@pytest.mark.parametrize("backend", ASYNC, indirect=True)
def test_cancelled_deliveries(backend: Backend) -> None:
    """Deliveries cancelled anywhere, as when a client hangs up, lose no event and repeat none."""

    async def work() -> list[str]:
        store = ASYNC[backend.kind](backend.server)
        hooks = dubhooks.Webhooks(workers.SECRET, store=store, max_age=None)
        effects: list[str] = []
        cancelled = 0

        @hooks.on(SaleCreated)
        async def handle(event: SaleCreated) -> None:
            await asyncio.sleep(random.uniform(0.0, 0.004))
            effects.append(event.id)

        ids = [f"evt_{number}" for number in range(150)]
        for event_id in ids:
            tasks = [
                asyncio.create_task(hooks.ahandle(*workers.delivery_of(event_id))) for _ in range(2)
            ]
            await asyncio.sleep(random.uniform(0.0, 0.006))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            cancelled += sum(task.cancelled() for task in tasks)
        for event_id in ids:
            reply = await hooks.ahandle(*workers.delivery_of(event_id))
            assert reply.outcome in ("handled", "duplicate"), "a cancelled delivery kept its claim"
        assert cancelled > 0, "every cancellation was too late"
        if backend.kind == "redis":
            await store._client.aclose()
        else:
            assert store._database.engine.pool.checkedout() == 0
            await store.aclose()
        return effects

    effects = asyncio.run(work())
    assert sorted(effects) == sorted({f"evt_{number}" for number in range(150)})
