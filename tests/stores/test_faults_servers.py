"""Servers that die, vanish or never answer, and networks that lose replies."""

import random
import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.proxy import Proxy
from tests.support.servers import MariaDBServer, PostgreSQLServer, RedisServer, free_port
from tests.support.stores import workers
from tests.support.stores.backends import Backend, Receiver, check, open_django
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


def redis_store(port: int) -> Any:
    """A store whose client gives up early."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    from dubhooks.stores.redis import RedisStore

    return RedisStore(
        redis.Redis(
            port=port, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 1)
        )
    )


def async_redis_store(port: int) -> Any:
    """The same for asyncio."""
    import redis.asyncio
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    from dubhooks.stores.redis import AsyncRedisStore

    return AsyncRedisStore(
        redis.asyncio.Redis(
            port=port, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 1)
        )
    )


def sql_store(url: str, **connect_args: Any) -> Any:
    """A store whose driver gives up early."""
    from sqlalchemy import create_engine

    from dubhooks.stores.sqlalchemy import SQLAlchemyStore

    return SQLAlchemyStore(create_engine(url, connect_args=connect_args, pool_timeout=1))


def async_sql_store(url: str, **connect_args: Any) -> Any:
    """The same for asyncio."""
    from sqlalchemy.ext.asyncio import create_async_engine

    from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore

    return AsyncSQLAlchemyStore(create_async_engine(url, connect_args=connect_args, pool_timeout=1))


STORES: dict[str, Callable[[int], Any]] = {
    "redis": redis_store,
    "redis-async": async_redis_store,
    "psycopg": lambda port: sql_store(
        f"postgresql+psycopg://dubhooks@127.0.0.1:{port}/test", connect_timeout=2
    ),
    "asyncpg": lambda port: async_sql_store(
        f"postgresql+asyncpg://dubhooks@127.0.0.1:{port}/test", timeout=0.5, command_timeout=0.5
    ),
    "pymysql": lambda port: sql_store(
        f"mysql+pymysql://dubhooks@127.0.0.1:{port}/test",
        connect_timeout=1,
        read_timeout=1,
        write_timeout=1,
    ),
    "django-psycopg": lambda port: open_django(
        f"postgresql://dubhooks@127.0.0.1:{port}/test", timeout=2.0, connect_timeout=2
    ),
    "django-mysql": lambda port: open_django(
        f"mysql://dubhooks@127.0.0.1:{port}/test",
        connect_timeout=1,
        read_timeout=1,
        write_timeout=1,
    ),
    "aiomysql": lambda port: async_sql_store(
        f"mysql+aiomysql://dubhooks@127.0.0.1:{port}/test", connect_timeout=1
    ),
}


@pytest.mark.parametrize("driver", STORES)
@pytest.mark.parametrize("place", ["unreachable", "black hole"])
def test_no_server(driver: str, place: str, caplog: pytest.LogCaptureFixture) -> None:
    """Without an answer the reply is 503 in bounded time, and nothing is handled."""
    with black_hole() as hole:
        receiver = Receiver(STORES[driver](hole if place == "black hole" else free_port()))
        started = time.monotonic()
        reply = receiver.deliver("evt_1")
        seconds = time.monotonic() - started
        receiver.close()
    assert (reply.status, reply.outcome) == (503, "unavailable")
    assert reply.headers["Retry-After"] == "30"
    assert not receiver.effects
    assert seconds < 15
    assert "the store did not answer a claim" in caplog.text


SERVERS = {
    "redis": "redis",
    "redis-async": "redis",
    "asyncpg": "postgresql",
    "pymysql": "mariadb",
    # Nothing bounds a frozen PostgreSQL under Django but the worker's own timeout.
    "django-mysql": "django-mariadb",
}


@pytest.mark.parametrize("driver", SERVERS)
def test_frozen_server(request: pytest.FixtureRequest, driver: str) -> None:
    """A server that stops answering costs a 503 in bounded time; later the event is handled."""
    kind = SERVERS[driver]
    server: RedisServer | PostgreSQLServer | MariaDBServer = request.getfixturevalue(
        f"{kind.removeprefix('django-')}_server"
    )
    Backend(kind, server).empty()
    receiver = Receiver(STORES[driver](server.port), lease=1.0)
    assert receiver.deliver("evt_1").outcome == "handled"
    server.freeze()
    try:
        started = time.monotonic()
        assert receiver.deliver("evt_2").outcome == "unavailable"
        assert time.monotonic() - started < 15
    finally:
        server.thaw()
    deadline = time.monotonic() + 20
    # The server may still carry out the claim that it was sent: then it waits for its lease.
    while receiver.deliver("evt_2").outcome in ("unavailable", "busy"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert receiver.effects == ["evt_1", "evt_2"]
    receiver.close()
