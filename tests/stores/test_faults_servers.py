"""Servers that die, vanish or never answer, and networks that lose replies."""

import random
import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from dubhooks.stores.redis import AsyncRedisStore, RedisStore
from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore, SQLAlchemyStore
from tests.support.processes import until
from tests.support.proxy import Proxy
from tests.support.stores import workers
from tests.support.stores.backends import Backend, Receiver, check, open_django
from tests.support.stores.redis_cases import OPEN, URLS
from tests.support.stores.workers import RESTARTS, Workers

pytestmark = pytest.mark.slow

EVENTS = 1500
AT_ONCE = 4


def test_restarted_server(backend: Backend, tmp_path: Path) -> None:
    """A server restarted and killed with claims open loses no event and runs none twice."""
    where = {"kind": backend.kind, "url": backend.url, "events": EVENTS}
    with Workers(tmp_path) as pool:
        for _ in range(AT_ONCE):
            pool.start(workers.deliveries, **where)
        pool.until_ready(AT_ONCE)
        for turn in range(RESTARTS):
            time.sleep(random.uniform(0.05, 0.2))
            backend.server.kill() if turn % 2 else backend.server.stop()
            backend.server.start()
        pool.kill_all()
        pool.start(workers.sweep, **where).wait()
        check(pool.lines(), EVENTS)


def test_cut_connections(backend: Backend, tmp_path: Path) -> None:
    """Connections cut and replies lost at random lose no event and run none twice."""
    with Proxy(backend.server.port) as proxy, Workers(tmp_path) as pool:
        url = backend.url.replace(str(backend.server.port), str(proxy.port))
        for _ in range(AT_ONCE):
            pool.start(workers.deliveries, kind=backend.kind, url=url, events=EVENTS)
        pool.until_ready(AT_ONCE)
        deadline = time.monotonic() + 60
        for turn in count():
            if turn > 60 and proxy.dropped > 10:
                break
            assert time.monotonic() < deadline, "hardly a reply was lost"
            time.sleep(random.uniform(0.0, 0.03))
            proxy.cut() if random.random() < 0.3 else proxy.drop_reply()
        pool.kill_all()
        pool.start(workers.sweep, kind=backend.kind, url=backend.url, events=EVENTS).wait()
        check(pool.lines(), EVENTS)


@contextmanager
def black_hole() -> Generator[int]:
    """Yield a port that swallows attempts to connect: they are neither taken nor refused."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(5):
            each = socket.socket()
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
            waiting.append(each)
        yield listener.getsockname()[1]
        for each in waiting:
            each.close()


def _open_sql(scheme: str, port: int) -> Any:
    kind = SQLAlchemyStore if scheme.endswith(("psycopg", "pymysql")) else AsyncSQLAlchemyStore
    return kind(f"{scheme}://dubhooks@127.0.0.1:{port}/test")


LIMITS = {"connect_timeout": 1, "read_timeout": 1, "write_timeout": 1}
STORES: dict[str, Callable[[int], Any]] = {
    "redis": lambda port: RedisStore(f"redis://127.0.0.1:{port}/0"),
    "redis-async": lambda port: AsyncRedisStore(f"redis://127.0.0.1:{port}/0"),
    "django-psycopg": lambda port: open_django(
        f"postgresql://dubhooks@127.0.0.1:{port}/test", timeout=2.0, connect_timeout=2
    ),
    "django-mysql": lambda port: open_django(f"mysql://dubhooks@127.0.0.1:{port}/test", **LIMITS),
    **{
        driver: partial(_open_sql, f"{vendor}+{driver}")
        for vendor, driver in (
            *(("postgresql", "psycopg"), ("postgresql", "asyncpg")),
            *(("mysql", "pymysql"), ("mysql", "aiomysql")),
        )
    },
}


@pytest.mark.parametrize("driver", STORES)
def test_no_server(driver: str, caplog: pytest.LogCaptureFixture) -> None:
    """Without an answer the reply is 503 in bounded time, and nothing is handled."""
    with black_hole() as hole:
        receiver = Receiver(STORES[driver](hole))
        started = time.monotonic()
        reply = receiver.deliver("evt_1")
        seconds = time.monotonic() - started
        receiver.close()
    assert (reply.status, reply.outcome) == (503, "unavailable")
    assert reply.headers["Retry-After"] == "30"
    assert not receiver.effects
    assert seconds < 15
    assert "the store did not answer a claim" in caplog.text


@pytest.mark.parametrize("is_fresh", [True, False], ids=["fresh", "pooled"])
@pytest.mark.parametrize("kind", [*URLS, "django-mysql"])
def test_frozen_server(request: pytest.FixtureRequest, kind: str, is_fresh: bool) -> None:
    """A server that stops answering costs a 503 in bounded time; later the event is handled, once.

    Nothing bounds a frozen PostgreSQL under Django but the worker's own timeout.
    """
    is_django = kind == "django-mysql"
    server = request.getfixturevalue("mariadb_server" if is_django else "redis_server")
    Backend("django-mariadb" if is_django else "redis", server).empty()
    store = STORES[kind](server.port) if is_django else OPEN[kind](server.url)
    receiver = Receiver(store, lease=1.0)
    if not is_fresh:
        assert receiver.deliver("evt_1").outcome == "handled"
    server.freeze()
    try:
        started = time.monotonic()
        assert receiver.deliver("evt_2").status == 503
        assert time.monotonic() - started < (15 if is_django else 10)
        assert "evt_2" not in receiver.effects
    finally:
        server.thaw()
    # The server may still carry out the claim that it was sent: then it waits for its lease.
    until(lambda: receiver.deliver("evt_2").outcome == "handled", "it is handled", 20)
    assert receiver.deliver("evt_2").outcome == "duplicate"
    assert receiver.effects.count("evt_2") == 1
    receiver.close()
