"""Connections that are lost, shared, cancelled, pooled by others or never made."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

import dubhooks
from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore, SQLAlchemyStore
from dubhooks.webhooks import SaleCreated
from tests.support.processes import free_port
from tests.support.proxy import Proxy
from tests.support.servers import PgBouncerServer, PostgreSQLServer
from tests.support.stores import workers
from tests.support.stores.sql_cases import (
    ASYNC_DRIVERS,
    ASYNCPG_BEHIND_PGBOUNCER,
    SYNC_DRIVERS,
    find_url,
    make_store,
    open_store,
)
from tests.support.stores.store_cases import FINGERPRINT, claim

DURATIONS: Any = {"fingerprint": FINGERPRINT, "lease": 60.0, "retention": 600.0}


# -- all connections of a pool dropped -------------------------------------------------------------

KILL = {
    "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND datname = 'test'",
    "mariadb": "KILL CONNECTION USER dubhooks@'127.0.0.1'",
}
DROPPED = [one for one in (*SYNC_DRIVERS, *ASYNC_DRIVERS) if "sqlite" not in one]


def kill_all(kind: str, url: str) -> None:
    """Let the server end every connection but the one that says so."""
    root = create_engine(url.replace("dubhooks@", "root@") if kind == "mariadb" else url)
    with root.connect() as connection:
        connection.execute(text(KILL[kind]))
    root.dispose()


def open_four(store: Any) -> None:
    """Let a store have four connections in its pool."""
    if isinstance(store, SQLAlchemyStore):
        together = threading.Barrier(4)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: store._run(lambda *_: together.wait(10)), range(4)))
    else:

        async def work() -> None:
            await asyncio.gather(*[store.store.claim(str(n), "t", **DURATIONS) for n in range(4)])

        store.run(work())
    pool_of: Any = store if isinstance(store, SQLAlchemyStore) else store.store
    assert pool_of._database.engine.pool.checkedin() >= 4


@pytest.mark.parametrize("way", ["killed", "cut"])
@pytest.mark.parametrize("driver", DROPPED)
def test_all_dropped_while_a_handler_runs(
    request: pytest.FixtureRequest, driver: str, way: str
) -> None:
    """The claim is completed on a new connection, and the event does not run again."""
    url, kind = find_url(request, driver), {**SYNC_DRIVERS, **ASYNC_DRIVERS}[driver]
    server = request.getfixturevalue(f"{kind}_server")
    runs: list[str] = []
    with Proxy(server.port) as proxy:
        store = open_store(url.replace(str(server.port), str(proxy.port)))
        hooks = dubhooks.Webhooks(
            workers.SECRET, store=getattr(store, "store", store), max_age=None
        )

        @hooks.on(SaleCreated)
        def handle(event: SaleCreated) -> None:
            runs.append(event.id)
            proxy.cut() if way == "cut" else kill_all(kind, server.url())

        def deliver() -> str:
            request = workers.delivery_of("evt_1")
            if driver in ASYNC_DRIVERS:
                outcome: str = store.run(hooks.ahandle(*request)).outcome
                return outcome
            return hooks.handle(*request).outcome

        open_four(store)
        assert deliver() == "handled"
        assert deliver() == "duplicate"
        store.close()
    assert runs == ["evt_1"]


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg", "pymysql", "aiomysql"])
def test_restarted_server(request: pytest.FixtureRequest, driver: str) -> None:
    """A server that restarts while a claim is to be completed is waited for."""
    url, kind = find_url(request, driver), {**SYNC_DRIVERS, **ASYNC_DRIVERS}[driver]
    server = request.getfixturevalue(f"{kind}_server")
    store = open_store(url)
    open_four(store)
    claim(store)
    claim(store, "other")
    fresh = make_store(url)
    server.stop()
    thread = threading.Timer(0.5, server.start)
    thread.start()
    with ThreadPoolExecutor(2) as pool:
        ends = [
            pool.submit(each.complete, key, "one", retention=60.0)
            for each, key in ((store, "k"), (fresh, "other"))
        ]
        assert [end.result() for end in ends] == [True, True]
    thread.join()
    assert claim(store, token="two").state == "done"
    for each in (store, fresh):
        each.close()


@pytest.mark.parametrize("driver", ["psycopg", "pymysql", "pg8000", "asyncpg", "aiomysql"])
def test_unreachable_server(driver: str) -> None:
    """The error comes through at once when there is no server from the start."""
    scheme = "mysql" if "mysql" in driver else "postgresql"
    store = make_store(f"{scheme}+{driver}://nobody@127.0.0.1:{free_port()}/none", timeout=60.0)
    started = time.monotonic()
    with pytest.raises(Exception, match=r"refused|an't connect|an't create|failed"):
        claim(store)
    assert time.monotonic() - started < 5
    store.close()


# -- processes, tasks and pools of others ----------------------------------------------------------


def test_cancelled_in_the_middle(postgresql_server: PostgreSQLServer) -> None:
    """A claim that is cancelled while the server works leaves no half-used connection behind."""

    async def work() -> None:
        engine = create_async_engine(postgresql_server.url("asyncpg"), pool_size=1, max_overflow=1)
        store = AsyncSQLAlchemyStore(engine)
        await store.create_table()
        await store.claim("cancelled", "one", **DURATIONS)
        async with engine.begin() as other:
            await other.execute(text("LOCK TABLE dubhooks_claims"))
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(store.claim("cancelled", "two", **DURATIONS), 0.1)
            async with engine.connect():  # both connections are in use
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(store.claim("cancelled", "two", **DURATIONS), 0.1)
        for number in range(5):
            claimed = await store.claim(f"cancelled-{number}", "two", **DURATIONS)
            assert claimed.state == "acquired"
        assert (await store.claim("cancelled", "two", **DURATIONS)).state == "busy"
        await store.aclose()  # the engine is not the store's
        pool: Any = engine.pool
        assert pool.checkedin() == 1
        await engine.dispose()

    asyncio.run(work())


async def _through_pgbouncer(store: AsyncSQLAlchemyStore) -> list[Any]:
    """Claim and complete many keys on more connections than PgBouncer has; return the errors."""
    await store.create_table()

    async def deliver(number: int) -> None:
        for each in range(40):
            key = f"pooled-{uuid4()}-{number}-{each}"
            await store.claim(key, "t", fingerprint="f", lease=60.0, retention=60.0)
            assert await store.complete(key, "t", retention=60.0)

    results = await asyncio.gather(*map(deliver, range(16)), return_exceptions=True)
    return [each for each in results if each is not None]


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_pgbouncer(pgbouncer_server: PgBouncerServer, driver: str) -> None:
    """Behind PgBouncer a URL is enough for psycopg; asyncpg needs what the page says."""

    async def work() -> None:
        url = pgbouncer_server.url(driver)
        if driver == "psycopg":
            store = AsyncSQLAlchemyStore(f"{url}?prepare_threshold=none")
            assert not await _through_pgbouncer(store)
            await store.aclose()
            return
        engine = create_async_engine(url, pool_size=16, connect_args=ASYNCPG_BEHIND_PGBOUNCER)
        assert not await _through_pgbouncer(AsyncSQLAlchemyStore(engine))
        await engine.dispose()

    asyncio.run(work())
