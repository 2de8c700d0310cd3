"""Claim and complete on every engine, beside the raw round trips that they need.

Run it with ``python tests/benchmarks/bench_stores.py``.  It starts servers of
its own, with every commit flushed to the disk.  The store and the bare driver,
which sends the same statements, take turns in one run, so that the ratio counts
and not the machine.  ``--keys 1000000`` fills each engine with that many
completed keys and shows memory per key and the time of a claim on the way.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

import redis
from sqlalchemy import create_engine, text

from dubhooks import MemoryStore, SQLiteStore
from dubhooks.stores._sql import ClaimStatements
from dubhooks.stores._time import to_milliseconds
from dubhooks.stores.redis import RedisStore
from dubhooks.stores.redis import _scripts as scripts
from dubhooks.stores.sqlalchemy import SQLAlchemyStore
from dubhooks.stores.sqlite import _TABLE as TABLE
from tests.support.servers import MariaDBServer, PostgreSQLServer, RedisServer

CLIENTS = (1, 8, 32)
TOKEN, FINGERPRINT = "t" * 32, "f" * 64
LEASE, RETENTION = 60.0, 30 * 86_400.0
CLAIMING = (TOKEN, FINGERPRINT, to_milliseconds(LEASE), to_milliseconds(RETENTION))
COMPLETING = (TOKEN, "completion", to_milliseconds(RETENTION))

FOUND_ROWS = 2
"""A flag of MySQL's protocol, which SQLAlchemy sets: rows are counted that stay as they are."""

_numbers = count()


class Target(NamedTuple):
    """An engine: its store, its driver, and how large its data are."""

    name: str
    store: Any
    connect: Callable[[], Callable[[str], None]] | None
    """Opens a connection and returns what claims and completes a key with the bare driver."""
    fill: Callable[[int, int], None] | None = None
    """Adds completed keys, from one number up to another, quicker than one by one."""
    size: Callable[[], int] | None = None


def main(targets: dict[str, Callable[[], Any]]) -> None:
    """Print the tables of what can be measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("engines", nargs="*", default=list(targets))
    parser.add_argument("--seconds", type=float, default=1.5, help="for each measurement")
    parser.add_argument("--keys", type=int, default=0, help="fill with this many completed keys")
    options = parser.parse_args()
    for name in options.engines:
        with targets[name]() as target:
            if options.keys:
                _print_growth(target, options.keys)
            else:
                _print_speed(target, options.seconds)


# -- speed ------------------------------------------------------------------------------------


def _print_speed(target: Target, seconds: float) -> None:
    for clients in CLIENTS:
        parts = [f"{target.name:32} {clients:2} clients"]
        ours = partial(_through, target.store)
        if target.connect is not None:
            [times] = _measured([target.connect], clients, seconds)
            parts.append(f"raw {_summary(times, seconds)}")
        [times] = _measured([ours], clients, seconds)
        parts.append(f"store {_summary(times, seconds)}")
        if target.connect is not None:
            # In turn, one after the other: the machine's moods meet both.
            raw, store = _measured([target.connect, ours], clients, 3 * seconds)
            parts.append(f"ratio {statistics.median(store) / statistics.median(raw):.2f}")
        print("   ".join(parts), flush=True)


def _summary(times: list[float], seconds: float) -> str:
    rate, times = len(times) / seconds, sorted(times)
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    return f"p50 {p50 * 1e6:6.0f} us  p99 {p99 * 1e6:6.0f} us  {rate:6.0f}/s"


def _measured(
    ways: list[Callable[[], Callable[[str], None]]], clients: int, seconds: float
) -> list[list[float]]:
    """Return for each way how long each claim with its completion took.

    Every client goes the ways in turn, in any order: what comes first may leave
    work behind for what comes next.
    """
    times: list[list[float]] = [[] for _ in ways]
    start = threading.Barrier(clients)

    def run() -> None:
        own: list[tuple[Callable[[str], None], list[float]]] = [(way(), []) for way in ways]
        for handle, _ in own * 20:
            handle(f"bench:{next(_numbers)}")
        in_turn = own.copy()
        start.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            random.shuffle(in_turn)
            for handle, taken in in_turn:
                before = time.perf_counter()
                handle(f"bench:{next(_numbers)}")
                taken.append(time.perf_counter() - before)
        for whole, (_, taken) in zip(times, own, strict=True):
            whole.extend(taken)

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def _through(store: Any) -> Callable[[str], None]:
    def handle(key: str) -> None:
        store.claim(key, TOKEN, fingerprint=FINGERPRINT, lease=LEASE, retention=RETENTION)
        store.complete(key, TOKEN, retention=RETENTION)

    return handle


# -- growth -----------------------------------------------------------------------------------


def _print_growth(target: Target, keys: int) -> None:
    handle = _through(target.store)
    for number in range(200):
        handle(f"warm:{number}")
    empty = target.size() if target.size else 0
    fill = target.fill or (lambda start, end: [handle(_key(n)) for n in range(start, end)])
    done = 0
    for goal in (keys // 100, keys // 10, keys):
        fill(done, goal)
        done = goal
        first = _median(lambda: handle(f"bench:{next(_numbers)}"))
        again = _median(partial(_duplicate, target.store, goal))
        size = f"{(target.size() - empty) / done:5.0f} bytes a key" if target.size else ""
        print(
            f"{target.name:28} {done:9,} keys   claim + complete {first * 1e6:6.0f} us   "
            f"duplicate {again * 1e6:6.0f} us   {size}",
            flush=True,
        )


def _duplicate(store: Any, keys: int) -> None:
    key = _key(next(_numbers) % keys)
    store.claim(key, TOKEN, fingerprint=FINGERPRINT, lease=LEASE, retention=RETENTION)


def _median(call: Callable[[], object]) -> float:
    times = []
    for _ in range(1000):
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return statistics.median(times)


def _key(number: int) -> str:
    return f"default:evt_{number:024d}"


# -- engines ----------------------------------------------------------------------------------


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
                    (_key(number), TOKEN, 1, FINGERPRINT, 1, 0, 0, 4_102_444_800_000)
                    for number in range(start, end)
                )
                connection.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

        def size() -> int:
            # The log of what was filled in at once is as large again.
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return path.stat().st_size

        yield Target("SQLiteStore", store, None, fill, size)
        store.close()


@contextmanager
def _redis() -> Generator[Target]:
    # The append-only file is flushed once a second, as by default.
    with RedisServer() as server, redis.Redis.from_url(server.url) as client:
        shas = [client.script_load(each) for each in (scripts.CLAIM, scripts.COMPLETE)]

        def connect() -> Callable[[str], None]:
            own = redis.Redis.from_url(server.url)

            def handle(key: str) -> None:
                own.evalsha(shas[0], 1, "raw:" + key, *CLAIMING)
                own.evalsha(shas[1], 1, "raw:" + key, *COMPLETING)

            return handle

        def fill(start: int, end: int) -> None:
            for first in range(start, end, 5000):
                pipeline = client.pipeline(transaction=False)
                for number in range(first, min(first + 5000, end)):
                    pipeline.evalsha(shas[0], 1, "dubhooks:" + _key(number), *CLAIMING)
                    pipeline.evalsha(shas[1], 1, "dubhooks:" + _key(number), *COMPLETING)
                pipeline.execute()

        yield Target(
            "RedisStore",
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
        with _sql("PostgreSQL", server.url(), connect, rows, size) as each:
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
        with _sql("MariaDB", server.url(), connect, rows, size) as each:
            yield each


@contextmanager
def _sql(
    name: str, url: str, connect: Callable[[], Any], rows: str, size: str
) -> Generator[Target]:
    engine = create_engine(url)
    store = SQLAlchemyStore(url)
    store.create_table()
    statements = ClaimStatements(engine.dialect.name, engine.dialect.paramstyle)

    def connect_raw() -> Callable[[str], None]:
        cursor = connect().cursor()

        def execute(text: str, parameters: Any) -> tuple[Any, int]:
            cursor.execute(text, parameters)
            return cursor.fetchall() if cursor.description else (), cursor.rowcount

        def handle(key: str) -> None:
            statements.claim(key, TOKEN, fingerprint=FINGERPRINT, lease=LEASE, retention=RETENTION)(
                execute, False
            )
            statements.complete(key, TOKEN, retention=RETENTION)(execute, False)

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


TARGETS: dict[str, Callable[[], Any]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "redis": _redis,
    "postgresql": _postgresql,
    "mariadb": _mariadb,
}


if __name__ == "__main__":
    main(TARGETS)
