"""One call of a store: tries on connections of its engine, until the deadline."""

from __future__ import annotations

import asyncio
import random
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from sqlalchemy import URL, inspect
from sqlalchemy.exc import DBAPIError

from .._advice import explain_loop_error, explain_sql_error, is_beaten, is_lost
from .._fork import renew_after_fork
from .._sql import ClaimStatements
from ._engines import get_engine, make_engine
from ._tables import claims_table, find_schema, metadata, name_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine, Pool, PoolProxiedConnection

    from .._sql import Execute

__all__ = ["CREATE", "Call", "Database"]

ResultT = TypeVar("ResultT")

CREATE: Final = (
    "call create_table() once, or add dubhooks.stores.sqlalchemy.metadata to your migrations"
)
_STEP: Final = 0.3
"""What part of a store's time connecting or a statement may take."""
_TRY: Final = 0.4
"""What part of it a try may take: one that hangs and one on a new connection end within it."""
_SHORTEST_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 0.25


class Database:
    """Where claims live: an engine, and the statements in its dialect."""

    def __init__(self, url_or_engine: object, *, timeout: float, is_async: bool) -> None:
        """Get ready; nothing connects.

        Args:
            url_or_engine: of the database.
            timeout: seconds that a call may take.
            is_async: whether the driver is.
        """
        self.timeout = timeout
        self.longest_try = _TRY * timeout
        self.is_own = isinstance(url_or_engine, (str, URL))
        if isinstance(url_or_engine, (str, URL)):
            self.engine = make_engine(url_or_engine, is_async=is_async, seconds=_STEP * timeout)
        else:
            self.engine = get_engine(url_or_engine, is_async=is_async)
        dialect, options = self.engine.dialect, self.engine.get_execution_options()
        table = name_table(claims_table, dialect, options)
        self.statements = ClaimStatements(dialect.name, dialect.paramstyle, table)
        renew_after_fork(self.engine, give_up_pool)

    def create_table(self) -> None:
        """Create the table unless it is there."""
        try:
            metadata.create_all(self.engine, tables=[claims_table])
        except DBAPIError:
            # Two workers that start at the same time: one of them is too late.
            schema = find_schema(self.engine.get_execution_options())
            if not inspect(self.engine).has_table(claims_table.name, schema=schema):
                raise


class Call(Generic[ResultT]):
    """Work that may be tried again: a claim finds its own token, a completion its own row."""

    def __init__(
        self, database: Database, work: Callable[[Execute, bool], ResultT], *, is_patient: bool
    ) -> None:
        """Begin; the deadline counts from here.

        Args:
            database: where.
            work: runs statements; it is told whether an earlier try may have done it.
            is_patient: whether a server that cannot be reached is waited for, as it always is
                after a connection was lost.
        """
        self._database = database
        self._work = work
        self._deadline = monotonic() + database.timeout
        self._pause = _SHORTEST_PAUSE
        self._is_patient = is_patient
        self._is_retry = False
        self._is_connected = False
        self._is_lost = False
        self._pool = database.engine.pool

    def attempt(self, _session: object = None) -> ResultT:
        """Do the work once on a connection of the pool, and return its result."""
        engine = self._database.engine
        self._pool, self._is_connected, self._is_lost = engine.pool, False, False
        connection = engine.raw_connection()
        self._is_connected = True
        try:
            result = self._use(connection)
        except BaseException as error:
            self._is_lost = is_lost(error)
            # Nobody knows what it would answer next.
            connection.invalidate(error)
            raise
        if engine.pool is self._pool:
            connection.close()
        else:  # another call found that connections of its pool were lost
            connection.invalidate()
        return result

    def _use(self, connection: PoolProxiedConnection) -> ResultT:
        cursor: Any = connection.cursor()

        def execute(text: str, parameters: Any) -> tuple[Any, int]:
            cursor.execute(text, parameters)
            return cursor.fetchall() if cursor.description else (), cursor.rowcount

        try:
            result = self._work(execute, self._is_retry)
        finally:
            cursor.close()  # an open one would keep a lock on a file of SQLite
        if not self._database.is_own:
            connection.commit()
        return result

    def pause_after(self, error: Exception) -> float | None:
        """Return how many seconds to wait before another try; ``None``: none is worth it.

        Raises:
            ConfigurationError: the error says what to do.
        """
        if is_beaten(error):
            pause = random.uniform(0.0, self._pause)
        elif self._is_worth_a_connection(error):
            self._is_patient = True
            self._is_retry = self._is_retry or self._is_connected
            pause = self._pause
        else:
            better = explain_sql_error(error, table=claims_table.name, create=CREATE)
            better = better or explain_loop_error(error)
            if better is not None:
                raise better from error
            return None
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        is_late = monotonic() + pause + self._database.longest_try > self._deadline
        return None if is_late else pause

    def _is_worth_a_connection(self, error: Exception) -> bool:
        # A try that was cut short says nothing of its connection.
        is_late = isinstance(error, asyncio.TimeoutError)
        if self._is_connected:
            self._is_lost = self._is_lost or is_late
            return self._is_lost
        if not self._is_patient or explain_sql_error(error, table="", create="") is not None:
            return False
        return is_late or is_lost(error)

    def give_up_lost_pool(self) -> Pool | None:
        """Let new connections be made when one was lost: the others of its pool are lost, too.

        Returns:
            The old pool, whose connections are to be closed.
        """
        engine = self._database.engine
        if self._is_lost and engine.pool is self._pool:
            return give_up_pool(engine)
        return None


def give_up_pool(engine: Engine) -> Pool:
    """Give an engine a new pool; return the old one, whose connections are still open."""
    pool = engine.pool
    engine.dispose(close=False)
    return pool
