"""Claims in PostgreSQL, MySQL, MariaDB or SQLite, through SQLAlchemy 2.

From a URL a store has connections of its own, which commit every statement.
Every method is one statement by the server's clock, or two, so nothing depends
on the session: PgBouncer may stand in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, TypeVar

try:
    from sqlalchemy.ext.asyncio import AsyncSession
except ImportError as error:  # pragma: no cover - tested in a process without SQLAlchemy
    raise ImportError("the SQL stores need SQLAlchemy 2: install dubhooks[sqlalchemy]") from error

from ...errors import to_seconds
from .._time import wait_at_most
from ._calls import Call, Database
from ._inbox import SQLAlchemyInbox
from ._tables import claims_table, inbox_table, metadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from sqlalchemy import URL, Engine, Pool, Table
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ...idempotency import Claim
    from .._sql import Execute

ResultT = TypeVar("ResultT")

__all__ = [
    "AsyncSQLAlchemyStore",
    "SQLAlchemyInbox",
    "SQLAlchemyStore",
    "claims_table",
    "inbox_table",
    "metadata",
]


class SQLAlchemyStore:
    """Claims in the table ``dubhooks_claims`` of a database.

    It may be made before a server forks: the child makes connections of its
    own, because two processes cannot share one.
    """

    table: Table = claims_table

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
        seconds = to_seconds("SQLAlchemyStore(timeout=...)", timeout)
        self._database = Database(url_or_engine, timeout=seconds, is_async=False)

    def __repr__(self) -> str:
        return f"SQLAlchemyStore({self._database.engine.dialect.name})"

    def create_table(self) -> None:
        """Create the table unless it is there."""
        self._database.create_table()

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`dubhooks.idempotency.Store.claim`.

        Raises:
            ConfigurationError: the table is missing or merges keys, or the
                database is read-only.
            Exception: the driver's or SQLAlchemy's error when it cannot be reached in time.
        """
        return self._run(
            lambda execute, _: self._database.statements.claim(
                execute, key, token, fingerprint=fingerprint, lease=lease, retention=retention
            )
        )

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        return self._run(
            lambda execute, is_retry: self._database.statements.complete(
                execute, key, token, retention=retention, is_retry=is_retry
            ),
            is_patient=True,  # the handler has run: without this it would run again
        )

    def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        return self._run(lambda execute, _: self._database.statements.release(execute, key, token))

    def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        return self._run(lambda execute, _: self._database.statements.forget(execute, key))

    def purge(self) -> int:
        """Delete the rows whose retention is over and return how many there were.

        Run it daily; claims may go on meanwhile.
        """
        deleted, has_more = 0, True
        while has_more:
            count, has_more = self._run(lambda execute, _: self._database.statements.purge(execute))
            deleted += count
        return deleted

    def close(self) -> None:
        """Close the connections of a store that was made from a URL; an engine stays as it is."""
        if self._database.is_own:
            self._database.engine.dispose()

    def _run(
        self, work: Callable[[Execute, bool], ResultT], *, is_patient: bool = False
    ) -> ResultT:
        call = Call(self._database, work, is_patient=is_patient)
        while True:
            try:
                return call.attempt()
            except Exception as error:
                pause = call.pause_after(error)
                if pause is None:
                    raise
            pool = call.give_up_lost_pool()
            if pool is not None:
                pool.dispose()
            time.sleep(pause)


class AsyncSQLAlchemyStore:
    """What :class:`SQLAlchemyStore` is, through an async driver.

    Use it on one event loop.
    """

    table: Table = claims_table

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
        # It has no engine: its run_sync is the public way to run sync code of SQLAlchemy's.
        self._session = AsyncSession()

    def __repr__(self) -> str:
        return f"AsyncSQLAlchemyStore({self._database.engine.dialect.name})"

    async def create_table(self) -> None:
        """Create the table unless it is there."""
        await self._within(self._database.timeout, lambda _: self._database.create_table())

    async def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`SQLAlchemyStore.claim`."""
        return await self._run(
            lambda execute, _: self._database.statements.claim(
                execute, key, token, fingerprint=fingerprint, lease=lease, retention=retention
            )
        )

    async def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        return await self._run(
            lambda execute, is_retry: self._database.statements.complete(
                execute, key, token, retention=retention, is_retry=is_retry
            ),
            is_patient=True,  # the handler has run: without this it would run again
        )

    async def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        return await self._run(
            lambda execute, _: self._database.statements.release(execute, key, token)
        )

    async def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        return await self._run(lambda execute, _: self._database.statements.forget(execute, key))

    async def purge(self) -> int:
        """Delete the rows whose retention is over; see :meth:`SQLAlchemyStore.purge`."""
        deleted, has_more = 0, True
        while has_more:
            count, has_more = await self._run(
                lambda execute, _: self._database.statements.purge(execute)
            )
            deleted += count
        return deleted

    async def aclose(self) -> None:
        """Close the connections of a store that was made from a URL; an engine stays as it is."""
        if self._database.is_own:
            await self._session.run_sync(lambda _: self._database.engine.dispose())

    async def _run(
        self, work: Callable[[Execute, bool], ResultT], *, is_patient: bool = False
    ) -> ResultT:
        call = Call(self._database, work, is_patient=is_patient)
        while True:
            try:
                return await self._within(self._database.longest_try, call.attempt)
            except Exception as error:
                pause = call.pause_after(error)
                if pause is None:
                    raise
            pool = call.give_up_lost_pool()
            if pool is not None:
                await self._close_pool(pool)
            await asyncio.sleep(pause)

    async def _close_pool(self, pool: Pool) -> None:
        # Some drivers say goodbye, and wait for an answer.
        with contextlib.suppress(asyncio.TimeoutError):
            await self._within(self._database.timeout / 20, lambda _: pool.dispose())

    async def _within(self, seconds: float, work: Callable[[Any], ResultT]) -> ResultT:
        return await wait_at_most(seconds, self._session.run_sync(work))
