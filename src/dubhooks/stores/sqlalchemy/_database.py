"""Where claims live: an engine, and work on connections of its pool."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Pool, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from .._advice import explain_sql_error, explained, is_lost
from .._sql import ClaimStatements, Work
from .._tries import Tries
from ._engines import get_engine, make_engine
from ._tables import claims_table, metadata, name_table

ResultT = TypeVar("ResultT")

_CREATE: Final = (
    "call create_table() once, or add dubhooks.stores.sqlalchemy.metadata to your migrations"
)
_STEP: Final = 0.3
"""What part of a store's time connecting or a statement may take."""
_TRY: Final = 0.4
"""What part of it a try may take: one that hangs and one on a new connection end within it."""


class Database:
    """An engine, and the statements in its dialect."""

    def __init__(self, url_or_engine: object, *, timeout: float, is_async: bool) -> None:
        """Get ready; nothing connects.

        Args:
            url_or_engine: of the database.
            timeout: seconds that a call may take.
            is_async: whether the driver is.
        """
        self._timeout = timeout
        self._longest = _TRY * timeout
        self._is_own = isinstance(url_or_engine, (str, URL))
        if isinstance(url_or_engine, (str, URL)):
            self.engine = make_engine(url_or_engine, is_async=is_async, seconds=_STEP * timeout)
        else:
            self.engine = get_engine(url_or_engine, is_async=is_async)
        dialect, options = self.engine.dialect, self.engine.get_execution_options()
        table = name_table(claims_table, dialect, options)
        self.statements = ClaimStatements(dialect.name, dialect.paramstyle, table)
        # Without an engine: its run_sync is the public way to run SQLAlchemy's sync code.
        self._session = AsyncSession()
        self._lost_pool: Pool | None = None
        self._process = os.getpid()

    def create_table(self) -> None:
        """Create the table unless it is there."""
        for tries_left in (2, 1, 0):
            try:
                metadata.create_all(self.engine, tables=[claims_table])
            except DBAPIError:
                # Of workers that start at the same time one waits for a lock, and another one is
                # too late: both find the table with one of their next tries.
                if not tries_left:
                    raise
            else:
                return

    def close(self) -> None:
        """Close the connections of an engine that was made here."""
        if self._is_own:
            self.engine.dispose()

    def run(self, work: Work[ResultT], *, is_patient: bool) -> ResultT:
        """Do ``work``, on another connection when one is lost.

        Args:
            work: may be done again.
            is_patient: whether a server that cannot be reached is waited for.

        Raises:
            ConfigurationError: an error says what to do.
            Exception: the driver's or SQLAlchemy's last error.
        """
        tries = Tries(self._timeout, longest=self._longest, is_patient=is_patient)
        return tries.run(lambda: self._attempt(work, tries))

    async def arun(self, work: Work[ResultT], *, is_patient: bool = False) -> ResultT:
        """Do what :meth:`run` does, with an async driver."""
        tries = Tries(self._timeout, longest=self._longest, is_patient=is_patient)

        async def attempt() -> ResultT:
            try:
                return await self.run_sync(lambda: self._attempt(work, tries), self._longest)
            except asyncio.TimeoutError:  # only a cancellation was seen inside
                self._lost_pool = self.engine.pool
                raise

        return await tries.arun(attempt)

    async def run_sync(
        self, function: Callable[[], ResultT], seconds: float | None = None
    ) -> ResultT:
        """Return what ``function`` returns, which uses an async driver.

        Args:
            function: takes nothing.
            seconds: that it may take, by default what a call may take.
        """
        work = self._session.run_sync(lambda _: function())
        return await asyncio.wait_for(work, seconds or self._timeout)

    def _attempt(self, work: Work[ResultT], tries: Tries) -> ResultT:
        """Do ``work`` once on a connection of the pool, and return its result."""
        with explained(partial(explain_sql_error, table=claims_table.name, create=_CREATE)):
            pool = self._get_pool()
            connection = self.engine.raw_connection()
            tries.has_connected = True
            try:
                result = self._use(connection, lambda execute: work(execute, tries.is_retry))
            except BaseException as error:
                if is_lost(error):
                    self._lost_pool = pool
                # Nobody knows what it would answer next.
                connection.invalidate(error)
                raise
            if self.engine.pool is pool:
                connection.close()
            else:  # another call found that connections of its pool were lost
                connection.invalidate()
            return result

    def _use(self, connection: PoolProxiedConnection, work: Callable[[Any], ResultT]) -> ResultT:
        cursor: Any = connection.cursor()

        def execute(text: str, parameters: Any) -> tuple[Any, int]:
            cursor.execute(text, parameters)
            return cursor.fetchall() if cursor.description else (), cursor.rowcount

        try:
            result = work(execute)
        finally:
            cursor.close()  # an open one would keep a lock on a file of SQLite
        if not self._is_own:
            connection.commit()
        return result

    def _get_pool(self) -> Pool:
        """Return the engine's pool, a new one if no connection of the old one can be used."""
        old = self.engine.pool
        if self._process != os.getpid():  # pragma: no cover - in a forked child
            # The parent's are kept, or the garbage collector would close the parent's sessions.
            self._process, self._inherited = os.getpid(), old
            self.engine.dispose(close=False)
        elif old is self._lost_pool:  # when one connection is lost, the others are as well
            self.engine.dispose(close=False)
            old.dispose()
        return self.engine.pool
