"""Servers that are alive and stuck: the SQL stores give up in time, whatever the driver does."""

import os
import random
import socket
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from dubhooks import ConfigurationError
from dubhooks.stores._sql_watchdog import Watchdog
from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore, SQLAlchemyStore
from tests.support.servers import MariaDBServer, PostgreSQLServer
from tests.support.stores.backends import Backend, Receiver
from tests.support.stores.sql_cases import claim

TIMEOUT = 0.5
# Drivers without any setting that would bound the wait for an answer.
SYNC = {"psycopg": "postgresql", "pymysql": "mariadb"}
ASYNC = {"asyncpg": "postgresql", "aiomysql": "mariadb"}


@contextmanager
def frozen(server: PostgreSQLServer | MariaDBServer) -> Generator[None]:
    """Stop a server where it is; let it go on at the end."""
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


def server_of(request: pytest.FixtureRequest, kind: str) -> Any:
    """Return a server that runs, without claims."""
    server = request.getfixturevalue(f"{kind}_server")
    Backend(kind, server).empty()
    return server


def store_on(url: str, is_async: bool) -> Any:
    """Return a store that gives up early."""
    options: dict[str, Any] = {"connect_args": {}, "pool_size": 2, "max_overflow": 0}
    if "asyncpg" not in url:
        options["connect_args"] = {"connect_timeout": 2}
    if is_async:
        return AsyncSQLAlchemyStore(create_async_engine(url, **options), timeout=TIMEOUT)
    return SQLAlchemyStore(create_engine(url, **options), timeout=TIMEOUT)


@pytest.mark.slow
@pytest.mark.parametrize("driver", [*SYNC, *ASYNC])
def test_frozen_server(request: pytest.FixtureRequest, driver: str) -> None:
    """A server that stops answering costs a 503 in bounded time; later the event is handled."""
    server = server_of(request, {**SYNC, **ASYNC}[driver])
    receiver = Receiver(store_on(server.url(driver), driver in ASYNC), lease=1.0)
    assert receiver.deliver("evt_1").outcome == "handled"
    with frozen(server):
        started = time.monotonic()
        assert receiver.deliver("evt_2").outcome == "unavailable"
        assert time.monotonic() - started < 10
    deadline = time.monotonic() + 20
    # The server may still carry out the claim that it was sent: then it waits for its lease.
    while receiver.deliver("evt_2").outcome in ("unavailable", "busy"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert receiver.effects == ["evt_1", "evt_2"]
    assert receiver.store._engine.pool.checkedout() == 0
    receiver.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", SYNC.values())
def test_locked_table(request: pytest.FixtureRequest, kind: str) -> None:
    """Somebody's lock on the table, as a migration takes it, is not waited for without end."""
    store = store_on(server_of(request, kind).url(), is_async=False)
    claim(store, "before")
    lock = {"postgresql": "LOCK TABLE dubhooks_claims", "mariadb": "LOCK TABLES dubhooks_claims"}
    with store._engine.connect() as connection:
        connection.execute(text(f"{lock[kind]} {'WRITE' if kind == 'mariadb' else ''}"))
        for call in (lambda: claim(store), lambda: store.forget("before")):
            with pytest.raises(TimeoutError, match="did not answer in time"):
                call()
        connection.execute(text("SELECT 1" if kind == "postgresql" else "UNLOCK TABLES"))
    assert claim(store, "after").state == "acquired"
    store._engine.dispose()


@pytest.mark.slow
def test_frozen_server_after_a_fork(postgresql_server: PostgreSQLServer) -> None:
    """A child, which has none of its parent's threads, gives up in time as well."""
    Backend("postgresql", postgresql_server).empty()
    store = store_on(postgresql_server.url(), is_async=False)
    claim(store, "parent")
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            claim(store, "child")
            os.write(ready[1], b".")
            os.read(go[0], 1)
            claim(store, "late")
        except TimeoutError:
            code = 0
        finally:
            os._exit(code)
    os.read(ready[0], 1)
    with frozen(postgresql_server):
        os.write(go[1], b".")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for each in (*ready, *go):
        os.close(each)
    store._engine.dispose()


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_no_time_at_all(seconds: float) -> None:
    """A timeout that could never be kept is refused."""
    with pytest.raises(ConfigurationError, match="more than 0"):
        SQLAlchemyStore(create_engine("sqlite://"), timeout=seconds)
    with pytest.raises(ConfigurationError, match="more than 0"):
        AsyncSQLAlchemyStore(create_async_engine("sqlite+aiosqlite://"), timeout=seconds)


# -- the watchdog ---------------------------------------------------------------------------------


def is_open(connection: socket.socket) -> bool:
    """Tell whether nobody has cut a connection."""
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True


def test_only_what_is_late_is_cut() -> None:
    """Statements that end in time keep their connection, even if its descriptor is used again."""
    watchdog = Watchdog(0.02)
    until = time.monotonic() + 1.0

    def work() -> tuple[int, int]:
        kept = cut = 0
        while time.monotonic() < until:
            here, there = socket.socketpair()
            with here, there:
                watch = watchdog.begin(here)
                time.sleep(random.choice([0.0, random.uniform(0.015, 0.03)]))
                if watchdog.end(watch):
                    cut += 1
                    assert not is_open(here)
                else:
                    kept += 1
                    assert is_open(here)
        return kept, cut

    with ThreadPoolExecutor(4) as pool:
        counted = [each.result() for each in [pool.submit(work) for _ in range(4)]]
    assert all(kept for kept, _ in counted)
    assert any(cut for _, cut in counted)


def test_thread_ends_when_nothing_is_watched() -> None:
    """The thread that looks ends by itself, and another one begins when it is needed."""
    watchdog = Watchdog(0.05)
    here, there = socket.socketpair()
    with here, there:
        for _ in range(2):
            before = set(threading.enumerate())
            watchdog.end(watchdog.begin(here))
            [thread] = set(threading.enumerate()) - before
            thread.join(10)
            assert not thread.is_alive()
        assert is_open(here)


def test_connection_that_is_gone() -> None:
    """A connection that somebody else has closed is no trouble."""
    watchdog = Watchdog(0.01)
    here, there = socket.socketpair()
    watch = watchdog.begin(here)
    assert watch is not None
    here.close()
    there.close()
    deadline = time.monotonic() + 10
    while not watch.is_cut:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert watchdog.end(watch)


def test_connection_without_a_socket() -> None:
    """A driver that shows no socket, such as SQLite's, is not watched."""
    watchdog = Watchdog(0.01)
    assert watchdog.begin(object()) is None
    assert not watchdog.end(None)
    assert watchdog._process is None
