"""The databases that the tests of ``DjangoStore`` and ``DjangoInbox`` run on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import django_setup
import pytest
from django.db import connections

from dubhooks import Claim
from dubhooks.django import DjangoStore
from servers import MariaDBServer, PostgreSQLServer

__all__ = ["PRINT", "alias", "alias_of", "claim", "in_thread", "postgresql"]

TIMES: dict[str, Any] = {"lease": 60.0, "retention": 3600.0}
PRINT = "f" * 64


def postgresql(server: PostgreSQLServer, **options: Any) -> dict[str, Any]:
    """Return Django's settings of a PostgreSQL database."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "test",
        "USER": "dubhooks",
        "HOST": server.host,
        "PORT": server.port,
        "OPTIONS": options,
    }


def mariadb(server: MariaDBServer, **options: Any) -> dict[str, Any]:
    """Return Django's settings of a MariaDB database, with a driver that needs no compiler."""
    import pymysql

    pymysql.version_info = (2, 2, 1, "final", 0)  # Django looks at the version of mysqlclient
    pymysql.install_as_MySQLdb()
    return {
        "ENGINE": "django.db.backends.mysql",
        "NAME": "test",
        "USER": "dubhooks",
        "HOST": server.host,
        "PORT": server.port,
        "OPTIONS": options,
    }


@pytest.fixture(scope="session")
def alias_of(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Return a function that makes a database of an engine ready, once, and returns its alias."""
    ready: set[str] = set()

    def prepared(engine: str) -> str:
        if engine not in ready:
            django_setup.add_database(engine, _database(request, engine))
            ready.add(engine)
        return engine

    return prepared


def _database(request: pytest.FixtureRequest, engine: str) -> dict[str, Any]:
    if engine == "sqlite":
        return django_setup.sqlite("stores.db")
    if engine == "mariadb":
        return mariadb(request.getfixturevalue("mariadb_server"))
    server = request.getfixturevalue("postgresql_server")
    if engine == "serializable":
        import psycopg

        return postgresql(server, isolation_level=psycopg.IsolationLevel.SERIALIZABLE)
    return postgresql(server)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def alias(request: pytest.FixtureRequest, alias_of: Callable[[str], str]) -> Iterator[str]:
    """Return the alias of a database of each engine."""
    yield alias_of(request.param)
    connections.close_all()


def claim(store: DjangoStore, key: str, owner: str = "one", **changes: Any) -> Claim:
    """Claim a key."""
    return store.claim(key, owner, fingerprint=PRINT, **(TIMES | changes))


def in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Start a call in a thread with a connection of its own."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results
