"""Real servers, each started once for all tests that ask for it; see ``servers.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.servers import MariaDBServer, PgBouncerServer, PostgreSQLServer, RedisServer
from tests.support.stores.backends import Backend

if TYPE_CHECKING:
    from sqlalchemy import Engine


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server that runs; a test that stops it starts it again."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQLServer]:
    """A PostgreSQL server that runs; a test that stops it starts it again."""
    with PostgreSQLServer() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDBServer]:
    """A MariaDB server that runs; a test that stops it starts it again."""
    with MariaDBServer() as server:
        yield server


@pytest.fixture(scope="session")
def pgbouncer_server(postgresql_server: PostgreSQLServer) -> Iterator[PgBouncerServer]:
    """PgBouncer in transaction mode before ``postgresql_server``."""
    with PgBouncerServer(postgresql_server) as server:
        yield server


@pytest.fixture(params=["redis", "postgresql", "mariadb", "django-postgresql", "django-mariadb"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Each server, without claims; with Django's stores, too, where it has some; or a file."""
    server: Any = tmp_path / "claims.db"
    if request.param != "sqlite":
        server = request.getfixturevalue(f"{request.param.removeprefix('django-')}_server")
    backend = Backend(request.param, server)
    backend.empty()
    return backend


@pytest.fixture(params=["postgresql", "mariadb", "sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine of SQLAlchemy for each database, without our tables."""
    from sqlalchemy import create_engine

    from dubhooks.stores.sqlalchemy import metadata

    if request.param == "sqlite":
        engine = create_engine(f"sqlite:///{tmp_path}/claims.db")
    else:
        engine = create_engine(request.getfixturevalue(f"{request.param}_server").url())
    metadata.drop_all(engine)
    yield engine
    metadata.drop_all(engine)
    engine.dispose()


_SERIALIZABLE = {
    # Not by Django's isolation_level, which psycopg sends only when a transaction begins.
    "postgresql": {"options": "-c default_transaction_isolation=serializable"},
    "mariadb": {"isolation_level": "serializable"},
}


@pytest.fixture(scope="session")
def alias_of(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Return a function that makes a database of an engine ready, once, and returns its alias."""
    from tests.support.adapters import django_setup
    from tests.support.stores.django_project import database_at

    ready: set[str] = set()

    def prepared(engine: str) -> str:
        kind, _, isolation = engine.partition("-")
        if engine not in ready:
            database = django_setup.sqlite("stores.db")
            if kind != "sqlite":
                url = request.getfixturevalue(f"{kind}_server").url()
                database = database_at(url, **(_SERIALIZABLE[kind] if isolation else {}))
            django_setup.add_database(engine, database)
            ready.add(engine)
        return engine

    return prepared


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def alias(request: pytest.FixtureRequest, alias_of: Callable[[str], str]) -> Iterator[str]:
    """Return the alias of a database of each engine."""
    from django.db import connections

    yield alias_of(request.param)
    connections.close_all()
