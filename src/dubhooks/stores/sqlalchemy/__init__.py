"""Claims in PostgreSQL, MySQL, MariaDB or SQLite, through SQLAlchemy 2.

Every method is one statement in a transaction of its own, by the server's
clock, so nothing depends on the session: PgBouncer may stand in between.
Connections come from the engine's pool and go back as they were.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

try:
    from sqlalchemy import Engine, inspect
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.util import greenlet_spawn
except ImportError as error:  # pragma: no cover - tested in a process without SQLAlchemy
    raise ImportError("the SQL stores need SQLAlchemy 2: install dubhooks[sqlalchemy]") from error

from ...errors import ConfigurationError
from .._completion_names import completion_name
from .._sql_watchdog import Watchdog
from ._attempt import Again, attempt
from ._claims import Claims, check_table
from ._errors import Retries
from ._inbox import SQLAlchemyInbox
from ._tables import claims_table, inbox_table, metadata

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Connection, Dialect, Pool, PoolProxiedConnection, Table

    from ...idempotency import Claim
    from ._attempt import Mode

ResultT = TypeVar("ResultT")

__all__ = [
    "AsyncSQLAlchemyStore",
    "SQLAlchemyInbox",
    "SQLAlchemyStore",
    "claims_table",
    "inbox_table",
    "metadata",
]

_DIALECTS = ("postgresql", "mysql", "mariadb", "sqlite")

# Pools of a parent process: kept, or the garbage collector would close the parent's connections.
_forgotten: list[Pool] = []


class SQLAlchemyStore:
    """Claims in the table ``dubhooks_claims`` of the engine's database.

    It may be made before a server forks: the child gets a fresh connection
    pool, because two processes cannot share a connection.
    """

    table: Table = claims_table

    def __init__(self, engine: Engine, *, timeout: float = 10.0) -> None:
        """Use connections of ``engine``, which stays yours to dispose of.

        ``timeout``: seconds after which a connection whose server does not
        answer is cut, with psycopg and psycopg2, pymysql and mysqlclient.  It
        covers what connections of the pool are used for, and not the making
        of one, which the driver's own ``connect_timeout`` bounds.

        Raises:
            ConfigurationError: it is no sync engine of a database that is supported.
        """
        _check(engine, Engine, AsyncEngine, "create_engine(url)", "AsyncSQLAlchemyStore")
        if engine.dialect.is_async:
            raise ConfigurationError("pass the async engine itself to AsyncSQLAlchemyStore")
        _check_dialect(engine)
        self._engine = engine
        self._watchdog = Watchdog(_checked(timeout))
        self._claims: Claims | None = None
        _renew_after_fork(engine)

    def __repr__(self) -> str:
        return f"SQLAlchemyStore({self._engine.dialect.name})"

    def create_table(self) -> None:
        """Create the table unless it is there."""
        _create(self._engine)

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`dubhooks.idempotency.Store.claim`.

        Raises:
            ConfigurationError: the table is missing or merges keys, or the
                database is read-only.
            TimeoutError: the database did not answer in time.
            Exception: the driver's or SQLAlchemy's error when it cannot be reached.
        """
        claims = self._prepared()
        return self._run(claims.mode, claims.claim, key, token, fingerprint, lease, retention)

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        claims = self._prepared()
        return self._run(claims.mode, claims.complete, key, token, retention, completion_name(64))

    def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        claims = self._prepared()
        return self._run(claims.mode, claims.release, key, token)

    def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        claims = self._prepared()
        return self._run(claims.mode, claims.forget, key)

    def purge(self) -> int:
        """Delete the rows whose retention is over and return how many there were.

        Run it daily; claims may go on meanwhile.
        """
        claims = self._prepared()
        steps = claims.purging()
        try:
            work = next(steps)
            while True:
                work = steps.send(self._run(claims.mode, work))
        except StopIteration as stop:
            return int(stop.value)

    def _prepared(self) -> Claims:
        if self._claims is None:
            self._claims = self._run("commit", _prepared, self._engine.dialect)
        return self._claims

    def _run(self, mode: Mode, work: Callable[..., ResultT], *arguments: Any) -> ResultT:
        retries = Retries()
        while True:
            try:
                result: ResultT = attempt(
                    self._engine, mode, retries, self._watchdog, work, *arguments
                )
                return result
            except Again as again:
                time.sleep(again.pause)


class AsyncSQLAlchemyStore:
    """What :class:`SQLAlchemyStore` is, through an async engine.

    As with every async engine, use it on one event loop.
    """

    table: Table = claims_table

    def __init__(self, engine: AsyncEngine, *, timeout: float = 10.0) -> None:
        """Use connections of ``engine``, which stays yours to dispose of.

        ``timeout``: seconds that a method may take, with whatever driver.

        Raises:
            ConfigurationError: it is no async engine of a database that is supported.
        """
        _check(engine, AsyncEngine, Engine, "create_async_engine(url)", "SQLAlchemyStore")
        _check_dialect(engine.sync_engine)
        self._engine = engine
        self._timeout = _checked(timeout)
        self._claims: Claims | None = None
        _renew_after_fork(engine.sync_engine)

    def __repr__(self) -> str:
        return f"AsyncSQLAlchemyStore({self._engine.dialect.name})"

    async def create_table(self) -> None:
        """Create the table unless it is there."""
        async with self._engine.connect() as connection:
            await connection.run_sync(_create)

    async def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`SQLAlchemyStore.claim`."""
        claims = await self._prepared()
        return await self._run(claims.mode, claims.claim, key, token, fingerprint, lease, retention)

    async def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        claims = await self._prepared()
        return await self._run(
            claims.mode, claims.complete, key, token, retention, completion_name(64)
        )

    async def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        claims = await self._prepared()
        return await self._run(claims.mode, claims.release, key, token)

    async def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        claims = await self._prepared()
        return await self._run(claims.mode, claims.forget, key)

    async def purge(self) -> int:
        """Delete the rows whose retention is over; see :meth:`SQLAlchemyStore.purge`."""
        claims = await self._prepared()
        steps = claims.purging()
        try:
            work = next(steps)
            while True:
                work = steps.send(await self._run(claims.mode, work))
        except StopIteration as stop:
            return int(stop.value)

    async def _prepared(self) -> Claims:
        if self._claims is None:
            self._claims = await self._run("commit", _prepared, self._engine.dialect)
        return self._claims

    async def _run(self, mode: Mode, work: Callable[..., ResultT], *arguments: Any) -> ResultT:
        return await _within(self._timeout, self._tried(mode, work, arguments))

    async def _tried(
        self, mode: Mode, work: Callable[..., ResultT], arguments: tuple[Any, ...]
    ) -> ResultT:
        engine, retries = self._engine.sync_engine, Retries()
        while True:
            try:
                return await greenlet_spawn(attempt, engine, mode, retries, None, work, *arguments)
            except Again as again:
                if again.is_torn and self._claims is not None:
                    mode = self._claims.mode = "commit"
                await asyncio.sleep(again.pause)


if sys.version_info >= (3, 11):

    async def _within(seconds: float, work: Awaitable[ResultT]) -> ResultT:
        # wait_for would make another task for it.
        async with asyncio.timeout(seconds):
            return await work

else:  # before Python 3.11

    async def _within(seconds: float, work: Awaitable[ResultT]) -> ResultT:
        return await asyncio.wait_for(work, seconds)


def _checked(timeout: float) -> float:
    if not timeout > 0:
        raise ConfigurationError("timeout is a number of seconds, and more than 0")
    return timeout


def _check(engine: object, right: type, other: type, example: str, store: str) -> None:
    if isinstance(engine, other):
        raise ConfigurationError(f"this is an engine of the other kind: pass it to {store}")
    if not isinstance(engine, right):
        raise ConfigurationError(
            f"an engine of SQLAlchemy is needed, such as {example}, and not "
            f"{type(engine).__qualname__!r}"
        )


def _check_dialect(engine: Engine) -> None:
    name = engine.dialect.name
    if name not in _DIALECTS:
        raise ConfigurationError(f"{name} is not supported: use one of {', '.join(_DIALECTS)}")


def _prepared(connection: PoolProxiedConnection, dialect: Dialect) -> Claims:
    check_table(connection, dialect)
    return Claims(connection, dialect)


def _create(bind: Engine | Connection) -> None:
    try:
        metadata.create_all(bind, tables=[claims_table])
    except DBAPIError:
        # Two workers that start at the same time: one of them is too late.
        if not inspect(bind).has_table(claims_table.name):
            raise
    if not isinstance(bind, Engine):
        bind.commit()


def _renew_after_fork(engine: Engine) -> None:
    # Python calls it in the child before anything else runs there.
    if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
        os.register_at_fork(after_in_child=partial(_renew, weakref.ref(engine)))


def _renew(reference: weakref.ref[Engine]) -> None:  # pragma: no cover - in a forked child
    engine = reference()
    if engine is not None:
        _forgotten.append(engine.pool)
        engine.dispose(close=False)
