"""The SQL stores keep the contract, on real servers and with every driver."""

import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from dubhooks import ConfigurationError
from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore, SQLAlchemyStore, metadata
from dubhooks.testing import StoreContract
from tests.support.servers import MariaDBServer, PgBouncerServer, PostgreSQLServer
from tests.support.stores.backends import close
from tests.support.stores.sql_cases import (
    ASYNC_DRIVERS,
    ASYNCPG_BEHIND_PGBOUNCER,
    SYNC_DRIVERS,
    find_url,
    open_store,
)
from tests.support.stores.store_cases import claim


class SQLContract(StoreContract):
    """What the contract needs to know of every store; not collected by its name."""

    url: str
    engine: ClassVar[dict[str, Any] | None] = None
    """Options of an engine that somebody makes for the store; without them it has the URL."""

    def make_store(self) -> Any:
        """Return another handle with connections of its own."""
        store = SQLAlchemyStore(
            self.url if self.engine is None else create_engine(self.url, **self.engine)
        )
        store.create_table()
        return store

    def close_store(self, store: Any) -> object:
        """Close its connections, those of the test's engine as well."""
        return close(store)


class AsyncSQLContract(SQLContract):
    """The same for async drivers."""

    async def make_store(self) -> Any:
        """Return another handle with connections of its own."""
        store = AsyncSQLAlchemyStore(
            self.url if self.engine is None else create_async_engine(self.url, **self.engine)
        )
        await store.create_table()
        return store


class PostgreSQL:
    """Uses the session's server."""

    driver = "psycopg"

    @pytest.fixture(autouse=True)
    def _server(self, postgresql_server: PostgreSQLServer) -> None:
        self.url = postgresql_server.url(self.driver)


class MariaDB:
    """Uses the session's server."""

    driver = "pymysql"

    @pytest.fixture(autouse=True)
    def _server(self, mariadb_server: MariaDBServer) -> None:
        self.url = mariadb_server.url(self.driver)


class TestPostgreSQL(PostgreSQL, SQLContract):
    """The store keeps the contract on PostgreSQL."""


class TestPostgreSQLAsync(PostgreSQL, AsyncSQLContract):
    """It keeps the contract through asyncpg."""

    driver = "asyncpg"


class TestMariaDB(MariaDB, SQLContract):
    """The store keeps the contract on MariaDB."""


class TestSQLite(SQLContract):
    """The store keeps the contract on SQLite."""

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.url = f"sqlite:///{tmp_path}/claims.db"


@pytest.mark.slow
class TestPostgreSQLEngine(PostgreSQL, SQLContract):
    """It keeps the contract on an engine whose transactions are serializable."""

    engine: ClassVar = {
        "isolation_level": "SERIALIZABLE",
        "connect_args": {"options": "-c default_transaction_isolation=serializable"},
    }


@pytest.mark.slow
class TestMariaDBEngine(MariaDB, SQLContract):
    """It keeps the contract on an engine of MariaDB as it comes."""

    engine: ClassVar = {}


@pytest.mark.slow
class TestMariaDBAsync(MariaDB, AsyncSQLContract):
    """It keeps the contract through aiomysql."""

    driver = "aiomysql"


@pytest.mark.slow
class TestPgBouncer(SQLContract):
    """It keeps the contract behind PgBouncer in transaction mode."""

    @pytest.fixture(autouse=True)
    def _server(self, pgbouncer_server: PgBouncerServer) -> None:
        self.url = f"{pgbouncer_server.url()}?prepare_threshold=none"


@pytest.mark.slow
class TestPgBouncerAsync(AsyncSQLContract):
    """It keeps the contract behind PgBouncer through asyncpg, which prepares every statement."""

    engine: ClassVar = {"connect_args": ASYNCPG_BEHIND_PGBOUNCER}

    @pytest.fixture(autouse=True)
    def _server(self, pgbouncer_server: PgBouncerServer) -> None:
        self.url = pgbouncer_server.url("asyncpg")


PLAIN = {
    **dict.fromkeys(("asyncpg", "psycopg_async"), "psycopg"),
    **dict.fromkeys(("aiomysql", "asyncmy"), "pymysql"),
    "aiosqlite": "pysqlite",
}


@pytest.mark.parametrize("driver", [*SYNC_DRIVERS, *ASYNC_DRIVERS])
def test_every_driver(request: pytest.FixtureRequest, driver: str) -> None:
    """Each driver claims, renews, completes, tells what is done, forgets and purges."""
    url = find_url(request, driver)
    store = open_store(url)
    assert claim(store)[:2] == ("acquired", 1)
    assert claim(store)[:2] == ("acquired", 1)
    assert 50 < claim(store, token="two").retry_after <= 60
    assert not store.complete("k", "two", retention=60.0)
    assert store.complete("k", "one", retention=60.0)
    assert not store.complete("k", "one", retention=60.0), "only once for a caller"
    assert claim(store, token="two").state == "done"
    assert store.forget("k")
    assert not store.forget("k")
    assert claim(store, token="two", lease=0.001, retention=0.001).state == "acquired"
    assert claim(store, "K", lease=0.001)[:2] == ("acquired", 1)
    time.sleep(0.01)
    assert store.purge() == 1
    assert claim(store, "K", "two")[:2] == ("acquired", 2)
    engine = create_engine(url.replace(f"+{driver}:", f"+{PLAIN.get(driver, driver)}:"))
    metadata.drop_all(engine)
    engine.dispose()
    with pytest.raises(
        ConfigurationError, match=r"no table dubhooks_claims: call create_table\(\)"
    ):
        claim(store)
    store.close()
