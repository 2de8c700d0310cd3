"""``DjangoStore`` and ``DjangoInbox`` on connections that are lost, shared or interrupted."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, connections, transaction

from dubhooks import ConfigurationError
from dubhooks.django import DjangoInbox, DjangoStore
from dubhooks.testing import make_event
from dubhooks.webhooks import SaleCreated
from tests.support.adapters import django_setup
from tests.support.servers import PostgreSQLServer
from tests.support.stores.django_project import database_at, in_thread
from tests.support.stores.sqlite_cases import in_child
from tests.support.stores.store_cases import FINGERPRINT, claim

EVENTS = [make_event(SaleCreated, seed=number) for number in range(10)]


@pytest.mark.slow
def test_a_transaction_that_was_open_at_a_fork(alias: str) -> None:
    """In a child, a transaction on the parent's connection is refused: it is not its own."""
    inbox = DjangoInbox(using=alias, namespace="fork")

    def refused() -> None:
        with pytest.raises(ConfigurationError, match=r"close_all\(\) before the fork"):
            inbox.first(EVENTS[0])

    with transaction.atomic(using=alias):
        in_child(refused)
        assert inbox.first(EVENTS[0])


@contextmanager
def locked_by(alias: str, statement: str) -> Generator[None]:
    """Run a statement in the transaction of another thread, which ends when the block does."""
    locked, go = threading.Event(), threading.Event()

    def lock() -> None:
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            cursor.execute(statement)
            locked.set()
            assert go.wait(20)

    thread, results = in_thread(lock)
    assert locked.wait(20)
    try:
        yield
    finally:
        go.set()
        thread.join(30)
    assert results == [None]


def test_interrupted_in_the_middle(alias_of: Callable[[str], str]) -> None:
    """A worker that is told to end while it waits for a statement can still release its claim."""
    alias = alias_of("postgresql")
    store = DjangoStore(using=alias)
    claim(store, "interrupted")
    row = "SELECT * FROM dubhooks_claims WHERE claim_key = 'interrupted' FOR UPDATE"
    with locked_by(alias, row):
        before = signal.signal(signal.SIGALRM, _end)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        try:
            with pytest.raises(SystemExit):
                store.complete("interrupted", "one", retention=60.0)
        finally:
            signal.signal(signal.SIGALRM, before)
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
    with locked_by(alias, "DELETE FROM dubhooks_claims WHERE claim_key = 'nothing'"):
        waiting, claims = in_thread(lambda: claim(DjangoStore(using=alias), "waited for"))
        assert not claims
    waiting.join(30)
    assert claims == [("acquired", 1, FINGERPRINT, 0.0)]
