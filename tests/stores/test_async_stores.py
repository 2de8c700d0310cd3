"""What the async stores do in forked processes, beside purges, and when clocks jump."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from dubhooks.stores.redis import AsyncRedisStore
from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore
from tests.support.fake_clock import FakeClock
from tests.support.on_loop import OnLoop
from tests.support.processes import importing
from tests.support.stores.backends import Backend
from tests.support.stores.store_cases import (
    check_fork_after_use,
    check_purge_while_claiming,
)

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


JUMPS = """
import os
import sys
from pathlib import Path

from sqlalchemy import create_engine

from dubhooks.stores.sqlalchemy import SQLAlchemyStore
from tests.support.stores.store_cases import check_clock_set_back_and_forth


class Clock:
    def set(self, offset):
        Path(os.environ["FAKETIME_TIMESTAMP_FILE"]).write_text(offset)


store = SQLAlchemyStore(create_engine(sys.argv[1]))
store.create_table()
check_clock_set_back_and_forth(store, Clock())
"""


def test_clock_of_a_process_with_sqlite(tmp_path: Path) -> None:
    """SQLite has the clock of the process, which may jump too."""
    with closing(FakeClock()) as clock:
        environment = {**os.environ, **clock.environment, **importing()}
        command = [sys.executable, "-c", JUMPS, f"sqlite:///{tmp_path}/claims.db"]
        subprocess.run(command, env=environment, check=True, timeout=60)
