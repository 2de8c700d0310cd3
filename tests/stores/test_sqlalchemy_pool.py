"""What the SQL stores do with the connections of an engine that is not theirs alone."""

import asyncio
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, exc, text
from sqlalchemy.ext.asyncio import create_async_engine

from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore, SQLAlchemyStore
from tests.support.proxy import Proxy
from tests.support.servers import MariaDBServer, PostgreSQLServer
from tests.support.stores.backends import Backend
from tests.support.stores.sql_cases import FINGERPRINT, claim

ONE_CONNECTION: dict[str, Any] = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.2}


def began(connection: Any, *_: object) -> None:
    """Do what an event listener does that sets something up, and so begins a transaction."""
    cursor = connection.cursor()
    cursor.execute("SELECT 1")
    cursor.close()


def of_one_connection(server: PostgreSQLServer | MariaDBServer, **options: Any) -> SQLAlchemyStore:
    """Return a store whose engine has one connection."""
    kind = "postgresql" if isinstance(server, PostgreSQLServer) else "mariadb"
    Backend(kind, server).empty()
    engine = create_engine(server.url(), **ONE_CONNECTION)
    return SQLAlchemyStore(engine, **options)


def test_connections_go_back_as_they_were(engine: Engine) -> None:
    """What other code does on the same connections afterwards is in a transaction, as before."""
    store = SQLAlchemyStore(create_engine(engine.url, **ONE_CONNECTION))
    store.create_table()
    other = store._engine
    with other.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS others"))
        connection.execute(text("CREATE TABLE others (id INTEGER)"))
    for number in range(3):
        assert claim(store, f"k{number}").state == "acquired"
        with other.connect() as connection:
            connection.execute(text("INSERT INTO others VALUES (1)"))
            connection.rollback()
            assert not connection.execute(text("SELECT * FROM others")).all()
        assert claim(store, f"k{number}", "two").state == "busy", "a rollback undid a claim"
    with other.begin() as connection:
        connection.execute(text("DROP TABLE others"))
    assert other.pool.checkedout() == 0  # type: ignore[attr-defined]
    other.dispose()


def test_listener_that_begins_a_transaction(engine: Engine) -> None:
    """Claims are committed although a listener of the pool's has begun a transaction."""
    engine = create_engine(engine.url, **ONE_CONNECTION)
    event.listen(engine, "checkout", began)
    store = SQLAlchemyStore(engine)
    store.create_table()
    assert claim(store).state == "acquired"
    assert store.complete("k", "one", retention=60.0)
    other = create_engine(engine.url)
    assert claim(SQLAlchemyStore(other), token="two").state == "done"
    engine.dispose()
    other.dispose()


def test_connection_that_commits_by_itself(postgresql_server: PostgreSQLServer) -> None:
    """A connection that somebody has switched already is left as it is."""
    store = of_one_connection(postgresql_server)
    claim(store)
    event.listen(store._engine, "checkout", lambda each, *_: setattr(each, "autocommit", True))
    assert claim(store, "other").state == "acquired"
    with store._engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        assert driver.autocommit
    store._engine.dispose()


if sys.version_info >= (3, 12):

    def test_autocommit_of_sqlite(tmp_path: Path) -> None:
        """A connection of SQLite that commits by itself is told from one that does not."""
        for commits in (True, False):
            engine = create_engine(
                f"sqlite:///{tmp_path}/x.db", connect_args={"autocommit": commits}
            )
            store = SQLAlchemyStore(engine)
            store.create_table()
            assert claim(store, f"k{commits}").state == "acquired"
            assert claim(store, f"k{commits}", "two").state == "busy"
            assert store._prepared().mode == ("none" if commits else "switch")
            engine.dispose()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg_async"])
def test_async_listener_that_begins_a_transaction(
    postgresql_server: PostgreSQLServer, driver: str
) -> None:
    """The same with drivers whose switch to autocommit does not tell."""
    Backend("postgresql", postgresql_server).empty()

    async def work() -> None:
        engine = create_async_engine(postgresql_server.url(driver), **ONE_CONNECTION)
        event.listen(engine.sync_engine, "checkout", began)
        store = AsyncSQLAlchemyStore(engine)
        claimed = await store.claim("k", "one", fingerprint=FINGERPRINT, lease=60.0, retention=60.0)
        assert claimed.state == "acquired"
        await engine.dispose()

    asyncio.run(work())
    other = create_engine(postgresql_server.url())
    assert claim(SQLAlchemyStore(other), token="two").state == "busy"
    other.dispose()


def test_exhausted_pool(postgresql_server: PostgreSQLServer) -> None:
    """When other code keeps all connections, the error says so and the next claim works."""
    store = of_one_connection(postgresql_server)
    claim(store)
    with store._engine.connect(), pytest.raises(exc.TimeoutError, match="QueuePool limit"):
        claim(store, "other")
    assert claim(store, "other").state == "acquired"
    store._engine.dispose()


def test_cancelled_while_waiting_for_a_connection(postgresql_server: PostgreSQLServer) -> None:
    """A claim that is cancelled before it has a connection takes none."""
    Backend("postgresql", postgresql_server).empty()
    options: Any = {"fingerprint": FINGERPRINT, "lease": 60.0, "retention": 60.0}

    async def work() -> None:
        engine = create_async_engine(
            postgresql_server.url("asyncpg"), **{**ONE_CONNECTION, "pool_timeout": 30}
        )
        store = AsyncSQLAlchemyStore(engine)
        await store.claim("k", "one", **options)
        async with engine.connect():
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(store.claim("other", "one", **options), 0.1)
        assert (await store.claim("other", "two", **options)).state == "acquired"
        await engine.dispose()

    asyncio.run(work())


def test_cut_after_the_answer(postgresql_server: PostgreSQLServer) -> None:
    """An answer that came in time counts; its connection, which was cut, is not used again."""
    store = of_one_connection(postgresql_server, timeout=0.1)
    claim(store)

    def slow(_connection: object) -> str:
        time.sleep(0.3)
        return "answer"

    assert store._run("switch", slow) == "answer"
    assert claim(store, token="two").state == "busy"
    store._engine.dispose()


def test_lost_while_something_else_failed(mariadb_server: MariaDBServer) -> None:
    """A connection whose rollback fails is not used again; the first error comes through."""
    store = of_one_connection(mariadb_server)
    claim(store)

    def fail(connection: Any) -> None:
        connection.driver_connection._sock.shutdown(socket.SHUT_RDWR)
        raise LookupError("of another kind")

    with pytest.raises(LookupError, match="of another kind"):
        store._run("commit", fail)
    assert claim(store, token="two").state == "busy"
    store._engine.dispose()


OWN = {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None}


@pytest.mark.parametrize(
    ("kind", "options", "trips"),
    [
        ("postgresql", {}, 1),
        ("postgresql", OWN, 1),
        ("mariadb", {}, 2),
        ("mariadb", OWN, 1),
    ],
)
def test_round_trips(
    request: pytest.FixtureRequest, kind: str, options: dict[str, Any], trips: int
) -> None:
    """A claim costs one round trip; on MariaDB and an engine that is shared, its commit another."""
    server = request.getfixturevalue(f"{kind}_server")
    Backend(kind, server).empty()
    with Proxy(server.port) as proxy:
        url = server.url().replace(str(server.port), str(proxy.port))
        engine = create_engine(url, pool_size=1, **options)
        store = SQLAlchemyStore(engine)
        for number in range(10):  # PostgreSQL prepares a statement after some times
            claim(store, f"warm-{number}")
        before = proxy.replies
        for number in range(20):
            claim(store, f"k-{number}")
        assert proxy.replies - before == 20 * trips
        engine.dispose()
