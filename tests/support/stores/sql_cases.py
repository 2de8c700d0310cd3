"""What the tests of the SQL stores share."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore, SQLAlchemyStore
from tests.support.on_loop import OnLoop
from tests.support.stores.backends import Backend

ASYNCPG_BEHIND_PGBOUNCER = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: f"dubhooks_{uuid4()}",
}

SYNC_DRIVERS = {
    **dict.fromkeys(("psycopg", "psycopg2", "pg8000"), "postgresql"),
    **dict.fromkeys(("pymysql", "mysqlconnector"), "mariadb"),
    "pysqlite": "sqlite",
}
ASYNC_DRIVERS = {
    **dict.fromkeys(("asyncpg", "psycopg_async"), "postgresql"),
    **dict.fromkeys(("aiomysql", "asyncmy"), "mariadb"),
    "aiosqlite": "sqlite",
}


def find_url(request: pytest.FixtureRequest, driver: str) -> str:
    """Return where a driver finds its server, which is without claims, or a file of the test."""
    kind = {**SYNC_DRIVERS, **ASYNC_DRIVERS}[driver]
    if kind == "sqlite":
        directory: Path = request.getfixturevalue("tmp_path")
        return f"sqlite+{driver}:///{directory}/claims.db"
    server: Any = request.getfixturevalue(f"{kind}_server")
    Backend(kind, server).empty()
    url: str = server.url(driver)
    return url


def make_store(url: str, **options: Any) -> Any:
    """Return a store that was made from a URL; an async one is on a loop of its own."""
    if any(f"+{driver}:" in url for driver in ASYNC_DRIVERS):
        return OnLoop(AsyncSQLAlchemyStore(url, **options))
    return SQLAlchemyStore(url, **options)


def open_store(url: str, **options: Any) -> Any:
    """Return such a store with its table."""
    store = make_store(url, **options)
    store.run(store.store.create_table()) if isinstance(store, OnLoop) else store.create_table()
    return store
