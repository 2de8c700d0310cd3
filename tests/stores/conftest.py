"""Real servers, each started once for all tests that ask for it; see ``servers.py``."""

from collections.abc import Iterator

import pytest

from backends import Backend
from servers import MariaDBServer, PgBouncerServer, PostgreSQLServer, RedisServer


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


@pytest.fixture(params=["redis", "postgresql", "mariadb"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each server, without claims."""
    backend = Backend(request.param, request.getfixturevalue(f"{request.param}_server"))
    backend.empty()
    return backend
