"""Servers that are alive and stuck: stores made from a URL give up in time, and go on later."""

import gc
import time
import warnings
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from dubhooks.stores.sqlalchemy import SQLAlchemyStore
from dubhooks.stores.sqlalchemy._drivers import list_limits
from tests.support.servers import MariaDBServer, PostgreSQLServer
from tests.support.stores.sql_cases import (
    ASYNC_DRIVERS,
    SYNC_DRIVERS,
    find_url,
    make_store,
    open_store,
)
from tests.support.stores.store_cases import claim

BOUND = 10.0
# Nothing bounds psycopg2, as the page says, and no server of SQLite can freeze.
BOUNDED = {
    driver: kind
    for driver, kind in {**SYNC_DRIVERS, **ASYNC_DRIVERS}.items()
    if driver != "psycopg2" and kind != "sqlite"
}


@contextmanager
def frozen(server: PostgreSQLServer | MariaDBServer) -> Generator[None]:
    """Stop a server where it is; let it go on at the end."""
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


def fail_in_time(store: Any) -> float:
    """Return how many seconds a claim took that failed."""
    started = time.monotonic()
    with pytest.raises(Exception, match=r".*"):
        claim(store, "late")
    return time.monotonic() - started


@pytest.mark.slow
@pytest.mark.parametrize("driver", BOUNDED)
def test_frozen_server(request: pytest.FixtureRequest, driver: str) -> None:
    """On a fresh connection and on pooled ones a claim fails in time; later it is right again."""
    url = find_url(request, driver)
    used, fresh = open_store(url), make_store(url)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: claim(used, f"early-{number}"), range(40)))
        with frozen(request.getfixturevalue(f"{BOUNDED[driver]}_server")):
            seconds = list(pool.map(fail_in_time, (used, fresh, used)))
    assert max(seconds) < BOUND
    for store in (used, fresh):
        assert claim(store, "early-1", "two").state == "busy"
        store.close()
    with warnings.catch_warnings():
        # pg8000 leaves the socket of a connection that could not be made to the garbage collector.
        warnings.simplefilter("ignore" if driver == "pg8000" else "default", ResourceWarning)
        gc.collect()


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["psycopg", "pymysql", "aiomysql"])
def test_locked_table(request: pytest.FixtureRequest, driver: str) -> None:
    """Somebody's lock on the table, as a migration takes it, is not waited for without end."""
    kind = BOUNDED[driver]
    store = open_store(find_url(request, driver), timeout=5.0)
    engine = create_engine(request.getfixturevalue(f"{kind}_server").url())
    lock = {"postgresql": "LOCK TABLE dubhooks_claims", "mariadb": "LOCK TABLES dubhooks_claims"}
    with engine.connect() as connection:
        connection.execute(text(f"{lock[kind]} {'WRITE' if kind == 'mariadb' else ''}"))
        assert fail_in_time(store) < BOUND
        connection.execute(text("SELECT 1" if kind == "postgresql" else "UNLOCK TABLES"))
    engine.dispose()
    assert claim(store, "after").state == "acquired"
    store.close()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("postgresql+psycopg", "connect_timeout"),
        ("postgresql+pg8000", "timeout"),
        ("mysql+pymysql", "read_timeout"),
        ("mysql+mysqlconnector", "connection_timeout"),
    ],
)
def test_timeout_of_the_url(kind: str, name: str) -> None:
    """What the URL sets wins over what the store would set."""
    url = make_url(f"{kind}://127.0.0.1/test?{name}=7")
    limits = list_limits(kind.partition("+")[2], url, 3.0)
    assert limits.pop(name) == 7
    assert set(limits.values()) <= {3.0}
    with pytest.raises(ValueError, match="soon"):
        SQLAlchemyStore(f"{kind}://127.0.0.1/test?{name}=soon")
