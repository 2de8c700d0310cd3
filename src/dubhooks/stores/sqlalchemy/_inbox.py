"""Exactly once for effects in the user's own database, in the user's own transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial
from typing import Any, Final, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.orm import Session, scoped_session

from ...errors import ConfigurationError, to_seconds
from ...events._base import Event
from ...idempotency._keys import Dedupe, build_inbox_key, check_namespace, list_inbox_keys
from .._advice import explain_sql_error, explained
from .._sql import Execute, InboxStatements
from ._tables import inbox_table, metadata, name_table

Transaction: TypeAlias = Session | scoped_session[Session] | Connection
AsyncTransaction: TypeAlias = AsyncSession | AsyncConnection

ResultT = TypeVar("ResultT")

_CREATE: Final = (
    "call create_table(engine) once, or add dubhooks.stores.sqlalchemy.metadata to your migrations"
)


class SQLAlchemyInbox:
    """Exactly once for effects in a database of your own, through SQLAlchemy.

    The event is noted in the transaction of its effect, so both happen or
    neither does::

        with Session.begin() as session:
            if inbox.first(session, event):
                session.add(Sale(...))

    A delivery at the same time waits in ``first`` for the end of that
    transaction.  It works in every isolation level; from REPEATABLE READ on
    the database may refuse the one that waited, which is then delivered again.

    SQLite refuses to turn a transaction that has read into a writing one while
    another one writes, so call ``first`` before reading.
    """

    def __init__(self, *, namespace: str = "default") -> None:
        """Get ready.

        Args:
            namespace: keeps receivers that share a database apart.
        """
        self._namespace = check_namespace(namespace)

    def create_table(self, bind: Engine | Connection) -> None:
        """Create the table ``dubhooks_inbox`` unless it is there."""
        metadata.create_all(bind, tables=[inbox_table])

    async def acreate_table(self, bind: AsyncEngine | AsyncConnection) -> None:
        """Do what :meth:`create_table` does, with an async engine or connection."""
        if isinstance(bind, AsyncEngine):
            async with bind.begin() as connection:
                await connection.run_sync(self.create_table)
        else:
            await bind.run_sync(self.create_table)

    def first(self, session: Transaction, event: Event, *, dedupe: Dedupe = "id") -> bool:
        """Note ``event`` in the open transaction; false when it was noted before.

        Args:
            session: a Session or a Connection.
            event: what is about to have an effect.
            dedupe: ``"natural"`` notes its ``natural_key``, which the same thing has under
                another event id as well.

        Raises:
            ConfigurationError: the connection commits every statement by itself,
                there is no table, or ``session`` is an async one.
            sqlalchemy.exc.DBAPIError: the database refused; roll back.
        """
        connection = _get_connection(session)
        if _commits_by_itself(connection):
            raise ConfigurationError(
                "the connection commits every statement by itself, so the event would be noted "
                "even if its effect fails: use a transaction, without AUTOCOMMIT"
            )
        key = build_inbox_key(self._namespace, event, dedupe)
        return _run(connection, lambda statements, execute: statements.note(execute, key))

    async def afirst(
        self, session: AsyncTransaction, event: Event, *, dedupe: Dedupe = "id"
    ) -> bool:
        """Do what :meth:`first` does, in a transaction of an async engine."""
        return await session.run_sync(partial(self.first, event=event, dedupe=dedupe))

    def forget(self, session: Transaction, event: Event | str) -> bool:
        """Forget an event, so that it has its effect again when it comes again.

        Args:
            session: a Session or a Connection; commit it afterwards.
            event: it, its id or its natural key.

        Returns:
            Whether there was a note of it.
        """
        keys = list_inbox_keys(self._namespace, event)
        return _run(
            _get_connection(session), lambda statements, execute: statements.forget(execute, keys)
        )

    async def aforget(self, session: AsyncTransaction, event: Event | str) -> bool:
        """Do what :meth:`forget` does, in a transaction of an async engine."""
        return await session.run_sync(self.forget, event)

    def purge(self, session: Transaction, older_than: float | timedelta) -> int:
        """Forget events that were noted long ago.

        Args:
            session: a Session or a Connection; commit it afterwards.
            older_than: how long, in seconds or as a ``timedelta``.

        Returns:
            How many there were.
        """
        age = to_seconds("purge(older_than=...)", older_than, least=0)
        return _run(
            _get_connection(session), lambda statements, execute: statements.purge(execute, age)
        )

    async def apurge(self, session: AsyncTransaction, older_than: float | timedelta) -> int:
        """Do what :meth:`purge` does, in a transaction of an async engine."""
        return await session.run_sync(self.purge, older_than)


def _run(connection: Connection, work: Callable[[InboxStatements, Execute], ResultT]) -> ResultT:
    dialect = connection.dialect
    table = name_table(inbox_table, dialect, connection.get_execution_options())

    def execute(text: str, parameters: Any) -> tuple[Any, int]:
        result = connection.exec_driver_sql(text, parameters)
        return result.fetchall() if result.returns_rows else (), result.rowcount

    with explained(partial(explain_sql_error, table=inbox_table.name, create=_CREATE)):
        return work(_write_statements(dialect.name, dialect.paramstyle, table), execute)


_write_statements = cache(InboxStatements)


def _commits_by_itself(connection: Connection) -> bool:
    """Tell whether every statement is a transaction of its own, without asking the server."""
    adapter: Any = connection.connection.dbapi_connection
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        # From Python 3.12 on there is the attribute; its legacy value leaves it to isolation_level.
        by_itself = getattr(driver, "autocommit", None)
        if not isinstance(by_itself, bool):  # pragma: no branch - before Python 3.12
            by_itself = adapter.isolation_level is None
        return by_itself and not driver.in_transaction
    if hasattr(driver, "get_autocommit"):
        return bool(driver.get_autocommit())
    return getattr(adapter, "autocommit", False) is True


def _get_connection(session: object) -> Connection:
    if isinstance(session, Connection):
        return session
    if isinstance(session, (Session, scoped_session)):
        connection: Connection = session.connection()
        return connection
    raise ConfigurationError(
        "the transaction of the effect is needed: a Session or a Connection, or with afirst an "
        f"AsyncSession or an AsyncConnection, and not {type(session).__qualname__!r}"
    )
