"""``DjangoStore`` when others come in between, answers get lost and servers go away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connections, transaction

from dubhooks.django import DjangoStore
from tests.support.adapters import django_setup
from tests.support.servers import PostgreSQLServer
from tests.support.stores.django_databases import alias, alias_of, in_thread
from tests.support.stores.django_project import database_at
from tests.support.stores.store_cases import FINGERPRINT, check_purge_while_claiming, claim

pytestmark = pytest.mark.slow

__all__ = ["alias", "alias_of"]  # fixtures


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_purging_while_claiming(engine: str, alias_of: Callable[[str], str]) -> None:
    """A row that a claim renews while it is being deleted stays."""
    alias = alias_of(engine)
    store, key = DjangoStore(using=alias), f"renewed:{engine}"
    claim(store, key)

    def change(assignments: str) -> None:
        with connections[alias].cursor() as cursor:
            cursor.execute(f"UPDATE dubhooks_claims SET {assignments} WHERE claim_key = %s", [key])

    change("keep_until = 1")
    with transaction.atomic(using=alias):
        change("keep_until = 4102444800000, lease_until = 4102444800000")
        purging, results = in_thread(DjangoStore(using=alias).purge)
        purging.join(0.5)
        assert not results  # it waits for the row
    purging.join(30)
    assert results == [0]
    assert claim(store, key, "two").state == "busy"
    connections.close_all()


def test_purging_all_the_time(alias: str) -> None:
    """Purges never delete a row that a claim has just taken."""
    check_purge_while_claiming(DjangoStore(using=alias), connections.close_all)


def test_purging_that_fails_costs_no_claim(alias: str, caplog: pytest.LogCaptureFixture) -> None:
    """A claim that was made counts, also when what it tidies up on the way cannot be deleted."""
    store = DjangoStore(using=alias)

    def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("DELETE"):
            raise DatabaseError("no")
        return execute(sql, params, many, context)

    with connections[alias].execute_wrapper(fail):
        states = {claim(store, f"tidy:{alias}:{number}").state for number in range(256)}
    assert states == {"acquired"}
    assert "old claims could not be deleted: DatabaseError" in caplog.text


def test_a_server_that_is_away_is_an_error() -> None:
    """Without a server a claim fails at once, and a completion waits for it to come back."""
    with PostgreSQLServer() as server:
        django_setup.add_database("away", database_at(server.url(), connect_timeout=2))
        store = DjangoStore(using="away")
        claim(store, "open")
        server.kill()
        connections.close_all()
        started = time.monotonic()
        with pytest.raises(DatabaseError):
            claim(store, "key")
        assert time.monotonic() - started < 5
        completing, results = in_thread(lambda: store.complete("open", "one", retention=60.0))
        completing.join(1)
        assert not results, "what a handler did was given up"
        server.start()
        completing.join(30)
        assert results == [True]
        assert claim(store, "key").state == "acquired"
        connections.close_all()


def test_a_locked_file_is_waited_for(alias_of: Callable[[str], str]) -> None:
    """On SQLite a claim waits for another writer."""
    alias = alias_of("sqlite")
    locked, go = threading.Event(), threading.Event()

    def lock() -> None:
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            cursor.execute("DELETE FROM dubhooks_claims WHERE claim_key = 'nothing'")
            locked.set()
            assert go.wait(20)

    thread, results = in_thread(lock)
    assert locked.wait(20)
    waiting, claims = in_thread(lambda: claim(DjangoStore(using=alias), "waited for"))
    assert not claims
    go.set()
    thread.join(30)
    waiting.join(30)
    assert results == [None]
    assert claims == [("acquired", 1, FINGERPRINT, 0.0)]
