"""``DjangoStore`` when every connection is lost while a handler runs, with and without a pool."""

from __future__ import annotations

from typing import Any

import django
import pytest
from django.core.management import call_command
from django.db import connections

from dubhooks import ConfigurationError, Webhooks
from dubhooks.django import DjangoStore
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.stores.django_project import add, database_at, in_thread
from tests.support.stores.sqlite_cases import in_child
from tests.support.stores.store_cases import claim

SECRET = "whsec_0123456789abcdef0123456789abcdef"
DROP_POSTGRESQL = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND datname = 'django'"
)
LIST_MARIADB = (
    "SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND db = 'django'"
)
POOLS = [4, 30] if django.VERSION >= (5, 1) else []  # before that, Django has no pools


def open_alias(request: pytest.FixtureRequest, kind: str, size: int) -> str:
    """Return the alias of a database that nobody else uses, with a pool unless ``size`` is 0."""
    alias = f"failover-{kind}-{size}"
    database = database_at(request.getfixturevalue(f"{kind}_server").url())
    if size:
        database["OPTIONS"] = {"pool": {"min_size": size, "max_size": size, "timeout": 5}}
        database["CONN_MAX_AGE"] = 0
    add(alias, database)
    call_command("migrate", "dubhooks", database=alias, verbosity=0)
    if size:
        pooled: Any = connections[alias]
        pooled.close()
        pooled.pool.wait(20)  # every connection is there
    return alias


def close(alias: str) -> None:
    """Close this thread's connections, and the pool."""
    connections.close_all()
    pooled: Any = connections[alias]
    if getattr(pooled, "pool", None) is not None:
        pooled.close_pool()


def drop_all(kind: str, alias: str) -> None:
    """Cut every connection to the database but a new one."""
    with connections[alias].cursor() as cursor:
        if kind == "postgresql":
            cursor.execute(DROP_POSTGRESQL)
            return
        cursor.execute(LIST_MARIADB)
        for (number,) in cursor.fetchall():
            cursor.execute(f"KILL {number}")


@pytest.mark.parametrize(
    ("kind", "size"), [("mariadb", 0), *(("postgresql", size) for size in (0, *POOLS))]
)
def test_every_connection_is_dropped_while_a_handler_runs(
    request: pytest.FixtureRequest, kind: str, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    """After a failover, with a pool full of dead connections, the event is done: one run."""
    admin, alias = open_alias(request, kind, 0), open_alias(request, kind, size)
    hooks = Webhooks(SECRET, store=DjangoStore(using=alias))
    ran: list[str] = []

    @hooks.on(SaleCreated)
    def handle(event: SaleCreated) -> None:
        ran.append(event.id)
        thread, results = in_thread(lambda: drop_all(kind, admin))
        thread.join(30)
        assert results == [None]

    event = make_event(SaleCreated)
    deliveries = [signed_request(each, SECRET) for each in (event, make_event(SaleCreated), event)]
    try:
        outcomes = [hooks.handle(*delivery).outcome for delivery in deliveries]
    finally:
        close(alias)
    assert outcomes == ["handled", "handled", "duplicate"]
    assert len(ran) == 2
    assert "could not be completed" not in caplog.text


@pytest.mark.slow
def test_a_pool_that_was_open_at_a_fork(request: pytest.FixtureRequest) -> None:
    """In a child, the pool of the parent is refused: its connections are not the child's."""
    if not POOLS:
        return
    alias = open_alias(request, "postgresql", 2)
    store = DjangoStore(using=alias)

    def refused() -> None:
        with pytest.raises(ConfigurationError, match=r"close_pool\(\) as well"):
            claim(store, "child")

    try:
        claim(store, "parent", lease=600.0)
        in_child(refused)
        assert claim(store, "parent", "two").state == "busy"
        assert store.release("parent", "one")
    finally:
        close(alias)
