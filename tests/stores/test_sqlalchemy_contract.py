"""The SQL stores keep the contract, on real servers."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import (
    Engine,
    create_engine,
)
from sqlalchemy.ext.asyncio import create_async_engine

from dubhooks.stores.sqlalchemy import (
    AsyncSQLAlchemyStore,
    SQLAlchemyStore,
)
from dubhooks.testing import StoreContract
from tests.support.servers import MariaDBServer, PgBouncerServer, PostgreSQLServer
from tests.support.stores.sql_cases import ASYNCPG_BEHIND_PGBOUNCER


class SQLContract(StoreContract):
    """What the contract needs to know of every engine; not collected by its name."""

    url: str
    options: ClassVar[dict[str, Any]] = {}

    def make_store(self) -> Any:
        """Return another handle with an engine of its own."""
        store = SQLAlchemyStore(self.make_engine())
        store.create_table()
        return store

    def make_engine(self) -> Engine:
        """Return an engine."""
        return create_engine(self.url, **self.options)

    def close_store(self, store: Any) -> object:
        """Dispose of the engine, which is the test's."""
        return store._engine.dispose()


class AsyncSQLContract(SQLContract):
    """The same for async engines."""

    async def make_store(self) -> Any:
        """Return another handle with an engine of its own."""
        store = AsyncSQLAlchemyStore(create_async_engine(self.url, **self.options))
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


class SQLite:
    """Uses a file of the test."""

    driver = "pysqlite"

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.url = f"sqlite+{self.driver}:///{tmp_path}/claims.db"


class TestPostgreSQL(PostgreSQL, SQLContract):
    """The store keeps the contract on PostgreSQL."""


class TestPostgreSQLAsync(PostgreSQL, AsyncSQLContract):
    """It keeps the contract through asyncpg."""

    driver = "asyncpg"


@pytest.mark.slow
class TestPostgreSQLSerializable(PostgreSQL, SQLContract):
    """It keeps the contract where every transaction is serializable."""

    options: ClassVar = {
        "isolation_level": "SERIALIZABLE",
        "connect_args": {"options": "-c default_transaction_isolation=serializable"},
    }


@pytest.mark.slow
class TestPgBouncer(SQLContract):
    """It keeps the contract behind PgBouncer in transaction mode."""

    # A statement that PostgreSQL knows by name is unknown on the next server connection.
    options: ClassVar = {"connect_args": {"prepare_threshold": None}}

    @pytest.fixture(autouse=True)
    def _server(self, pgbouncer_server: PgBouncerServer) -> None:
        self.url = pgbouncer_server.url()


@pytest.mark.slow
class TestPgBouncerAsync(AsyncSQLContract):
    """It keeps the contract behind PgBouncer through asyncpg, which prepares every statement."""

    options: ClassVar = {"connect_args": ASYNCPG_BEHIND_PGBOUNCER}

    @pytest.fixture(autouse=True)
    def _server(self, pgbouncer_server: PgBouncerServer) -> None:
        self.url = pgbouncer_server.url("asyncpg")


class TestMariaDB(MariaDB, SQLContract):
    """The store keeps the contract on MariaDB."""


class TestMariaDBAsync(MariaDB, AsyncSQLContract):
    """It keeps the contract through aiomysql."""

    driver = "aiomysql"


@pytest.mark.slow
class TestMariaDBSerializable(MariaDB, SQLContract):
    """It keeps the contract where every transaction is serializable."""

    options: ClassVar = {"isolation_level": "SERIALIZABLE"}


@pytest.mark.slow
class TestWithoutReturning(MariaDB, SQLContract):
    """It keeps the contract as on MySQL, which cannot return the row that it wrote."""

    def make_engine(self) -> Engine:
        """Return an engine that knows nothing of RETURNING."""
        engine = super().make_engine()
        engine.connect().close()
        engine.dialect.insert_returning = False
        return engine


@pytest.mark.slow
class TestMariaDBAutocommit(MariaDB, SQLContract):
    """It keeps the contract on an engine of its own, as the documentation advises."""

    options: ClassVar = {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None}


class TestSQLite(SQLite, SQLContract):
    """The store keeps the contract on SQLite."""


class TestSQLiteAsync(SQLite, AsyncSQLContract):
    """It keeps the contract through aiosqlite."""

    driver = "aiosqlite"
