"""What the async stores do in forked processes, beside purges, and when clocks jump."""

from contextlib import closing
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from dubhooks.stores.redis import AsyncRedisStore
from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore
from tests.support.on_loop import OnLoop
from tests.support.stores.backends import Backend
from tests.support.stores.store_cases import check_fork_after_use, check_purge_while_claiming

pytestmark = pytest.mark.slow

DRIVERS = {"asyncpg": "postgresql", "psycopg_async": "postgresql", "aiomysql": "mariadb"}


def store_of(request: pytest.FixtureRequest, driver: str) -> OnLoop:
    """Return an empty store on an event loop of its own."""
    kind = DRIVERS.get(driver, "redis")
    server: Any = request.getfixturevalue(f"{kind}_server")
    Backend(kind, server).empty()
    if kind == "redis":
        return OnLoop(AsyncRedisStore(server.url))
    return OnLoop(AsyncSQLAlchemyStore(create_async_engine(server.url(driver))))


@pytest.mark.parametrize("driver", [*DRIVERS, "redis"])
def test_fork_after_use(request: pytest.FixtureRequest, driver: str) -> None:
    """A child of a process that has claimed uses connections of its own, and so does the parent."""
    with closing(store_of(request, driver)) as store:
        check_fork_after_use(store)


def test_purge_while_claiming(request: pytest.FixtureRequest) -> None:
    """Purges never delete a row that a claim has just taken."""
    with closing(store_of(request, "asyncpg")) as store:
        check_purge_while_claiming(store)
