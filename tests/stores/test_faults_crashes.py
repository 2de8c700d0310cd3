"""Workers that die, come twice or wake up too late, counted by their effects."""

import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from dubhooks import SQLiteInbox
from tests.support.fake_clock import FakeClock
from tests.support.processes import until
from tests.support.stores import workers
from tests.support.stores.backends import Backend, check
from tests.support.stores.workers import KILLS, RESTARTS, Workers

pytestmark = pytest.mark.slow

EVERY = ["redis", "postgresql", "mariadb", "django-postgresql", "django-mariadb", "sqlite"]
AT_ONCE = 4
EVENTS = 1500


@pytest.mark.parametrize("backend", EVERY, indirect=True)
def test_killed_workers(backend: Backend, tmp_path: Path) -> None:
    """Workers killed anywhere lose no event; only what they left open is repeated."""
    where = {"kind": backend.kind, "url": backend.url, "events": EVENTS}
    with Workers(tmp_path) as pool:
        running = [pool.start(workers.deliveries, slowest=0.01, **where) for _ in range(AT_ONCE)]
        pool.until_ready(AT_ONCE)
        for kill in range(KILLS):
            time.sleep(random.uniform(0.0, 0.02))
            victim = running.pop(random.randrange(AT_ONCE))
            victim.kill()
            running.append(pool.start(workers.deliveries, slowest=0.01, **where))
            pool.until_ready(kill + 1)
        for worker in running:
            worker.kill()
        pool.start(workers.sweep, **where).wait()
        repeated = check(pool.lines(), EVENTS)
    assert repeated <= KILLS + AT_ONCE
    # Of a hundred kills some fall between an effect and its completion.
    assert repeated or KILLS < 100


def test_clocks_of_workers_jump(backend: Backend, tmp_path: Path) -> None:
    """Workers whose own clocks jump by hours neither lose nor repeat an event."""
    where = {"kind": backend.kind, "url": backend.url, "events": 300}
    clock = FakeClock()
    with Workers(tmp_path, clock) as pool:
        running = [pool.start(workers.deliveries, seconds=0.8, **where) for _ in range(AT_ONCE)]
        pool.until_ready(AT_ONCE)
        while any(worker.is_alive for worker in running):
            clock.set(random.choice(["-3600", "+0", "+3600"]))
            time.sleep(0.02)
        pool.start(workers.sweep, **where).wait()
        assert check(pool.lines(), 300) == 0
    clock.close()


@pytest.mark.parametrize("backend", EVERY, indirect=True)
@pytest.mark.parametrize("is_takeover", [False, True], ids=["first", "takeover"])
def test_fifty_duplicates(backend: Backend, tmp_path: Path, is_takeover: bool) -> None:
    """Of fifty deliveries at once, from five processes, one has the effect."""
    events = [f"evt_{number}" for number in range(8)]
    if is_takeover:
        expire(backend, events)
    go = tmp_path / "go"
    with Workers(tmp_path) as pool:
        where = {"kind": backend.kind, "url": backend.url, "go": str(go)}
        running = [
            pool.start(workers.duplicates, events=events, threads=10, **where) for _ in range(5)
        ]
        pool.until_ready(5)
        go.touch()
        for worker in running:
            worker.wait()
        counted = Counter(line.what for line in pool.lines())
    assert counted["effect"] == counted["handled"] == len(events)
    assert counted["busy"] + counted["duplicate"] == 49 * len(events)
    assert counted["busy"] > 0


def expire(backend: Backend, events: list[str]) -> None:
    """Leave claims of a worker that died, with leases that are over."""
    with backend.store() as store:
        for event_id in events:
            fingerprint = sha256(workers.delivery_of(event_id)[0]).hexdigest()
            key = f"default:{event_id}"
            store.claim(key, "dead", fingerprint=fingerprint, lease=0.001, retention=3600.0)
    time.sleep(0.01)


@pytest.mark.parametrize(
    ("backend", "victim"),
    [
        *((kind, victim) for kind in EVERY[1:5] for victim in ("workers", "servers")),
        ("sqlite", "workers"),
    ],
    indirect=["backend"],
)
def test_inbox_is_exactly_once(backend: Backend, tmp_path: Path, victim: str) -> None:
    """Workers or servers killed anywhere: every event has its effect exactly once."""
    is_file = backend.kind == "sqlite"
    engine = create_engine(f"sqlite:///{backend.url}" if is_file else backend.url)
    table = "dubhooks_sqlite_inbox" if is_file else "dubhooks_inbox"
    if is_file:
        with closing(sqlite3.connect(backend.url)) as file:
            file.execute("PRAGMA journal_mode=WAL")
            SQLiteInbox().create_table(file)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS effects"))
        connection.execute(text("CREATE TABLE effects (id VARCHAR(100))"))
    with Workers(tmp_path) as pool:
        where = {"kind": backend.kind, "url": backend.url, "events": EVENTS}
        running = [pool.start(workers.inbox, **where) for _ in range(AT_ONCE)]
        pool.until_ready(AT_ONCE)
        for kill in range(KILLS if victim == "workers" else 0):
            time.sleep(random.uniform(0.0, 0.01))
            running.pop(random.randrange(AT_ONCE)).kill()
            running.append(pool.start(workers.inbox, **where))
            pool.until_ready(kill + 1)
        for _ in range(RESTARTS if victim == "servers" else 0):
            time.sleep(random.uniform(0.0, 0.1))
            backend.server.kill()
            backend.server.start()
        engine.dispose()  # its connections may be of a server that was killed
        until_all_came(engine)
    with engine.connect() as connection:
        ids = connection.execute(text("SELECT id FROM effects")).scalars().all()
        noted = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
    engine.dispose()
    assert sorted(ids) == sorted({f"evt_{number}" for number in range(EVENTS)})
    assert noted == EVENTS


def until_all_came(engine: Engine) -> None:
    """Wait until the workers that are left have taken every event."""

    def count() -> Any:
        with engine.connect() as connection:
            return connection.execute(text("SELECT count(DISTINCT id) FROM effects")).scalar_one()

    until(lambda: count() == EVENTS, "every event came", 60)
