"""What every store on a server or in a file does beside the contract, through every driver."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connections

from dubhooks import ConfigurationError, SQLiteStore
from dubhooks.django import DjangoStore
from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore, SQLAlchemyStore
from tests.support.fake_clock import FakeClock
from tests.support.proxy import Proxy
from tests.support.servers import MariaDBServer, PostgreSQLServer, RedisServer
from tests.support.stores.backends import Backend, open_django
from tests.support.stores.redis_cases import OPEN, URLS, open_redis
from tests.support.stores.sql_cases import find_url, open_store
from tests.support.stores.store_cases import FINGERPRINT, claim

DJANGO = ["django-sqlite", "django-postgresql", "django-mariadb"]
SERVERS = {"redis": RedisServer, "postgresql": PostgreSQLServer, "mariadb": MariaDBServer}


def url_of(request: pytest.FixtureRequest, name: str) -> str:
    """Return where a store is, without claims: a URL, a file, or an alias of Django's."""
    if name == "sqlite":
        directory: Path = request.getfixturevalue("tmp_path")
        return str(directory / "claims.db")
    if name == "django-sqlite":
        alias: str = request.getfixturevalue("alias_of")("sqlite")
        return alias
    if name not in OPEN and not name.startswith("django"):
        return find_url(request, name)
    kind = "redis" if name in OPEN else name
    backend = Backend(kind, request.getfixturevalue(f"{kind.removeprefix('django-')}_server"))
    backend.empty()
    return backend.url


@contextmanager
def opened(name: str, url: str) -> Generator[Any]:
    """Open a store by the name of its driver, way or engine, and close its connections."""
    store: Any
    if name.startswith("django"):
        store = open_django(url) if "://" in url else DjangoStore(using=url)
    elif name in OPEN:
        store = open_redis(name, url)
    else:
        store = SQLiteStore(url) if name == "sqlite" else open_store(url)
    try:
        yield store
    finally:
        connections.close_all() if name.startswith("django") else store.close()


@pytest.mark.parametrize(
    "name", [*URLS, *("psycopg", "psycopg2", "pg8000", "pymysql", "mysqlconnector"), *DJANGO[1:]]
)
def test_lost_replies(request: pytest.FixtureRequest, name: str) -> None:
    """What is sent again because its reply was lost says the same, not busy or refused."""
    url = url_of(request, name)
    port = urlsplit(url).port
    assert port is not None
    with Proxy(port) as proxy, opened(name, url.replace(str(port), str(proxy.port))) as store:
        for number in range(10):  # PostgreSQL prepares a statement after some times
            claim(store, f"warm-{number}")
            store.complete(f"warm-{number}", "one", retention=60.0)
            store.forget(f"warm-{number}")
        proxy.drop_reply()
        assert claim(store)[:2] == ("acquired", 1)
        assert claim(store, token="two").state == "busy"
        proxy.drop_reply()
        assert store.complete("k", "one", retention=60.0)
        assert not store.complete("k", "one", retention=60.0)
        assert claim(store, token="two").state == "done"
        proxy.drop_reply()
        store.forget("k")
        assert claim(store, token="two")[:2] == ("acquired", 1)
        assert proxy.dropped == 3


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), timedelta(seconds=-1), "10"])
def test_no_time_at_all(seconds: Any) -> None:
    """A timeout that could never be kept is refused."""
    for make in (
        DjangoStore,
        partial(SQLAlchemyStore, "sqlite:///x.db"),
        partial(AsyncSQLAlchemyStore, "sqlite+aiosqlite:///x.db"),
    ):
        with pytest.raises(ConfigurationError, match="more than 0"):
            make(timeout=seconds)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["redis", "postgresql", "mariadb", *DJANGO[1:]])
def test_clock_set_back_and_forth(name: str) -> None:
    """A clock set back delays a takeover by one lease at most; set forward it ends leases early."""
    clock = FakeClock()
    with SERVERS[name.removeprefix("django-")](clock=clock) as server:
        backend = Backend(name, server)
        backend.empty()
        with backend.store() as store:
            claim(store, lease=5.0, retention=86_400.0)
            claim(store, "done")
            store.complete("done", "one", retention=7200.0)
            clock.set("-3600")
            assert not store.forget("k"), "a key was forgotten while its lease may run"
            assert claim(store, token="two").retry_after < 5.1
            assert claim(store, "done", "two").state == "done"
            clock.set("+0")
            assert claim(store, token="two", retention=86_400.0)[:2] == ("acquired", 2)
            assert not store.complete("k", "one", retention=60.0), "the old owner completed"
            clock.set("+3600")
            assert claim(store, "done", "two").state == "done"
            assert claim(store, token="three")[:2] == ("acquired", 3)
    clock.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sqlite", "asyncpg", *DJANGO])
def test_purge_while_claiming(request: pytest.FixtureRequest, name: str) -> None:
    """Purges never delete a row that a claim has just taken."""
    stop, deleted = threading.Event(), []
    with opened(name, url_of(request, name)) as store:

        def purge() -> None:
            while not stop.is_set():
                deleted.append(store.purge())
            connections.close_all()

        thread = threading.Thread(target=purge)
        thread.start()
        try:
            for number in range(150):
                key = f"again-{number % 3}"
                # It may be purged before MySQL's second statement reads it: busy, come again.
                claim(store, key, f"t{number}", retention=0.002)
                sleep(0.003)  # the retention is over: a purge and the next claim race for the row
                assert claim(store, key, f"u{number}", retention=60.0).state == "acquired"
                assert store.complete(key, f"u{number}", retention=0.001)
                sleep(0.002)
        finally:
            stop.set()
            thread.join()
    assert sum(deleted) > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("url", "url, async", "psycopg", "psycopg2", "pymysql", "pysqlite"),
        *("asyncpg", "psycopg_async", "aiomysql", *DJANGO),
    ],
)
def test_fork_after_use(request: pytest.FixtureRequest, name: str) -> None:
    """A child of a process that has claimed uses connections of its own, and so does the parent."""
    children = []
    with opened(name, url_of(request, name)) as store:
        claim(store, "parent")
        for number in range(3):
            child = os.fork()
            if child == 0:
                os._exit(_claims_in_a_child(store, number))
            children.append(child)
        for number in range(50):
            assert claim(store, f"parent-{number}").state == "acquired"
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert codes == [0, 0, 0]
        assert claim(store, "parent", "two").state == "busy"
        assert store.complete("parent", "one", retention=60.0)
        assert store.forget("parent")


def _claims_in_a_child(store: Any, number: int) -> int:
    try:
        for each in range(50):
            claimed = claim(store, f"child-{number}-{each}")
            if claimed.state != "acquired" or claimed.fingerprint != FINGERPRINT:
                return 2
        if store.forget("parent"):
            return 4
        return 0 if claim(store, "parent", "child").state == "busy" else 3
    except Exception:  # noqa: BLE001 - a child only says that it failed
        return 1
