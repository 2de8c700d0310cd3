"""Real servers, each started once for all tests that ask for it; see ``servers.py``."""

from __future__ import annotations

from collections.abc import Iterator
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
