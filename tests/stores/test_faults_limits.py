"""Full disks, and deliveries that are cancelled."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import create_engine, text

import dubhooks
from dubhooks.fastapi import router, webhook
from dubhooks.stores.redis import AsyncRedisStore
from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.clients import AsgiClient
from tests.support.processes import until
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
        until(lambda: receiver.deliver(refused[0]).outcome != "unavailable", "it recovers", 60)
        for event_id in ("evt_first", *outcomes):
            # A claim that could not be completed on the full disk waits for its lease.
            assert receiver.deliver(event_id).outcome in ("duplicate", "busy")
        assert set(Counter(receiver.effects).values()) == {1}
        assert set(receiver.effects) == {"evt_first", *outcomes}
        receiver.close()


ASYNC: dict[str, Callable[[Any], Any]] = {
    "redis": lambda server: AsyncRedisStore(server.url),
    "postgresql": lambda server: AsyncSQLAlchemyStore(server.url("asyncpg")),
    "mariadb": lambda server: AsyncSQLAlchemyStore(server.url("aiomysql")),
}


@pytest.mark.parametrize("door", ["ahandle", "/webhooks/dub", "/route"])
@pytest.mark.parametrize("backend", ASYNC, indirect=True)
def test_cancelled_deliveries(backend: Backend, door: str) -> None:
    """Deliveries cancelled anywhere, as when a client hangs up, lose no event and repeat none."""

    async def work() -> list[str]:
        store = ASYNC[backend.kind](backend.server)
        # Far longer than the test: no takeover hides a claim that was kept.
        hooks = dubhooks.Webhooks(workers.SECRET, store=store, max_age=None, lease=600.0)
        effects: list[str] = []
        cancelled = 0

        @hooks.on(SaleCreated)
        async def handle(event: SaleCreated) -> None:
            await asyncio.sleep(random.uniform(0.0, 0.004))
            effects.append(event.id)

        app = FastAPI()
        app.include_router(router(hooks))
        app.post("/route")(webhook(hooks, SaleCreated)(handle))

        async def deliver(event_id: str) -> bytes:
            body, headers = workers.delivery_of(event_id)
            if door == "ahandle":
                return (await hooks.ahandle(body, headers)).body
            return (await AsgiClient(app, door).send(body, list(headers.items()))).body

        ids = [f"evt_{number}" for number in range(150)]
        for event_id in ids:
            tasks = [asyncio.create_task(deliver(event_id)) for _ in range(2)]
            await asyncio.sleep(random.uniform(0.0, 0.006))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            cancelled += sum(task.cancelled() for task in tasks)
        for event_id in ids:
            body = await deliver(event_id)
            assert b"handled" in body or b"duplicate" in body, "a cancelled delivery kept its claim"
        assert cancelled > 0, "every cancellation was too late"
        if backend.kind != "redis":
            assert store._database.engine.pool.checkedout() == 0
        await store.aclose()
        return effects

    effects = asyncio.run(work())
    assert sorted(effects) == sorted({f"evt_{number}" for number in range(150)})
