"""Exactly once: the event noted in the transaction of its effect, in SQLite."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from dubhooks import SQLiteInbox, postbacks
from dubhooks.errors import ConfigurationError
from dubhooks.stores.sqlite import _inbox
from dubhooks.testing import make_event
from dubhooks.webhooks import CommissionCreated, LinkCreated, SaleCreated

CONNECTS: dict[str, Callable[[Path], sqlite3.Connection]] = {
    "begins by itself": lambda path: sqlite3.connect(path),
    "begins by itself, immediately": lambda path: sqlite3.connect(
        path, isolation_level="IMMEDIATE"
    ),
}
COMMITTING: dict[str, Callable[[Path], sqlite3.Connection]] = {
    "isolation_level=None": lambda path: sqlite3.connect(path, isolation_level=None),
}
if sys.version_info >= (3, 12):
    CONNECTS["autocommit=False"] = lambda path: sqlite3.connect(path, autocommit=False)
    COMMITTING["autocommit=True"] = lambda path: sqlite3.connect(path, autocommit=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with the inbox's table and one for effects."""
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection:
        SQLiteInbox().create_table(connection)
        SQLiteInbox().create_table(connection)
        connection.execute("CREATE TABLE effects (id TEXT)")
        connection.commit()
    return path


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to it."""
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def effects_in(path: Path) -> list[str]:
    """Return what another connection sees."""
    with closing(sqlite3.connect(path)) as connection:
        return [event_id for (event_id,) in connection.execute("SELECT id FROM effects")]


@pytest.mark.parametrize("connect", CONNECTS.values(), ids=CONNECTS.keys())
def test_event_takes_effect_once(connect: Callable[[Path], sqlite3.Connection], path: Path) -> None:
    """The first transaction of an event has its effect; every later one is told no."""
    inbox, event = SQLiteInbox(), make_event(SaleCreated)
    answers: list[bool] = []
    for _ in range(3):
        with closing(connect(path)) as connection, connection:
            answers.append(inbox.first(connection, event))
            if answers[-1]:
                connection.execute("INSERT INTO effects VALUES (?)", (event.id,))
    assert answers == [True, False, False]
    assert effects_in(path) == [event.id]


@pytest.mark.parametrize("connect", CONNECTS.values(), ids=CONNECTS.keys())
def test_failed_effect_is_not_noted(
    connect: Callable[[Path], sqlite3.Connection], path: Path
) -> None:
    """When the effect fails the event is not noted either, and comes first again."""
    inbox, event = SQLiteInbox(), make_event(SaleCreated)

    def fail() -> None:
        with closing(connect(path)) as connection, connection:
            assert inbox.first(connection, event)
            connection.execute("INSERT INTO effects VALUES (?)", (event.id,))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert effects_in(path) == []
    with closing(connect(path)) as connection, connection:
        assert inbox.first(connection, event)


@pytest.mark.parametrize("connect", COMMITTING.values(), ids=COMMITTING.keys())
def test_no_transaction(connect: Callable[[Path], sqlite3.Connection], path: Path) -> None:
    """Without a transaction nothing is noted; after BEGIN the same connection works."""
    inbox, event = SQLiteInbox(), make_event(SaleCreated)
    with closing(connect(path)) as connection:
        with pytest.raises(ConfigurationError, match="begin a transaction first"):
            inbox.first(connection, event)
        connection.execute("BEGIN IMMEDIATE")
        assert inbox.first(connection, event)
        connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
        assert inbox.first(connection, event)
        connection.execute("COMMIT")


def test_no_table(tmp_path: Path) -> None:
    """Without the table the message names the call that creates it."""
    told = pytest.raises(ConfigurationError, match=r"call create_table\(connection\) once")
    with closing(sqlite3.connect(tmp_path / "empty.db")) as connection, told:
        SQLiteInbox().first(connection, make_event(SaleCreated))


def test_locked_database(path: Path) -> None:
    """Other errors of the database come through: the caller's transaction fails with them."""
    with closing(sqlite3.connect(path, timeout=0)) as connection:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                SQLiteInbox().first(connection, make_event(SaleCreated))
        with connection:
            assert SQLiteInbox().first(connection, make_event(SaleCreated))


def test_ids_and_namespaces_are_kept_apart(connection: sqlite3.Connection) -> None:
    """Ids that differ in case, and namespaces, do not stand in each other's way."""
    events = [make_event(SaleCreated, id=name) for name in ("evt_a", "evt_A", "evt_1", "evt_01")]
    with connection:
        for inbox in (SQLiteInbox(), SQLiteInbox(namespace="other")):
            assert [inbox.first(connection, event) for event in events] == [True] * 4
            assert [inbox.first(connection, event) for event in events] == [False] * 4


def test_namespace_is_checked() -> None:
    """A namespace that a key cannot hold is refused."""
    with pytest.raises(ConfigurationError, match="namespace"):
        SQLiteInbox(namespace="a:b")


def test_purge(connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A purge forgets what was noted longer ago, and nothing else."""
    inbox = SQLiteInbox()
    old, new = (make_event(SaleCreated) for _ in range(2))
    with connection:
        with monkeypatch.context() as patch:
            patch.setattr(_inbox, "time", lambda: time.time() - 31 * 86_400)
            inbox.first(connection, old)
        inbox.first(connection, new)
        assert inbox.purge(connection, timedelta(days=32)) == 0
        assert inbox.purge(connection, 30 * 86_400) == 1
        assert inbox.first(connection, old)
        assert not inbox.first(connection, new)


def test_the_same_thing_under_another_id(connection: sqlite3.Connection) -> None:
    """Dub's own jobs can send one commission under two ids; a postback of it is another thing."""
    inbox = SQLiteInbox()
    webhook = make_event(CommissionCreated, data__id="cm_1")
    again = make_event(CommissionCreated, data__id="cm_1")
    postback = make_event(postbacks.CommissionCreated, data__id="cm_1")
    plain = make_event(LinkCreated)
    for expected in (True, False):
        with connection:
            for event in (webhook, postback, plain):
                assert inbox.first(connection, event, dedupe="natural") is expected
            assert not inbox.first(connection, again, dedupe="natural")


def test_a_misspelt_way_to_deduplicate(connection: sqlite3.Connection) -> None:
    """It is refused, and nothing is noted."""
    with pytest.raises(ConfigurationError, match='"id" or "natural"'):
        SQLiteInbox().first(connection, make_event(SaleCreated), dedupe="ID")  # type: ignore[arg-type]


def test_forgotten_event_comes_first_again(connection: sqlite3.Connection) -> None:
    """An event is forgotten by itself, its id or its natural key, under whatever it was noted."""
    inbox, other = SQLiteInbox(), SQLiteInbox(namespace="other")
    event = make_event(CommissionCreated)
    natural = event.natural_key
    assert natural is not None
    by_id: list[tuple[Any, Any]] = [("id", event), ("id", event.id)]
    by_natural: list[tuple[Any, Any]] = [("natural", event), ("natural", natural)]
    for dedupe, what in by_id + by_natural:
        with connection:
            assert inbox.first(connection, event, dedupe=dedupe)
            other.first(connection, event)
        with connection:
            assert inbox.forget(connection, what)
            assert not inbox.forget(connection, what)
    assert not other.first(connection, event)
    with closing(sqlite3.connect(":memory:")) as empty:
        told = pytest.raises(ConfigurationError, match=r"call create_table\(connection\) once")
        with told:
            inbox.forget(empty, "evt_1")
        with told:
            inbox.purge(empty, 1.0)


def test_async_methods(tmp_path: Path) -> None:
    """They do the same with a connection of aiosqlite, in its transaction."""
    inbox, event = SQLiteInbox(), make_event(SaleCreated)

    async def work() -> None:
        async with aiosqlite.connect(tmp_path / "app.db") as connection:
            with pytest.raises(ConfigurationError, match="create_table"):
                await inbox.afirst(connection, event)
            await inbox.acreate_table(connection)
            assert await inbox.afirst(connection, event)
            await connection.rollback()
            assert await inbox.afirst(connection, event)
            assert not await inbox.afirst(connection, event)
            await connection.commit()
            assert await inbox.apurge(connection, timedelta(days=1)) == 0
            assert await inbox.aforget(connection, event)
            assert not await inbox.aforget(connection, event.id)
            assert await inbox.afirst(connection, event)
            assert await inbox.apurge(connection, 0) == 1
            await connection.commit()
        async with aiosqlite.connect(tmp_path / "app.db", isolation_level=None) as connection:
            with pytest.raises(ConfigurationError, match="begin a transaction first"):
                await inbox.afirst(connection, event)
            await connection.execute("BEGIN")
            assert await inbox.afirst(connection, event)

    asyncio.run(work())
