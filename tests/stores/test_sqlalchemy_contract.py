"""The SQL stores keep the contract, on real servers and with every driver."""

import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from dubhooks import ConfigurationError
from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore, SQLAlchemyStore, metadata
from dubhooks.testing import StoreContract
from tests.support.stores.backends import close
from tests.support.stores.sql_cases import (
    ASYNC_DRIVERS,
    ASYNCPG_BEHIND_PGBOUNCER,
    SYNC_DRIVERS,
    find_url,
    open_store,
)
from tests.support.stores.store_cases import claim

SLOW = pytest.mark.slow
SERIALIZABLE = {
    "isolation_level": "SERIALIZABLE",
    "connect_args": {"options": "-c default_transaction_isolation=serializable"},
}
WORLDS: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "postgresql": ("postgresql", "psycopg", None),
    "postgresql, async": ("postgresql", "asyncpg", None),
    "mariadb": ("mariadb", "pymysql", None),
    "sqlite": ("sqlite", "pysqlite", None),
    "postgresql, serializable": ("postgresql", "psycopg", SERIALIZABLE),
    "mariadb, an engine": ("mariadb", "pymysql", {}),
    "mariadb, async": ("mariadb", "aiomysql", None),
    "pgbouncer": ("pgbouncer", "psycopg", None),
    "pgbouncer, async": ("pgbouncer", "asyncpg", {"connect_args": ASYNCPG_BEHIND_PGBOUNCER}),
}
"""Server, driver, and options of an engine that somebody makes: without them a store has a URL."""
FAST = ["postgresql", "postgresql, async", "mariadb", "sqlite"]


class TestContract(StoreContract):
    """A store keeps the contract on every database, on engines of others and behind PgBouncer."""

    @pytest.fixture(
        autouse=True,
        params=[name if name in FAST else pytest.param(name, marks=SLOW) for name in WORLDS],
    )
    def _world(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        kind, self.driver, self.engine = WORLDS[request.param]
        self.url = f"sqlite:///{tmp_path}/claims.db"
        if kind != "sqlite":
            self.url = request.getfixturevalue(f"{kind}_server").url(self.driver)
        if request.param == "pgbouncer":
            self.url += "?prepare_threshold=none"

    def make_store(self) -> Any:
        """Return another handle with connections of its own."""
        return self.make_async_store() if self.driver in ASYNC_DRIVERS else self.make_sync_store()

    def make_sync_store(self) -> SQLAlchemyStore:
        """Return a store with its table."""
        engine = None if self.engine is None else create_engine(self.url, **self.engine)
        store = SQLAlchemyStore(self.url if engine is None else engine)
        store.create_table()
        return store

    async def make_async_store(self) -> AsyncSQLAlchemyStore:
        """Return a store with its table."""
        engine = None if self.engine is None else create_async_engine(self.url, **self.engine)
        store = AsyncSQLAlchemyStore(self.url if engine is None else engine)
        await store.create_table()
        return store

    def close_store(self, store: Any) -> object:
        """Close its connections, those of the test's engine as well."""
        return close(store)


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
