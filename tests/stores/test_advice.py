"""What a log says when a store cannot be used: what to do next, and no secret."""

import logging
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from dubhooks.stores.redis import AsyncRedisStore, RedisStore
from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore, SQLAlchemyStore
from tests.support.processes import free_port
from tests.support.servers import MariaDBServer, PostgreSQLServer, RedisServer
from tests.support.stores.backends import Backend, Receiver

SECRET = "swordfish"
ASYNC = ("asyncpg", "psycopg_async", "aiomysql")
DRIVERS = [
    *(("postgresql", driver) for driver in ("psycopg", "asyncpg", "psycopg_async")),
    *(("mariadb", driver) for driver in ("pymysql", "aiomysql")),
]


def sql_store(url: str, driver: str) -> Any:
    """Return a store of the driver's kind."""
    if driver in ASYNC:
        return AsyncSQLAlchemyStore(create_async_engine(url))
    return SQLAlchemyStore(create_engine(url))


def logged(store: Any, caplog: pytest.LogCaptureFixture) -> str:
    """Deliver an event, which is not handled, and return what was logged."""
    receiver = Receiver(store)
    reply = receiver.deliver("evt_1")
    receiver.close()
    assert (reply.status, reply.outcome, receiver.effects) == (503, "unavailable", [])
    [record] = [each for each in caplog.records if each.levelno == logging.ERROR]
    message = record.getMessage()
    assert SECRET not in message
    assert "127.0.0.1" not in message
    return message


@contextmanager
def reader_of(server: PostgreSQLServer | MariaDBServer) -> Generator[None]:
    """Make a user who may read the table and not write it; MariaDB asks it for a password."""
    name, how = "reader@'127.0.0.1'", f"IDENTIFIED BY '{SECRET}'"
    if isinstance(server, PostgreSQLServer):
        name, how = "reader", ""
    engine = create_engine(server.url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE USER {name} {how}"))
        connection.execute(text(f"GRANT SELECT ON dubhooks_claims TO {name}"))
        yield
        connection.execute(text(f"REVOKE SELECT ON dubhooks_claims FROM {name}"))
        connection.execute(text(f"DROP USER {name}"))
    engine.dispose()


@pytest.mark.parametrize(
    ("user", "database", "advice"),
    [
        pytest.param("nobody", "test", "check user, password", id="user"),
        pytest.param("reader", "test", "GRANT it SELECT, INSERT", id="privileges"),
        pytest.param("dubhooks", "elsewhere", "and the database's name", id="database"),
    ],
)
@pytest.mark.parametrize(("kind", "driver"), DRIVERS)
def test_sql_server_that_refuses(
    request: pytest.FixtureRequest,
    kind: str,
    driver: str,
    user: str,
    database: str,
    advice: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An unknown user, missing privileges and a wrong database say what to do."""
    server = request.getfixturevalue(f"{kind}_server")
    Backend(kind, server).empty()
    url = server.url(driver).replace("/test", f"/{database}")
    if user != "dubhooks":
        url = url.replace("dubhooks@", f"{user}:{SECRET}@")
    if kind == "mariadb":  # an unknown user is no error there, but a wrong password is
        url = url.replace("nobody", "root")
    with reader_of(server):
        assert advice in logged(sql_store(url, driver), caplog)


@pytest.mark.parametrize("driver", ["psycopg", *ASYNC, "pymysql"])
def test_sql_server_that_is_not_there(driver: str, caplog: pytest.LogCaptureFixture) -> None:
    """A server that cannot be reached says what to look at."""
    scheme = "mysql" if "mysql" in driver else "postgresql"
    url = f"{scheme}+{driver}://dubhooks:{SECRET}@127.0.0.1:{free_port()}/test"
    assert "see that the store's server runs" in logged(sql_store(url, driver), caplog)


def redis_store(url: str, is_async: bool) -> Any:
    """Return a store of either kind that tries once."""
    if is_async:
        retry = AsyncRetry(NoBackoff(), 0)
        return AsyncRedisStore(
            redis.asyncio.Redis.from_url(url, socket_timeout=5, retry=retry, decode_responses=True)
        )
    return RedisStore(redis.Redis.from_url(url, socket_timeout=5, retry=Retry(NoBackoff(), 0)))


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("rules", "password", "advice"),
    [
        ("~* +@all", f"{SECRET}2", "check the user and the password"),
        ("~other:* +@all", SECRET, "let this user use the store's keys"),
        ("~* +@read", SECRET, "let this user use the store's keys"),
        ("~* +evalsha +script", SECRET, "let this user use the store's keys"),
    ],
)
def test_redis_user_who_is_refused(
    redis_server: RedisServer,
    is_async: bool,
    rules: str,
    password: str,
    advice: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A wrong password or missing permissions of Redis say what is needed."""
    with redis.Redis.from_url(redis_server.url, socket_timeout=5) as admin:
        admin.execute_command(f"ACL SETUSER poor reset on >{SECRET} {rules}")
        try:
            url = redis_server.url.replace("//", f"//poor:{password}@")
            assert advice in logged(redis_store(url, is_async), caplog)
        finally:
            admin.execute_command("ACL DELUSER poor")


def test_permissions_that_the_advice_names(redis_server: RedisServer) -> None:
    """What the advice tells to allow is enough."""
    rules = "~dubhooks:* +eval +evalsha +script|load +time +hmget +hset +hdel +pexpire +del"
    with redis.Redis.from_url(redis_server.url, socket_timeout=5) as admin:
        admin.flushall()
        admin.script_flush()
        admin.execute_command(f"ACL SETUSER poor reset on >{SECRET} {rules}")
        try:
            url = redis_server.url.replace("//", f"//poor:{SECRET}@")
            receiver = Receiver(redis_store(url, False))
            assert receiver.deliver("evt_1").outcome == "handled"
            assert receiver.deliver("evt_1").outcome == "duplicate"
            assert receiver.store.forget("default:evt_1")
            receiver.close()
        finally:
            admin.execute_command("ACL DELUSER poor")


@pytest.mark.parametrize("command", ["EVALSHA", "EVAL", "SCRIPT"])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_redis_without_scripts(
    is_async: bool, command: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A server, or a stand-in for one, that runs no scripts says that these are needed."""
    with RedisServer("--rename-command", command, "") as server:
        store = redis_store(server.url, is_async)
        if command == "EVAL":  # the others are enough
            receiver = Receiver(store)
            assert receiver.deliver("evt_1").outcome == "handled"
            receiver.close()
        else:
            assert "runs no scripts, and a claim is one" in logged(store, caplog)


LOOPS = """
import asyncio, sys
from dubhooks.stores.redis import AsyncRedisStore

store = AsyncRedisStore(sys.argv[1])
for _ in range(2):
    try:
        asyncio.run(store.forget("k"))
    except Exception as error:
        print(type(error).__name__, error)
"""


@pytest.mark.parametrize("library", ["redis", "valkey"])
def test_another_event_loop(redis_server: RedisServer, library: str) -> None:
    """An async store that meets a second event loop says to make one for each."""
    # In a process of its own: what the first loop leaves open is what this is about.
    command = [sys.executable, "-c", LOOPS, redis_server.url.replace("redis", library)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.startswith("ConfigurationError")
    assert "make one store for each event loop" in run.stdout
