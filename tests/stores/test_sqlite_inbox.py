"""Exactly once: the event noted in the transaction of its effect, in SQLite."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import aiosqlite
import pytest

from dubhooks import SQLiteInbox
from dubhooks.errors import ConfigurationError
from dubhooks.testing import make_event
from dubhooks.webhooks import SaleCreated

CONNECTS: dict[str, Callable[[Path], sqlite3.Connection]] = {
    "begins by itself": lambda path: sqlite3.connect(path),
    "begins by itself, immediately": lambda path: sqlite3.connect(
        path, isolation_level="IMMEDIATE"
    ),
}
COMMITTING: dict[str, Callable[[Path], sqlite3.Connection]] = {
    "isolation_level=None": lambda path: sqlite3.connect(path, isolation_level=None)
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
        connection.execute("CREATE TABLE effects (id TEXT)")
        connection.commit()
    return path


@pytest.mark.parametrize("connect", CONNECTS.values(), ids=CONNECTS.keys())
def test_event_takes_effect_once(connect: Callable[[Path], sqlite3.Connection], path: Path) -> None:
    """The transaction of its effect is the first; one that fails notes nothing."""
    inbox, event = SQLiteInbox(), make_event(SaleCreated)

    def deliver(succeeds: bool) -> bool:
        with closing(connect(path)) as connection, connection:
            is_first = inbox.first(connection, event)
            connection.execute("INSERT INTO effects SELECT ? WHERE ?", (event.id, is_first))
            if not succeeds:
                raise ZeroDivisionError
        return is_first

    with pytest.raises(ZeroDivisionError):
        deliver(succeeds=False)
    assert [deliver(succeeds=True) for _ in range(3)] == [True, False, False]
    with closing(connect(path)) as connection, connection:
        assert connection.execute("SELECT id FROM effects").fetchall() == [(event.id,)]
        assert inbox.forget(connection, event.id)
        assert inbox.purge(connection, 0) == 0
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


def test_locked_database(path: Path) -> None:
    """Other errors of the database come through: the caller's transaction fails with them."""
    with closing(sqlite3.connect(path, timeout=0)) as connection:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                SQLiteInbox().first(connection, make_event(SaleCreated))
        with connection:
            assert SQLiteInbox().first(connection, make_event(SaleCreated))


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
