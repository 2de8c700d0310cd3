"""``DjangoStore`` and ``DjangoInbox`` on connections that are lost, shared or interrupted."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest
from django.db import DatabaseError, connections, transaction

from dubhooks import ConfigurationError
from dubhooks.django import DjangoInbox, DjangoStore
from dubhooks.testing import make_event
from dubhooks.webhooks import SaleCreated
from tests.support.adapters import django_setup
from tests.support.servers import PostgreSQLServer
from tests.support.stores.django_databases import in_thread
from tests.support.stores.django_project import database_at
from tests.support.stores.store_cases import FINGERPRINT, claim

EVENTS = [make_event(SaleCreated, seed=number) for number in range(10)]


@pytest.mark.slow
def test_a_transaction_that_was_open_at_a_fork(alias: str) -> None:
    """In a child, a transaction on the parent's connection is refused: it is not its own."""
    with transaction.atomic(using=alias):
        child = os.fork()
        if child == 0:
            os._exit(_is_refused_in_a_child(alias))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert DjangoInbox(using=alias, namespace="fork").first(EVENTS[0])


def _is_refused_in_a_child(alias: str) -> int:
    try:
        DjangoInbox(using=alias, namespace="fork").first(EVENTS[0])
    except ConfigurationError as error:
        return 0 if "close_all() before the fork" in str(error) else 2
    except BaseException:  # noqa: BLE001 - a child only says that it failed
        return 3
    return 1


def test_interrupted_in_the_middle(alias_of: Callable[[str], str]) -> None:
    """A worker that is told to end while it waits for a statement can still release its claim."""
    alias = alias_of("postgresql")
    store = DjangoStore(using=alias)
    claim(store, "interrupted")
    locked, go = threading.Event(), threading.Event()

    def lock() -> None:
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            cursor.execute(
                "SELECT * FROM dubhooks_claims WHERE claim_key = 'interrupted' FOR UPDATE"
            )
            locked.set()
            assert go.wait(20)

    thread, results = in_thread(lock)
    assert locked.wait(20)
    before = signal.signal(signal.SIGALRM, _end)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(SystemExit):
            store.complete("interrupted", "one", retention=60.0)
    finally:
        signal.signal(signal.SIGALRM, before)
        go.set()
    thread.join(30)
    assert results == [None]
    # The statement that nobody waited for may have been carried out, or not.
    was_released = store.release("interrupted", "one")
    assert claim(store, "interrupted", "two").state == ("acquired" if was_released else "done")
    connections.close_all()


def _end(*_: object) -> None:
    raise SystemExit


@pytest.mark.slow
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


@pytest.mark.slow
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
