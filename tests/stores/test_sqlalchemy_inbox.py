"""Exactly once in the user's own transaction, on real servers."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import scoped_session, sessionmaker

from dubhooks import ConfigurationError
from dubhooks.stores.sqlalchemy import SQLAlchemyInbox, inbox_table
from dubhooks.testing import make_event
from dubhooks.webhooks import SaleCreated
from tests.support.servers import MariaDBServer, PostgreSQLServer

EVENT = make_event(SaleCreated, id="evt_inbox")
ASYNC_DRIVERS = {
    "postgresql": ("asyncpg", "psycopg"),
    "mysql": ("aiomysql",),
    "sqlite": ("aiosqlite",),
}


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """An engine of each kind, with an empty inbox and a table for effects."""
    SQLAlchemyInbox().create_table(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS effects"))
        connection.execute(text("CREATE TABLE effects (id VARCHAR(100))"))
    return engine


def effects(engine: Engine) -> int:
    """Count what was done."""
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM effects")).scalar_one())


INSERT = text("INSERT INTO effects VALUES ('x')")


def test_every_kind_of_transaction(engine: Engine) -> None:
    """Sessions, scoped sessions, connections and savepoints will do."""
    inbox, sessions = SQLAlchemyInbox(), scoped_session(sessionmaker(engine))
    with engine.begin() as connection:
        assert inbox.first(connection, EVENT)
    with sessions.begin():
        assert not inbox.first(sessions, EVENT)
    sessions.remove()
    with sessionmaker(engine).begin() as session:
        with session.begin_nested():
            assert not inbox.first(session, EVENT)
        assert inbox.first(session, make_event(SaleCreated, id="evt_2"))


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_many_at_once(engine: Engine, isolation: str) -> None:
    """Of many deliveries at once one has the effect, in every isolation level."""
    if engine.dialect.name == "sqlite":
        isolation = "SERIALIZABLE"
    engine = engine.execution_options(isolation_level=isolation)
    inbox, refused = SQLAlchemyInbox(), []
    start = threading.Barrier(8)

    def deliver() -> None:
        start.wait()
        for number in range(10):
            try:
                with engine.begin() as connection:
                    if inbox.first(connection, make_event(SaleCreated, id=f"evt_{number}")):
                        connection.execute(INSERT)
            except DBAPIError as error:
                refused.append(error)  # it would be delivered again

    with ThreadPoolExecutor(8) as pool:
        for delivery in [pool.submit(deliver) for _ in range(8)]:
            delivery.result()
    for number in range(10):
        with engine.begin() as connection:
            if inbox.first(connection, make_event(SaleCreated, id=f"evt_{number}")):
                connection.execute(INSERT)
    assert effects(engine) == 10
    if isolation == "READ COMMITTED":
        assert not refused


def test_autocommit_is_refused(engine: Engine) -> None:
    """Without a transaction the event would be noted even if its effect fails."""
    inbox, by_itself = SQLAlchemyInbox(), engine.execution_options(isolation_level="AUTOCOMMIT")
    with by_itself.connect() as connection, pytest.raises(ConfigurationError, match="transaction"):
        inbox.first(connection, EVENT)
    with (
        sessionmaker(by_itself)() as session,
        pytest.raises(ConfigurationError, match="AUTOCOMMIT"),
    ):
        inbox.first(session, EVENT)
    with engine.begin() as connection:
        assert inbox.first(connection, EVENT), "the refused calls noted the event"


def test_collation_that_merges_ids(mariadb_server: MariaDBServer) -> None:
    """A table that takes two events for one is refused before one of them is lost."""
    inbox, engine = SQLAlchemyInbox(), create_engine(mariadb_server.url())
    inbox.create_table(engine)
    with engine.begin() as connection:
        change = "MODIFY event_key VARCHAR(255) COLLATE utf8mb4_general_ci"
        connection.execute(text(f"ALTER TABLE dubhooks_inbox {change}"))
        inbox.first(connection, make_event(SaleCreated, id="evt_a"))
        assert not inbox.first(connection, make_event(SaleCreated, id="evt_a"))
        with pytest.raises(ConfigurationError, match="event_key of dubhooks_inbox compares"):
            inbox.first(connection, make_event(SaleCreated, id="evt_A"))
    inbox_table.drop(engine)
    engine.dispose()


def test_async(engine: Engine) -> None:
    """Async sessions and connections do the same through afirst."""
    inbox = SQLAlchemyInbox()

    async def work(target: AsyncEngine, event_id: str) -> None:
        delivered, sessions = make_event(SaleCreated, id=event_id), async_sessionmaker(target)
        async with sessions.begin() as session:
            assert await inbox.afirst(session, delivered)
        async with target.begin() as connection:
            assert not await inbox.afirst(connection, delivered)
            await inbox.acreate_table(connection)
        await inbox.acreate_table(target)
        async with sessions.begin() as session:
            assert await inbox.apurge(session, timedelta(days=1)) == 0
            assert await inbox.aforget(session, delivered)
            assert await inbox.afirst(session, delivered)
            with pytest.raises(ConfigurationError, match="AsyncSession"):
                inbox.first(session, delivered)  # type: ignore[arg-type]
        by_itself = target.execution_options(isolation_level="AUTOCOMMIT")
        async with by_itself.connect() as connection:
            with pytest.raises(ConfigurationError, match="AUTOCOMMIT"):
                await inbox.afirst(connection, make_event(SaleCreated, id="evt_auto"))
        await target.dispose()

    for driver in ASYNC_DRIVERS[engine.dialect.name]:
        url = engine.url.set(drivername=f"{engine.dialect.name}+{driver}")
        asyncio.run(work(create_async_engine(url), f"evt_{driver}"))


def test_wrong_use(engine: Engine) -> None:
    """Anything but a transaction is refused with what is needed."""
    inbox = SQLAlchemyInbox()
    for wrong in (engine, sessionmaker(engine), None):
        with pytest.raises(ConfigurationError, match="a Session or a Connection"):
            inbox.first(wrong, EVENT)  # type: ignore[arg-type]


def test_row_counts_that_drivers_do_not_have(postgresql_server: PostgreSQLServer) -> None:
    """The answer does not hang on the row count of an INSERT, which may be -1."""
    inbox, engine = SQLAlchemyInbox(), create_engine(postgresql_server.url())
    event.listen(engine, "after_cursor_execute", _lose_row_count)
    inbox.create_table(engine)
    with engine.begin() as connection:
        inbox.purge(connection, timedelta(0))
        assert inbox.first(connection, EVENT)
        assert not inbox.first(connection, EVENT)
        connection.rollback()
    engine.dispose()


def _lose_row_count(*arguments: Any) -> None:
    context = arguments[4]
    context.cursor = _WithoutRowCount(context.cursor)


class _WithoutRowCount:
    rowcount = -1

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)
