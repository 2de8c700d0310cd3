"""Claims in PostgreSQL, MySQL, MariaDB or SQLite, through SQLAlchemy 2.

Every method is one statement in a transaction of its own, by the server's
clock, so nothing depends on the session: PgBouncer may stand in between.
"""

from __future__ import annotations

import asyncio
import os
import time
import weakref
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Generic, TypeVar

try:
    from sqlalchemy import Engine, inspect
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.ext.asyncio import AsyncEngine
except ImportError as error:  # pragma: no cover - tested in a process without SQLAlchemy
    raise ImportError("the SQL stores need SQLAlchemy 2: install dubhooks[sqlalchemy]") from error

from ..errors import ConfigurationError
from ._sql_claims import Claims, check_table, purging
from ._sql_errors import Retries
from ._sql_inbox import SQLAlchemyInbox
from ._sql_statement import attempt
from ._sql_tables import claims_table, inbox_table, metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Pool, Table

    from ..idempotency import Claim

    ResultT = TypeVar("ResultT")

EngineT = TypeVar("EngineT")

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


class _Ready(Generic[EngineT]):
    """What the first claim found out about an engine."""

    def __init__(self, claims: Claims, engine: EngineT, commits: bool) -> None:
        self.claims = claims
        self.engine: EngineT = engine
        self.commits = commits
        """Statements run in transactions, and must be committed."""


class SQLAlchemyStore:
    """Claims in the table ``dubhooks_claims`` of the engine's database.

    It may be made before a server forks: the child gets a fresh connection
    pool, because two processes cannot share a connection.
    """

    table: Table = claims_table

    def __init__(self, engine: Engine) -> None:
        """Use connections of ``engine``, which stays yours to dispose of.

        Raises:
            ConfigurationError: it is no sync engine of a database that is supported.
        """
        _check(engine, Engine, AsyncEngine, "create_engine(url)", "AsyncSQLAlchemyStore")
        if engine.dialect.is_async:
            raise ConfigurationError("pass the async engine itself to AsyncSQLAlchemyStore")
        _check_dialect(engine)
        self._engine = engine
        self._ready: _Ready[Engine] | None = None
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
            Exception: the driver's or SQLAlchemy's error when the database did
                not answer.
        """
        ready = self._prepared()
        return self._run(
            partial(
                ready.claims.claim,
                key=key,
                token=token,
                fingerprint=fingerprint,
                lease=lease,
                retention=retention,
            ),
            ready,
        )

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        ready = self._prepared()
        name = token_hex(8)
        return self._run(
            partial(ready.claims.complete, key=key, token=token, retention=retention, name=name),
            ready,
        )

    def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        ready = self._prepared()
        return self._run(partial(ready.claims.release, key=key, token=token), ready)

    def purge(self) -> int:
        """Delete the rows whose retention is over and return how many there were.

        Run it daily; claims may go on meanwhile.
        """
        ready = self._prepared()
        steps = purging()
        try:
            work = next(steps)
            while True:
                work = steps.send(self._run(work, ready))
        except StopIteration as stop:
            return int(stop.value)

    def _prepared(self) -> _Ready[Engine]:
        if self._ready is None:
            claims = self._run(_prepared, None)
            # Both at once, because another thread that sees one of them uses them all.
            engine = self._engine.execution_options(**claims.options)
            self._ready = _Ready(claims, engine, claims.commits)
        return self._ready

    def _run(self, work: Callable[[Connection], ResultT], ready: _Ready[Engine] | None) -> ResultT:
        retries = Retries()
        while True:
            engine = self._engine if ready is None else ready.engine
            commits = ready is None or ready.commits
            with engine.connect() as connection:
                tried = attempt(connection, work, retries, commits)
            if tried.pause is None:
                result: ResultT = tried.result
                return result
            time.sleep(tried.pause)


class AsyncSQLAlchemyStore:
    """What :class:`SQLAlchemyStore` is, through an async engine.

    As with every async engine, use it on one event loop.
    """

    table: Table = claims_table

    def __init__(self, engine: AsyncEngine) -> None:
        """Use connections of ``engine``, which stays yours to dispose of.

        Raises:
            ConfigurationError: it is no async engine of a database that is supported.
        """
        _check(engine, AsyncEngine, Engine, "create_async_engine(url)", "SQLAlchemyStore")
        _check_dialect(engine.sync_engine)
        self._engine = engine
        self._ready: _Ready[AsyncEngine] | None = None
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
        ready = await self._prepared()
        return await self._run(
            partial(
                ready.claims.claim,
                key=key,
                token=token,
                fingerprint=fingerprint,
                lease=lease,
                retention=retention,
            ),
            ready,
        )

    async def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        ready = await self._prepared()
        name = token_hex(8)
        return await self._run(
            partial(ready.claims.complete, key=key, token=token, retention=retention, name=name),
            ready,
        )

    async def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        ready = await self._prepared()
        return await self._run(partial(ready.claims.release, key=key, token=token), ready)

    async def purge(self) -> int:
        """Delete the rows whose retention is over; see :meth:`SQLAlchemyStore.purge`."""
        ready = await self._prepared()
        steps = purging()
        try:
            work = next(steps)
            while True:
                work = steps.send(await self._run(work, ready))
        except StopIteration as stop:
            return int(stop.value)

    async def _prepared(self) -> _Ready[AsyncEngine]:
        if self._ready is None:
            claims = await self._run(_prepared, None)
            # Both at once, because another thread that sees one of them uses them all.
            engine = self._engine.execution_options(**claims.options)
            self._ready = _Ready(claims, engine, claims.commits)
        return self._ready

    async def _run(
        self, work: Callable[[Connection], ResultT], ready: _Ready[AsyncEngine] | None
    ) -> ResultT:
        retries = Retries()
        while True:
            engine = self._engine if ready is None else ready.engine
            commits = ready is None or ready.commits
            async with engine.connect() as connection:
                tried = await connection.run_sync(attempt, work, retries, commits)
            if tried.pause is None:
                result: ResultT = tried.result
                return result
            if tried.is_torn and ready is not None:
                ready = self._ready = _Ready(ready.claims, self._engine, True)
            await asyncio.sleep(tried.pause)


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


def _prepared(connection: Connection) -> Claims:
    check_table(connection)
    return Claims(connection)


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
