"""What a store is made from: URLs, engines made for it, and what cannot hold claims."""

import asyncio
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from dubhooks import ConfigurationError, Webhooks
from dubhooks.fastapi import webhook
from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore, SQLAlchemyInbox, SQLAlchemyStore
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.clients import AsgiClient
from tests.support.servers import MariaDBServer, PostgreSQLServer
from tests.support.stores import workers
from tests.support.stores.backends import Backend
from tests.support.stores.store_cases import claim

PASSWORD = "sword:fish@/"
AT_ONCE = 40
ONE_CONNECTION: dict[str, Any] = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.2}

SYNC_REFUSED = [
    (f"postgresql+asyncpg://u:{quote(PASSWORD)}@h/d", "pass it to AsyncSQLAlchemyStore"),
    (f"postgres://u:{quote(PASSWORD)}@h/d", "no URL of a database"),
    ("oracle+oracledb://h/d", "oracle is not supported"),
    ("postgresql+psycopg://u:fish@h:port/d", "no URL of a database"),
    ("shop.db", "no URL of a database"),
    ("sqlite://", "in memory"),
    ("sqlite:///:memory:", "in memory"),
    ("sqlite:///file:x?mode=memory&cache=shared&uri=true", "in memory"),
    ("sqlite:///file::memory:?cache=shared&uri=true", "in memory"),
    ("sqlite:////no/such/place/x.db", "/no/such/place/x.db does not exist"),
    (42, "not 'int'"),
    (Engine, "takes the URL of a database"),
]
ASYNC_REFUSED = [
    ("postgresql+psycopg2://h/d", "pass it to SQLAlchemyStore"),
    ("sqlite:///x.db", "'pysqlite' is not async"),
    ("sqlite+aiosqlite://", "in memory"),
    (None, "takes the URL of a database"),
]


@pytest.mark.parametrize(
    ("store", "given", "advice"),
    [
        *((SQLAlchemyStore, *each) for each in SYNC_REFUSED),
        *((AsyncSQLAlchemyStore, *each) for each in ASYNC_REFUSED),
    ],
)
def test_refused(store: Any, given: Any, advice: str) -> None:
    """What cannot be a store is refused at once, with what to do and without the password."""
    with pytest.raises(ConfigurationError, match=advice) as refused:
        store(given)
    assert "fish" not in str(refused.value)
    assert "fish" not in str(refused.value.__cause__)


def test_refused_engines(tmp_path: Path) -> None:
    """So are engines of the other kind, and pools that lend one connection to everybody."""
    path = f"{tmp_path}/x.db"
    asynchronous = create_async_engine(f"sqlite+aiosqlite:///{path}")
    for wrong, advice in (
        (asynchronous, "is async: pass it to AsyncSQLAlchemyStore"),
        (asynchronous.sync_engine, "is async: pass it to AsyncSQLAlchemyStore"),
        (sessionmaker(create_engine("sqlite://")), "not 'sessionmaker'"),
        (create_engine("sqlite://"), "in memory"),
        (create_engine("sqlite://", poolclass=StaticPool), "in memory"),
        (create_engine(f"sqlite:///{path}", poolclass=StaticPool), "StaticPool lends one"),
        (create_engine(f"sqlite:///{path}", poolclass=SingletonThreadPool), "ThreadPool lends"),
    ):
        with pytest.raises(ConfigurationError, match=advice):
            SQLAlchemyStore(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="pass it to SQLAlchemyStore"):
        AsyncSQLAlchemyStore(create_engine(f"sqlite:///{path}"))  # type: ignore[arg-type]


def test_unsupported_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An engine of a database that the statements are not written for is refused at once."""
    engine = create_engine(f"sqlite:///{tmp_path}/x.db")
    monkeypatch.setattr(engine.dialect, "name", "oracle")
    with pytest.raises(ConfigurationError, match="oracle is not supported"):
        SQLAlchemyStore(engine)
    with (
        engine.connect() as connection,
        pytest.raises(ConfigurationError, match="oracle is not supported"),
    ):
        SQLAlchemyInbox().forget(connection, "evt_1")
    engine.dispose()


# -- from a URL ------------------------------------------------------------------------------------


def test_file_of_its_own(tmp_path: Path) -> None:
    """On SQLite a store writes ahead, waits for other writers, and leaves the file to close()."""
    path = tmp_path / "claims.db"
    store = SQLAlchemyStore(f"sqlite:///{path}")
    store.create_table()
    claim(store)
    assert (tmp_path / "claims.db-wal").exists()
    writer = create_engine(f"sqlite:///{path}")
    with writer.connect() as connection:
        connection.execute(text("BEGIN IMMEDIATE"))
        later = threading.Timer(0.3, lambda: None)
        later.start()
        waiting = threading.Thread(target=claim, args=(store, "waits"))
        waiting.start()
        later.join()
        connection.rollback()
        waiting.join(10)
    assert claim(store, "waits", "two").state == "busy"
    writer.dispose()
    store.close()
    assert not (tmp_path / "claims.db-wal").exists()
    assert claim(store, token="two").state == "busy", "a store that was closed opens itself again"
    store.close()


def test_session_of_the_request_on_the_same_server(postgresql_server: PostgreSQLServer) -> None:
    """Deliveries that hold a session of the application's own pool never wait for one another."""
    Backend("postgresql", postgresql_server).empty()
    url, runs = postgresql_server.url("asyncpg"), Counter[str]()
    engine, store = create_async_engine(url), AsyncSQLAlchemyStore(url)
    sessions = async_sessionmaker(engine)
    hooks = Webhooks(workers.SECRET, store=store, max_age=None, lease=600.0)
    app = FastAPI()

    async def get_db() -> Any:
        async with sessions() as session:
            yield session

    @app.post("/dub")
    @webhook(hooks, SaleCreated)
    async def sale(event: SaleCreated, db: Annotated[AsyncSession, Depends(get_db)]) -> None:
        await db.execute(text("SELECT pg_sleep(0.1)"))
        runs[event.id] += 1

    requests = [signed_request(make_event(SaleCreated), workers.SECRET) for _ in range(AT_ONCE)]

    async def deliver_all() -> list[bytes]:
        client = AsgiClient(app, "/dub")
        sending = [client.send(body, list(headers.items())) for body, headers in requests]
        return [response.body for response in await asyncio.gather(*sending)]

    async def work() -> None:
        started = time.monotonic()
        first = await deliver_all()
        assert time.monotonic() - started < 5
        assert all(b"handled" in each for each in first), first
        assert all(b"duplicate" in each for each in await deliver_all())
        await store.aclose()
        await engine.dispose()

    asyncio.run(work())
    assert len(runs) == AT_ONCE == sum(runs.values())


# -- an engine that somebody made ------------------------------------------------------------------


def test_connections_go_back_as_they_were(engine: Engine) -> None:
    """Claims are committed, whatever else is done on the same connections, and are not undone."""
    other = create_engine(engine.url, **ONE_CONNECTION)
    event.listen(other, "checkout", _begin)
    store = SQLAlchemyStore(other)
    store.create_table()
    with other.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS others"))
        connection.execute(text("CREATE TABLE others (id INTEGER)"))
    for number in range(3):
        assert claim(store, f"k{number}").state == "acquired"
        with other.connect() as connection:
            connection.execute(text("INSERT INTO others VALUES (1)"))
            connection.rollback()
            assert not connection.execute(text("SELECT * FROM others")).all()
        assert claim(store, f"k{number}", "two").state == "busy", "a rollback undid a claim"
    assert claim(SQLAlchemyStore(engine), "k1", "two").state == "busy"
    with other.begin() as connection:
        connection.execute(text("DROP TABLE others"))
    store.close()
    with other.connect():  # it is not the store's to close
        assert other.pool.checkedout() == 1  # type: ignore[attr-defined]
    other.dispose()


def _begin(connection: Any, *_: object) -> None:
    """Do what a listener does that sets something up, and so begins a transaction."""
    cursor = connection.cursor()
    cursor.execute("SELECT 1")
    cursor.fetchall()
    cursor.close()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "sqlite"])
def test_schema_that_the_engine_maps_to(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    """Claims and notes go to the schema of the engine's schema_translate_map, and only there."""
    if kind == "sqlite":
        plain = create_engine(f"sqlite:///{tmp_path}/main.db")
        attach = f"ATTACH DATABASE '{tmp_path}/tenant.db' AS \"the tenant\""
        event.listen(plain, "connect", lambda connection, _: connection.execute(attach))
    else:
        server: PostgreSQLServer | MariaDBServer = request.getfixturevalue(f"{kind}_server")
        Backend(kind, server).empty()
        plain = create_engine(server.url())
        name = plain.dialect.identifier_preparer.quote("the tenant")
        with plain.begin() as connection:
            connection.execute(text(f"DROP SCHEMA IF EXISTS {name}"))
            connection.execute(text(f"CREATE SCHEMA {name}"))
    SQLAlchemyStore(plain).create_table()
    tenant = plain.execution_options(schema_translate_map={None: "the tenant"})
    store, inbox, sale = SQLAlchemyStore(tenant), SQLAlchemyInbox(), make_event(SaleCreated)
    store.create_table()
    assert claim(store)[:2] == ("acquired", 1)
    assert claim(SQLAlchemyStore(plain), token="two")[:2] == ("acquired", 1)
    inbox.create_table(tenant)
    inbox.create_table(plain)
    for engine in (tenant, plain):
        with engine.begin() as connection:
            assert inbox.first(connection, sale)
    quote = plain.dialect.identifier_preparer.quote
    with plain.begin() as connection:
        for table in ("dubhooks_claims", "dubhooks_inbox"):
            for schema in ("", f"{quote('the tenant')}."):
                found = connection.execute(text(f"SELECT count(*) FROM {schema}{table}"))
                assert found.scalar_one() == 1
                connection.execute(text(f"DROP TABLE {schema}{table}"))
    plain.dispose()
