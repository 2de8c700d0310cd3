"""The SQL stores: their table, their clock, and databases that refuse, on real servers."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, MetaData, create_engine, event, text, update

from dubhooks import ConfigurationError
from dubhooks.stores._sql import find_vendor
from dubhooks.stores.sqlalchemy import SQLAlchemyStore, claims_table, metadata
from tests.support.servers import MariaDBServer, PostgreSQLServer
from tests.support.stores.store_cases import FINGERPRINT, claim


@pytest.fixture
def url(engine: Engine) -> str:
    """Where each database is, without our tables."""
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture
def store(url: str) -> Iterator[SQLAlchemyStore]:
    """A store on each database, empty."""
    store = SQLAlchemyStore(url)
    store.create_table()
    yield store
    store.close()


# -- the table ------------------------------------------------------------------------------------


def test_missing_table(store: SQLAlchemyStore, engine: Engine) -> None:
    """Without the table the error names create_table, and nothing is remembered of it."""
    claims_table.drop(engine)
    for call in (
        lambda: claim(store),
        lambda: store.complete("k", "one", retention=60.0),
        lambda: store.release("k", "one"),
        lambda: store.forget("k"),
        store.purge,
    ):
        with pytest.raises(ConfigurationError, match=r"no table dubhooks_claims.*create_table\(\)"):
            call()
    store.create_table()
    assert claim(store).state == "acquired"


def test_create_table_again_and_at_once(url: str) -> None:
    """Workers that start together may all create the table; it keeps its rows."""
    stores = [SQLAlchemyStore(url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(SQLAlchemyStore.create_table, stores))
    assert claim(stores[0]).state == "acquired"
    stores[1].create_table()
    assert claim(stores[1], token="two").state == "busy"
    for each in stores:
        each.close()


def test_table_for_migrations(url: str, engine: Engine) -> None:
    """The table that migrations make from the metadata is the one that create_table makes."""
    metadata.create_all(engine)
    store = SQLAlchemyStore(url)
    assert claim(store).state == "acquired"
    store.close()
    reflected = MetaData()
    reflected.reflect(engine, only=["dubhooks_claims", "dubhooks_inbox"])
    assert set(reflected.tables) == set(metadata.tables)
    [index] = reflected.tables["dubhooks_claims"].indexes
    assert [column.name for column in index.columns] == ["keep_until"]


KEY = "PRIMARY KEY (claim_key)"
COLUMNS = (
    "claim_key %s, token VARCHAR(64), attempt INTEGER, fingerprint VARCHAR(64), done BOOLEAN, "
    "since BIGINT, lease_until BIGINT, keep_until BIGINT"
)
COLLATIONS = {
    "postgresql": ["VARCHAR(255) COLLATE dubhooks_nocase"],
    "mysql": ["VARCHAR(255)", "VARCHAR(255) COLLATE utf8mb4_unicode_ci"],
    "sqlite": ["VARCHAR(255) COLLATE NOCASE"],
}


def test_collation_that_merges_ids(url: str, engine: Engine) -> None:
    """A table whose keys ignore case, MariaDB's default, is refused before an event is lost."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(
                text(
                    "CREATE COLLATION IF NOT EXISTS dubhooks_nocase "
                    "(provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
                )
            )
    for kind in COLLATIONS[engine.dialect.name]:
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE IF EXISTS dubhooks_claims"))
            connection.execute(text(f"CREATE TABLE dubhooks_claims ({COLUMNS % kind}, {KEY})"))
        store = SQLAlchemyStore(url)
        assert claim(store, "evt_a").state == "acquired"
        assert store.complete("evt_a", "one", retention=60.0)
        with pytest.raises(ConfigurationError, match="without case"):
            claim(store, "evt_A")
        assert claim(store, "evt_a").state == "done"
        store.close()


# -- claims ---------------------------------------------------------------------------------------


def test_purge_in_many_steps(store: SQLAlchemyStore, engine: Engine) -> None:
    """A purge deletes what nobody needs any more, says how much, and leaves the rest."""
    times = {"since": 0, "lease_until": 0, "keep_until": 1}
    row = {"token": "", "attempt": 1, "fingerprint": FINGERPRINT, "done": True, **times}
    rows = [{"claim_key": f"old-{number}", **row} for number in range(2_500)]
    with engine.begin() as connection:
        connection.execute(claims_table.insert(), rows)
    claim(store)
    claim(store, "late", "one", lease=0.001, retention=3600.0)
    assert store.purge() == 2_500
    assert store.purge() == 0
    assert claim(store, token="two").state == "busy"
    with engine.begin() as connection:
        connection.execute(update(claims_table).values(keep_until=1))
    assert store.purge() == 2


def test_clock_does_not_stand_still(engine: Engine) -> None:
    """The clock goes on inside a transaction, which now() of PostgreSQL does not."""
    now = text(f"SELECT {find_vendor(engine.dialect.name).now}")
    with engine.begin() as connection:
        first = connection.execute(now).scalar_one()
        threading.Event().wait(0.05)
        assert connection.execute(now).scalar_one() >= first + 45


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
        there = create_engine(url)
        event.listen(there, "connect", _running(statement))
        store, other = SQLAlchemyStore(url), SQLAlchemyStore(there)
        store.create_table()
        claim(store, f"zone-{zone}", lease=100.0)
        assert 95 < claim(other, f"zone-{zone}", "two").retry_after <= 100
        store.close()
        there.dispose()


def _running(statement: str) -> Callable[..., None]:
    def run(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()
        connection.commit()

    return run


# -- databases that refuse ------------------------------------------------------------------------

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
    url = server.url()
    with admin.connect() as connection:
        if kind == "mariadb":  # read_only does not bind an administrator
            connection.execute(text("CREATE USER IF NOT EXISTS poor@'127.0.0.1'"))
            connection.execute(text("GRANT ALL ON test.* TO poor@'127.0.0.1'"))
            url = url.replace("dubhooks@", "poor@")
        connection.execute(text(READ_ONLY[kind].format("ON")))
        store = SQLAlchemyStore(url)
        try:
            with pytest.raises(ConfigurationError, match="connect to the primary"):
                claim(store)
        finally:
            connection.execute(text(READ_ONLY[kind].format("OFF")))
    store.close()
    admin.dispose()


@pytest.mark.parametrize("key", ["", ", PRIMARY KEY (claim_key, token)"])
def test_table_with_two_rows_of_a_key(mariadb_server: MariaDBServer, key: str) -> None:
    """MySQL would insert a row for each claim, so a table with another primary key is refused."""
    store = SQLAlchemyStore(mariadb_server.url())
    engine = create_engine(mariadb_server.url())
    metadata.drop_all(engine)
    with engine.begin() as connection:
        columns = COLUMNS % "VARCHAR(100) COLLATE utf8mb4_bin"
        connection.execute(text(f"CREATE TABLE dubhooks_claims ({columns}{key})"))
    assert claim(store).state == "acquired"
    for token in ("two", "a"):
        with pytest.raises(ConfigurationError, match="claim_key alone its primary key"):
            claim(store, token=token)
    store.close()
    metadata.drop_all(engine)
    engine.dispose()


def test_row_that_vanishes(mariadb_server: MariaDBServer) -> None:
    """A row that is gone when it is read, purged or forgotten, means: come again."""
    store = SQLAlchemyStore(mariadb_server.url())
    engine = create_engine(mariadb_server.url())
    store.create_table()
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER vanish BEFORE INSERT ON dubhooks_claims FOR EACH ROW "
                "SET NEW.claim_key = concat('other-', NEW.claim_key)"
            )
        )
    assert claim(store) == ("busy", 1, FINGERPRINT, 0.001)
    store.close()
    metadata.drop_all(engine)
    engine.dispose()
