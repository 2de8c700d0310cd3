"""The SQL stores: their table, their clock, and wrong use, on real servers."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Engine,
    MetaData,
    create_engine,
    event,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import sessionmaker

from dubhooks import ConfigurationError
from dubhooks.stores.sqlalchemy import (
    AsyncSQLAlchemyStore,
    SQLAlchemyStore,
    claims_table,
    metadata,
)
from tests.support.fake_clock import FakeClock
from tests.support.servers import MariaDBServer, PostgreSQLServer
from tests.support.stores.sql_cases import FINGERPRINT, claim
from tests.support.stores.store_cases import (
    check_clock_set_back_and_forth,
    check_purge_while_claiming,
)


@pytest.fixture
def store(engine: Engine) -> SQLAlchemyStore:
    """A store on each database, empty."""
    store = SQLAlchemyStore(engine)
    store.create_table()
    return store


# -- the table ------------------------------------------------------------------------------------


def test_missing_table(engine: Engine) -> None:
    """Without the table the error names create_table, and nothing is remembered of it."""
    store = SQLAlchemyStore(engine)
    for call in (
        lambda: claim(store),
        lambda: store.complete("k", "one", retention=60.0),
        lambda: store.release("k", "one"),
        lambda: store.forget("k"),
        store.purge,
    ):
        with pytest.raises(ConfigurationError, match=r"create_table\(\)"):
            call()
    store.create_table()
    assert claim(store).state == "acquired"
    claims_table.drop(engine)
    with pytest.raises(ConfigurationError, match=r"create_table\(\)"):
        claim(store)


def test_create_table_again_and_at_once(engine: Engine) -> None:
    """Workers that start together may all create the table; it keeps its rows."""
    stores = [SQLAlchemyStore(create_engine(engine.url)) for _ in range(6)]
    errors: list[Exception] = []

    def create(store: SQLAlchemyStore) -> None:
        try:
            store.create_table()
        except Exception as error:  # noqa: BLE001 - the test's own thread looks at it
            errors.append(error)

    threads = [threading.Thread(target=create, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert claim(stores[0]).state == "acquired"
    stores[1].create_table()
    assert claim(stores[1], token="two").state == "busy"
    for each in stores:
        each._engine.dispose()


def test_create_table_too_late(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that finds no table and then is too late to create it is content."""
    claims_table.create(engine)
    create_all = metadata.create_all

    def without_looking(bind: Any, **options: Any) -> None:
        create_all(bind, **options, checkfirst=False)

    monkeypatch.setattr(metadata, "create_all", without_looking)
    SQLAlchemyStore(engine).create_table()
    claims_table.drop(engine)

    def refused(bind: Engine, **_: Any) -> None:
        with bind.begin() as connection:
            connection.execute(text("CREATE TABLE"))

    monkeypatch.setattr(metadata, "create_all", refused)
    with pytest.raises(DBAPIError):
        SQLAlchemyStore(engine).create_table()


def test_table_for_migrations(engine: Engine) -> None:
    """The table that migrations make from the metadata is the one that create_table makes."""
    metadata.create_all(engine)
    store = SQLAlchemyStore(engine)
    assert store.table is claims_table is AsyncSQLAlchemyStore.table
    assert claim(store).state == "acquired"
    reflected = MetaData()
    reflected.reflect(engine, only=["dubhooks_claims", "dubhooks_inbox"])
    assert set(reflected.tables) == set(metadata.tables)


COLLATIONS = {
    "postgresql": ["VARCHAR(255) COLLATE dubhooks_nocase"],
    "mysql": ["VARCHAR(255)", "VARCHAR(255) COLLATE utf8mb4_unicode_ci"],
    "sqlite": ["VARCHAR(255) COLLATE NOCASE"],
}


def test_collation_that_merges_ids(engine: Engine) -> None:
    """A table whose keys ignore case, MariaDB's default, is refused before anything is claimed."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(
                text(
                    "CREATE COLLATION IF NOT EXISTS dubhooks_nocase "
                    "(provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
                )
            )
    quote = engine.dialect.identifier_preparer.quote
    for kind in COLLATIONS[engine.dialect.name]:
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE IF EXISTS dubhooks_claims"))
            connection.execute(
                text(
                    f"CREATE TABLE dubhooks_claims ({quote('key')} {kind} PRIMARY KEY, "
                    "token VARCHAR(64), attempt INTEGER, fingerprint VARCHAR(64), done BOOLEAN, "
                    "since BIGINT, lease_until BIGINT, keep_until BIGINT)"
                )
            )
        store = SQLAlchemyStore(engine)
        with pytest.raises(ConfigurationError, match="without case"):
            claim(store, "evt_a")
        with engine.begin() as connection:
            assert not connection.execute(select(claims_table)).all()


def test_collation_changed_later(mariadb_server: MariaDBServer) -> None:
    """A table that merges keys from some day on is noticed when it does."""
    engine = create_engine(mariadb_server.url())
    store = SQLAlchemyStore(engine)
    store.create_table()
    claim(store, "evt_a")
    with engine.begin() as connection:
        connection.execute(
            text("ALTER TABLE dubhooks_claims MODIFY `key` VARCHAR(255) COLLATE utf8mb4_general_ci")
        )
    with pytest.raises(ConfigurationError, match="without case"):
        claim(store, "evt_A")
    metadata.drop_all(engine)
    engine.dispose()


# -- claims ---------------------------------------------------------------------------------------


def test_purge(store: SQLAlchemyStore, engine: Engine) -> None:
    """A purge deletes what nobody needs any more, says how much, and leaves the rest."""
    for number in range(20):
        claim(store, f"old-{number}")
        claim(store, f"new-{number}")
    with engine.begin() as connection:
        old = claims_table.c.key.like("old-%")
        connection.execute(update(claims_table).where(old).values(keep_until=1))
    assert store.purge() == 20
    assert store.purge() == 0
    with engine.connect() as connection:
        assert len(connection.execute(select(claims_table)).all()) == 20


def test_purge_in_many_steps(store: SQLAlchemyStore, engine: Engine) -> None:
    """A purge of more rows than fit into one step deletes all of them."""
    times = {"since": 0, "lease_until": 0, "keep_until": 1}
    row = {"token": "", "attempt": 1, "fingerprint": FINGERPRINT, "done": True, **times}
    rows = [{"key": f"old-{number}", **row} for number in range(10_500)]
    with engine.begin() as connection:
        connection.execute(claims_table.insert(), rows)
    claim(store)
    assert store.purge() == 10_500
    assert claim(store, token="two").state == "busy"


@pytest.mark.slow
def test_purge_while_claiming(store: SQLAlchemyStore) -> None:
    """Purges never delete a row that a claim has just taken."""
    check_purge_while_claiming(store)


def test_clock_does_not_stand_still(postgresql_server: PostgreSQLServer) -> None:
    """On PostgreSQL the clock goes on inside a transaction, which now() does not."""
    from dubhooks.stores.sqlalchemy._tables import milliseconds

    engine = create_engine(postgresql_server.url())
    with engine.begin() as connection:
        first = connection.execute(select(milliseconds())).scalar_one()
        connection.execute(text("SELECT pg_sleep(0.05)"))
        assert connection.execute(select(milliseconds())).scalar_one() >= first + 50
    engine.dispose()


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "UTC"])
def test_time_zones(
    postgresql_server: PostgreSQLServer, mariadb_server: MariaDBServer, zone: str
) -> None:
    """Sessions in any time zone read the same clock."""
    offset = {"America/New_York": "-05:00", "Asia/Kolkata": "+05:30", "UTC": "+00:00"}[zone]
    for url, statement in (
        (postgresql_server.url(), f"SET TIME ZONE '{zone}'"),
        (mariadb_server.url(), f"SET time_zone = '{offset}'"),
    ):
        here, there = create_engine(url), create_engine(url)
        event.listen(there, "connect", _running(statement))
        store, other = SQLAlchemyStore(here), SQLAlchemyStore(there)
        store.create_table()
        claim(store, f"zone-{zone}", lease=100.0)
        assert 95 < claim(other, f"zone-{zone}", "two").retry_after <= 100
        here.dispose()
        there.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [PostgreSQLServer, MariaDBServer])
def test_clock_set_back_and_forth(kind: type[PostgreSQLServer] | type[MariaDBServer]) -> None:
    """A clock set back delays a takeover by one lease at most; set forward it ends leases early."""
    clock = FakeClock()
    with kind(clock=clock) as server:
        engine = create_engine(server.url())
        store = SQLAlchemyStore(engine)
        store.create_table()
        check_clock_set_back_and_forth(store, clock)
        engine.dispose()
    clock.close()


# -- wrong use ------------------------------------------------------------------------------------


def test_wrong_engine(tmp_path: Path) -> None:
    """Anything but an engine of the right kind is refused at once."""
    plain = create_engine(f"sqlite:///{tmp_path}/x.db")
    asynchronous = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/x.db")
    with pytest.raises(ConfigurationError, match="AsyncSQLAlchemyStore"):
        SQLAlchemyStore(asynchronous)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="AsyncSQLAlchemyStore"):
        SQLAlchemyStore(asynchronous.sync_engine)
    with pytest.raises(ConfigurationError, match="pass it to SQLAlchemyStore"):
        AsyncSQLAlchemyStore(plain)  # type: ignore[arg-type]
    for wrong in ("sqlite://", None, sessionmaker(plain), Engine):
        with pytest.raises(ConfigurationError, match="create_engine"):
            SQLAlchemyStore(wrong)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="create_async_engine"):
            AsyncSQLAlchemyStore(wrong)  # type: ignore[arg-type]


def test_unsupported_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A database that the statements are not written for is refused at once."""
    engine = create_engine(f"sqlite:///{tmp_path}/x.db")
    monkeypatch.setattr(engine.dialect, "name", "oracle")
    with pytest.raises(ConfigurationError, match="oracle is not supported"):
        SQLAlchemyStore(engine)


READ_ONLY = {
    "postgresql": "ALTER DATABASE test SET default_transaction_read_only = {}",
    "mariadb": "SET GLOBAL read_only = {}",
}


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_read_only_server(request: pytest.FixtureRequest, kind: str) -> None:
    """A database that refuses writes, as a replica does, says to use the primary."""
    server = request.getfixturevalue(f"{kind}_server")
    admin = create_engine(server.url(), isolation_level="AUTOCOMMIT")
    SQLAlchemyStore(admin).create_table()
    poor = create_engine(server.url())
    with admin.connect() as connection:
        if kind == "mariadb":  # read_only does not bind an administrator
            connection.execute(text("CREATE USER IF NOT EXISTS poor@'127.0.0.1'"))
            connection.execute(text("GRANT ALL ON test.* TO poor@'127.0.0.1'"))
            poor = create_engine(server.url().replace("dubhooks@", "poor@"))
        connection.execute(text(READ_ONLY[kind].format("ON")))
        try:
            with pytest.raises(ConfigurationError, match="connect to the primary"):
                claim(SQLAlchemyStore(poor))
        finally:
            connection.execute(text(READ_ONLY[kind].format("OFF")))
    admin.dispose()
    poor.dispose()


def test_read_only_file(tmp_path: Path) -> None:
    """An SQLite database opened for reading says so."""
    store = SQLAlchemyStore(create_engine(f"sqlite:///{tmp_path}/x.db"))
    store.create_table()
    claim(store)
    readers = create_engine(f"sqlite:///file:{tmp_path}/x.db?mode=ro&uri=true")
    with pytest.raises(ConfigurationError, match="read-only"):
        claim(SQLAlchemyStore(readers))
    readers.dispose()
    store._engine.dispose()


def test_async_calls(engine: Engine) -> None:
    """The async store creates its table, purges and repeats as the sync one does."""
    drivers = {"pysqlite": "aiosqlite", "psycopg": "asyncpg", "pymysql": "aiomysql"}
    target = engine.url.set(drivername=f"{engine.dialect.name}+{drivers[engine.dialect.driver]}")

    async def work(engine: AsyncEngine) -> None:
        store = AsyncSQLAlchemyStore(engine)
        with pytest.raises(ConfigurationError, match=r"create_table\(\)"):
            await store.claim("a", "t", fingerprint="f", lease=1.0, retention=1.0)
        await store.create_table()
        await store.create_table()
        await store.claim("a", "t", fingerprint="f", lease=0.001, retention=0.001)
        await asyncio.sleep(0.01)
        assert await store.purge() == 1
        assert repr(store) == f"AsyncSQLAlchemyStore({engine.dialect.name})"
        await engine.dispose()

    asyncio.run(work(create_async_engine(target)))
    assert repr(SQLAlchemyStore(engine)) == f"SQLAlchemyStore({engine.dialect.name})"
    assert inspect(engine).has_table("dubhooks_claims")


def test_missing_extra() -> None:
    """Without SQLAlchemy the import says what to install, and the core does not need it."""
    code = "import sys; sys.modules['sqlalchemy'] = None; import dubhooks.stores.sqlalchemy"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "install dubhooks[sqlalchemy]" in run.stderr
    code = "import sys, dubhooks; dubhooks.SQLiteStore; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _running(statement: str) -> Callable[..., None]:
    def run(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()
        connection.commit()

    return run
