"""The engines that keep claims: a server of its own, its store, and its bare driver.

Every commit is flushed to the disk. The bare driver sends the statements of the store through a
connection of its own: the round trips that a claim and its completion need.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import redis
from sqlalchemy import create_engine, text

from dubhooks import MemoryStore, SQLiteStore
from dubhooks.stores._sql import ClaimStatements
from dubhooks.stores._time import to_milliseconds
from dubhooks.stores.redis import RedisStore
from dubhooks.stores.redis import _scripts as scripts
from dubhooks.stores.sqlalchemy import SQLAlchemyStore
from dubhooks.stores.sqlite import _SCHEMA as SCHEMA
from dubhooks.stores.sqlite import _TABLE as TABLE
from dubhooks.stores.sqlite._connections import INSTANT, _read_instant
from tests.support.servers import MariaDBServer, PostgreSQLServer, RedisServer

TOKEN, FINGERPRINT = "t" * 32, "f" * 64
LEASE, RETENTION = 60.0, 30 * 86_400.0
CLAIMING = (TOKEN, FINGERPRINT, to_milliseconds(LEASE), to_milliseconds(RETENTION))
COMPLETING = (TOKEN, "completion", to_milliseconds(RETENTION))

FOUND_ROWS = 2
"""A flag of MySQL's protocol, which SQLAlchemy sets: rows are counted that stay as they are."""

Handle = Callable[[str], None]
"""Claims and completes a key."""


class Target(NamedTuple):
    """An engine: its store, its driver, and how large its data are."""

    name: str
    store: Any
    connect: Callable[[], Handle] | None
    """Opens a connection and returns what claims and completes a key with the bare driver."""
    fill: Callable[[int, int], None] | None = None
    """Adds completed keys, from one number up to another, quicker than one by one."""
    size: Callable[[], int] | None = None


def through(store: Any) -> Handle:
    """Return what claims and completes a key with a store."""

    def handle(key: str) -> None:
        store.claim(key, TOKEN, fingerprint=FINGERPRINT, lease=LEASE, retention=RETENTION)
        store.complete(key, TOKEN, retention=RETENTION)

    return handle


def key_of(number: int) -> str:
    """Return a key as those of events."""
    return f"default:evt_{number:024d}"


def _send(statements: ClaimStatements, key: str, execute: Any) -> None:
    claim = statements.claim(key, TOKEN, fingerprint=FINGERPRINT, lease=LEASE, retention=RETENTION)
    claim(execute, False)
    statements.complete(key, TOKEN, retention=RETENTION)(execute, False)


@contextmanager
def _memory() -> Generator[Target]:
    yield Target("memory", MemoryStore(), None)


@contextmanager
def _sqlite() -> Generator[Target]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "claims.db"
        store = SQLiteStore(path)

        def fill(start: int, end: int) -> None:
            with closing(sqlite3.connect(path)) as connection, connection:
                rows = (
                    (key_of(number), TOKEN, 1, FINGERPRINT, 1, 0, 0, 4_102_444_800_000)
                    for number in range(start, end)
                )
                connection.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

        def size() -> int:
            # The log of what was filled in at once is as large again.
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return path.stat().st_size

        yield Target("SQLite", store, partial(_connect_sqlite, path), fill, size)
        store.close()


def _connect_sqlite(path: Path) -> Handle:
    connection = sqlite3.connect(path.with_name("raw.db"), timeout=30, isolation_level=None)
    connection.create_function(INSTANT[:-2], 0, _read_instant)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", *SCHEMA):
        connection.execute(statement)
    statements = ClaimStatements("sqlite", "qmark", TABLE, INSTANT)

    def execute(text: str, parameters: Any) -> tuple[Any, int]:
        connection.execute("BEGIN IMMEDIATE")
        cursor = connection.execute(text, parameters)
        rows = cursor.fetchall()
        connection.execute("COMMIT")
        return rows, cursor.rowcount

    return lambda key: _send(statements, key, execute)


@contextmanager
def _redis() -> Generator[Target]:
    # The append-only file is flushed once a second, as by default.
    with RedisServer() as server, redis.Redis.from_url(server.url) as client:
        shas = [client.script_load(each) for each in (scripts.CLAIM, scripts.COMPLETE)]

        def connect() -> Handle:
            own = redis.Redis.from_url(server.url)

            def handle(key: str) -> None:
                own.evalsha(shas[0], 1, "raw:" + key, *CLAIMING)
                own.evalsha(shas[1], 1, "raw:" + key, *COMPLETING)

            return handle

        def fill(start: int, end: int) -> None:
            for first in range(start, end, 5000):
                pipeline = client.pipeline(transaction=False)
                for number in range(first, min(first + 5000, end)):
                    pipeline.evalsha(shas[0], 1, "dubhooks:" + key_of(number), *CLAIMING)
                    pipeline.evalsha(shas[1], 1, "dubhooks:" + key_of(number), *COMPLETING)
                pipeline.execute()

        yield Target(
            "Redis",
            RedisStore(client),
            connect,
            fill,
            lambda: int(client.info("memory")["used_memory"]),
        )


@contextmanager
def _postgresql() -> Generator[Target]:
    import psycopg

    with PostgreSQLServer("fsync=on", "max_wal_size=4GB") as server:

        def connect() -> Any:
            return psycopg.connect(server.url().replace("+psycopg", ""), autocommit=True)

        rows = (
            "INSERT INTO dubhooks_claims SELECT 'default:evt_' || lpad(n::text, 24, '0'), "
            "'0123456789abcdef', 1, repeat('f', 64), true, 0, 0, 4102444800000 "
            "FROM generate_series({start}, {end} - 1) n"
        )
        size = "SELECT pg_total_relation_size('dubhooks_claims')"
        with _sql("PostgreSQL, psycopg", server.url(), connect, rows, size) as each:
            yield each


@contextmanager
def _mariadb() -> Generator[Target]:
    import pymysql

    with MariaDBServer("--innodb-flush-log-at-trx-commit=1") as server:

        def connect() -> Any:
            return pymysql.connect(
                host=server.host,
                port=server.port,
                user="dubhooks",
                database="test",
                autocommit=True,
                client_flag=FOUND_ROWS,
            )

        rows = (
            "INSERT INTO dubhooks_claims SELECT concat('default:evt_', lpad(seq, 24, '0')), "
            "'0123456789abcdef', 1, repeat('f', 64), true, 0, 0, 4102444800000 "
            "FROM seq_0_to_99999999 WHERE seq >= {start} AND seq < {end}"
        )
        size = (
            "SELECT file_size FROM information_schema.innodb_sys_tablespaces "
            "WHERE name = 'test/dubhooks_claims'"
        )
        with _sql("MariaDB, pymysql", server.url(), connect, rows, size) as each:
            yield each


@contextmanager
def _sql(
    name: str, url: str, connect: Callable[[], Any], rows: str, size: str
) -> Generator[Target]:
    engine = create_engine(url)
    store = SQLAlchemyStore(url)
    store.create_table()
    statements = ClaimStatements(engine.dialect.name, engine.dialect.paramstyle)

    def connect_raw() -> Handle:
        cursor = connect().cursor()

        def execute(text: str, parameters: Any) -> tuple[Any, int]:
            cursor.execute(text, parameters)
            return cursor.fetchall() if cursor.description else (), cursor.rowcount

        def handle(key: str) -> None:
            _send(statements, key, execute)

        return handle

    def fill(start: int, end: int) -> None:
        for first in range(start, end, 100_000):
            with engine.begin() as connection:
                last = min(first + 100_000, end)
                connection.execute(text(rows.format(start=first, end=last)))

    def measure() -> int:
        with engine.connect() as connection:
            return int(connection.execute(text(size)).scalar_one())

    yield Target(name, store, connect_raw, fill, measure)
    store.close()
    engine.dispose()


Engine = Callable[[], AbstractContextManager[Target]]
ENGINES: dict[str, Engine] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "redis": _redis,
    "postgresql": _postgresql,
    "mariadb": _mariadb,
}
