"""Claims in PostgreSQL, MySQL, MariaDB or SQLite, through SQLAlchemy 2.

From a URL a store has connections of its own, which commit every statement.
Every method is one statement by the server's clock, or two, so nothing depends
on the session: PgBouncer may stand in between.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

try:
    from ._database import Database
except ImportError as _error:  # pragma: no cover - tested in a process without SQLAlchemy
    raise ImportError("the SQL stores need SQLAlchemy 2: install dubhooks[sqlalchemy]") from _error

from sqlalchemy import URL, Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from ...errors import to_seconds
from ...idempotency import Claim
from .._base import SQLStore
from .._sql import Work
from ._inbox import SQLAlchemyInbox
from ._tables import claims_table, inbox_table, metadata

ResultT = TypeVar("ResultT")

__all__ = [
    "AsyncSQLAlchemyStore",
    "SQLAlchemyInbox",
    "SQLAlchemyStore",
    "claims_table",
    "inbox_table",
    "metadata",
]


class SQLAlchemyStore(SQLStore):
    """Claims in the table ``dubhooks_claims`` of a database.

    It may be made before a server forks: the child makes connections of its
    own, because two processes cannot share one.
    """

    def __init__(self, url_or_engine: str | URL | Engine, *, timeout: float | timedelta = 10.0):
        """Get ready; nothing connects.

        Args:
            url_or_engine: where the database is.  A URL is best: the store makes connections of
                its own then.  An engine must have been made for the store alone, and stays yours
                to dispose of; the page on stores says what to set on it.
            timeout: seconds after which a server that does not answer is an error: connecting,
                statements and further tries together.  It binds stores made from a URL.

        Raises:
            ConfigurationError: no claims can be kept there, or not by this store.
        """
        super().__init__()
        seconds = to_seconds("SQLAlchemyStore(timeout=...)", timeout)
        self._database = Database(url_or_engine, timeout=seconds, is_async=False)
        self._statements = self._database.statements

    def create_table(self) -> None:
        """Create the table unless it is there."""
        self._database.create_table()

    def close(self) -> None:
        """Close the connections of a store that was made from a URL; an engine stays as it is."""
        self._database.close()

    def _run(self, work: Work[ResultT], *, is_patient: bool = False) -> ResultT:
        return self._database.run(work, is_patient=is_patient)


class AsyncSQLAlchemyStore:
    """What :class:`SQLAlchemyStore` is, through an async driver.

    Use it on one event loop.
    """

    def __init__(
        self, url_or_engine: str | URL | AsyncEngine, *, timeout: float | timedelta = 10.0
    ) -> None:
        """Get ready, as :class:`SQLAlchemyStore` does.

        Args:
            url_or_engine: where the database is.
            timeout: seconds that a method may take, with whatever driver or engine.

        Raises:
            ConfigurationError: no claims can be kept there, or not by this store.
        """
        seconds = to_seconds("AsyncSQLAlchemyStore(timeout=...)", timeout)
        self._database = Database(url_or_engine, timeout=seconds, is_async=True)
        self._statements = self._database.statements

    async def create_table(self) -> None:
        """Create the table unless it is there."""
        await self._database.run_sync(self._database.create_table)

    async def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`dubhooks.idempotency.Store.claim`.

        Raises:
            ConfigurationError: as in :meth:`SQLAlchemyStore.claim`.
            Exception: as there.
        """
        work = self._statements.claim(key, token, fingerprint, lease, retention)
        return await self._database.arun(work)

    async def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        work = self._statements.complete(key, token, retention=retention)
        # The handler has run: without this it would run again.
        return await self._database.arun(work, is_patient=True)

    async def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        return await self._database.arun(self._statements.release(key, token))

    async def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        return await self._database.arun(self._statements.forget(key))

    async def purge(self) -> int:
        """Delete the rows whose retention is over; see :meth:`SQLAlchemyStore.purge`."""
        deleted = 0
        while count := await self._database.arun(self._statements.purge()):
            deleted += count
        return deleted

    async def aclose(self) -> None:
        """Close the connections of a store that was made from a URL; an engine stays as it is."""
        await self._database.run_sync(self._database.close)
