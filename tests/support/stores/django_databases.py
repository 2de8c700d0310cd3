"""The databases that the tests of ``DjangoStore`` and ``DjangoInbox`` run on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections

from tests.support.adapters import django_setup
from tests.support.stores.django_project import database_at


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


_SERIALIZABLE = {
    # Not by Django's isolation_level, which psycopg sends only when a transaction begins.
    "postgresql": {"options": "-c default_transaction_isolation=serializable"},
    "mariadb": {"isolation_level": "serializable"},
}


def _database(request: pytest.FixtureRequest, engine: str) -> dict[str, Any]:
    if engine == "sqlite":
        return django_setup.sqlite("stores.db")
    kind, _, isolation = engine.partition("-")
    url = request.getfixturevalue(f"{kind}_server").url()
    return database_at(url, **(_SERIALIZABLE[kind] if isolation else {}))


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def alias(request: pytest.FixtureRequest, alias_of: Callable[[str], str]) -> Iterator[str]:
    """Return the alias of a database of each engine."""
    yield alias_of(request.param)
    connections.close_all()


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
