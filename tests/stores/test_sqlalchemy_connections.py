"""Connections that are lost, shared, cancelled, pooled by others or never made."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import (
    Engine,
    create_engine,
    text,
)
from sqlalchemy.ext.asyncio import create_async_engine

from dubhooks.stores.sqlalchemy import (
    AsyncSQLAlchemyStore,
    SQLAlchemyStore,
    claims_table,
    metadata,
)
from tests.support.proxy import Proxy
from tests.support.servers import MariaDBServer, PgBouncerServer, PostgreSQLServer, free_port
from tests.support.stores.sql_cases import ASYNCPG_BEHIND_PGBOUNCER, FINGERPRINT, claim
from tests.support.stores.store_cases import check_fork_after_use


@pytest.mark.parametrize("replies", [0, 1])
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_lost_replies(request: pytest.FixtureRequest, kind: str, replies: int) -> None:
    """A statement or commit whose reply is lost is repeated, and says the same once more."""
    server = request.getfixturevalue(f"{kind}_server")
    with Proxy(server.port) as proxy:
        engine = create_engine(server.url().replace(str(server.port), str(proxy.port)))
        store = SQLAlchemyStore(engine)
        store.create_table()
        for number in range(10):  # PostgreSQL prepares a statement after some times
            claim(store, f"warm-{kind}-{replies}-{number}")
            store.complete(f"warm-{kind}-{replies}-{number}", "one", retention=60.0)
        key = f"lost-{kind}-{replies}"
        proxy.drop_reply(after=replies)
        assert claim(store, key)[:2] == ("acquired", 1)
        assert claim(store, key, "two").state == "busy"
        proxy.drop_reply(after=replies)
        assert store.complete(key, "one", retention=60.0)
        assert not store.complete(key, "one", retention=60.0)
        assert claim(store, key, "two").state == "done"
        proxy.drop_reply(after=replies)
        store.forget(key)
        assert claim(store, key, "two")[:2] == ("acquired", 1)
        assert proxy.dropped == 3
        engine.dispose()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_stale_pool(request: pytest.FixtureRequest, kind: str) -> None:
    """After a restart of the server a pool full of dead connections costs no delivery."""
    server = request.getfixturevalue(f"{kind}_server")
    engine = create_engine(server.url(), pool_size=5)
    store = SQLAlchemyStore(engine)
    store.create_table()
    connections = [engine.connect() for _ in range(5)]
    for connection in connections:
        connection.close()
    claim(store, f"stale-{kind}")
    server.stop()
    server.start()
    assert store.complete(f"stale-{kind}", "one", retention=60.0)
    assert claim(store, f"stale-{kind}", "two").state == "done"
    engine.dispose()


@pytest.mark.parametrize(("kind", "driver"), [("postgresql", "asyncpg"), ("mariadb", "aiomysql")])
def test_stale_pool_async(request: pytest.FixtureRequest, kind: str, driver: str) -> None:
    """The async store, too, gets over a pool full of dead connections."""
    server = request.getfixturevalue(f"{kind}_server")

    async def work() -> None:
        engine = create_async_engine(server.url(driver), pool_size=5)
        store = AsyncSQLAlchemyStore(engine)
        await store.create_table()
        keys = [f"stale-{driver}-{number}" for number in range(5)]
        claims = [
            store.claim(key, "one", fingerprint="f", lease=60.0, retention=600.0) for key in keys
        ]
        await asyncio.gather(*claims)
        server.stop()
        server.start()
        for key in keys:
            assert await store.complete(key, "one", retention=60.0)
        await engine.dispose()

    asyncio.run(work())


@pytest.mark.slow
def test_fork_after_use(engine: Engine) -> None:
    """A child of a process that has claimed uses connections of its own, and so does the parent."""
    store = SQLAlchemyStore(engine)
    store.create_table()
    check_fork_after_use(store)


def test_cancelled_in_the_middle(postgresql_server: PostgreSQLServer) -> None:
    """A claim that is cancelled while the server works leaves no half-used connection behind."""

    async def work() -> None:
        engine = create_async_engine(postgresql_server.url("asyncpg"), pool_size=1, max_overflow=1)
        store = AsyncSQLAlchemyStore(engine)
        await store.create_table()
        durations: Any = {"fingerprint": "f", "lease": 60.0, "retention": 600.0}
        await store.claim("cancelled", "one", **durations)
        async with engine.begin() as other:
            await other.execute(text("LOCK TABLE dubhooks_claims"))
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(store.claim("cancelled", "two", **durations), 0.1)
        for number in range(5):
            claimed = await store.claim(f"cancelled-{number}", "two", **durations)
            assert claimed.state == "acquired"
        assert (await store.claim("cancelled", "two", **durations)).state == "busy"
        await engine.dispose()

    asyncio.run(work())


def test_purged_between_two_statements(mariadb_server: MariaDBServer) -> None:
    """Without RETURNING and transactions, a row that is gone when it is read means: come again."""
    engine = create_engine(mariadb_server.url(), isolation_level="AUTOCOMMIT")
    engine.connect().close()
    engine.dialect.insert_returning = False
    store = SQLAlchemyStore(engine)
    store.create_table()

    claims = store._prepared()
    written = claims._claim

    class Purging:
        def count(self, connection: Any, parameters: Any) -> int:
            changed = written.count(connection, parameters)
            with engine.connect() as other:
                other.execute(claims_table.delete())
            return changed

    claims._claim = Purging()  # type: ignore[assignment]
    assert claim(store, "purged") == ("busy", 1, FINGERPRINT, 0.001)
    claims._claim = written
    assert claim(store, "purged").state == "acquired"
    metadata.drop_all(engine)
    engine.dispose()


async def _through_pgbouncer(url: str, **connect_args: Any) -> list[Any]:
    """Claim and complete many keys on more connections than PgBouncer has; return the errors."""
    engine = create_async_engine(url, pool_size=16, connect_args=connect_args)
    store = AsyncSQLAlchemyStore(engine)
    await store.create_table()

    async def deliver(number: int) -> None:
        for each in range(40):
            key = f"pooled-{uuid4()}-{number}-{each}"
            await store.claim(key, "t", fingerprint="f", lease=60.0, retention=60.0)
            assert await store.complete(key, "t", retention=60.0)

    results = await asyncio.gather(*map(deliver, range(16)), return_exceptions=True)
    await engine.dispose()
    return [each for each in results if each is not None]


def test_pgbouncer_with_prepared_statements(pgbouncer_server: PgBouncerServer) -> None:
    """Without the settings for PgBouncer nothing goes wrong in silence, and an error names them."""
    errors = asyncio.run(_through_pgbouncer(pgbouncer_server.url()))
    assert any("prepare_threshold=None" in str(each) for each in errors), errors
    assert not any(isinstance(each, AssertionError) for each in errors), errors


def test_pgbouncer_between_asyncpg_preparing_and_running(pgbouncer_server: PgBouncerServer) -> None:
    """A statement torn apart by PgBouncer is sent again, from then on in transactions."""
    options = ASYNCPG_BEHIND_PGBOUNCER
    assert not asyncio.run(_through_pgbouncer(pgbouncer_server.url("asyncpg"), **options))


@pytest.mark.parametrize("driver", ["postgresql+psycopg", "mysql+pymysql"])
def test_unreachable_server(driver: str) -> None:
    """The error comes through when there is no server."""
    store = SQLAlchemyStore(create_engine(f"{driver}://nobody@127.0.0.1:{free_port()}/none"))
    with pytest.raises(Exception, match=r"refused|Can't connect"):
        claim(store)


def test_locked_by_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that stays locked gives an error in bounded time."""
    monkeypatch.setattr("dubhooks.stores.sqlalchemy._errors._PATIENCE", 0.5)
    engine = create_engine(f"sqlite:///{tmp_path}/x.db", connect_args={"timeout": 0.1})
    store = SQLAlchemyStore(engine)
    store.create_table()
    claim(store)
    with engine.connect() as other:
        other.execute(text("BEGIN EXCLUSIVE"))
        with pytest.raises(Exception, match="locked"):
            claim(store, "k2")
    engine.dispose()
