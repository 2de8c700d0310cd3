"""Exactly once for effects in the user's own database, in the user's own transaction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, delete, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session, scoped_session

from ...errors import ConfigurationError
from ...idempotency._keys import build_inbox_key, check_namespace
from ._errors import explained, is_duplicate
from ._statement import commits_by_itself
from ._tables import inbox_table as table
from ._tables import metadata, milliseconds

if TYPE_CHECKING:
    from datetime import timedelta

    from sqlalchemy import Engine

    from ...events._base import Event
    from ...idempotency._keys import Dedupe

__all__ = ["SQLAlchemyInbox"]

_VALUES: dict[str, Any] = {"key": bindparam("event_key"), "seen_at": milliseconds()}
_INSERT = insert(table).values(_VALUES)
_POSTGRESQL = (
    postgresql.insert(table)
    .values(_VALUES)
    .on_conflict_do_nothing(index_elements=[table.c.key])
    # The row count of an INSERT is not to be had from every driver.
    .returning(table.c.key)
)
_SQLITE = sqlite.insert(table).values(_VALUES).on_conflict_do_nothing(index_elements=[table.c.key])
_PURGE = delete(table).where(table.c.seen_at < milliseconds() - bindparam("age"))


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
        """``namespace``: keeps receivers that share a database apart."""
        self._namespace = check_namespace(namespace)

    def create_table(self, bind: Engine | Connection) -> None:
        """Create the table ``dubhooks_inbox`` unless it is there.

        With an async engine: ``await connection.run_sync(inbox.create_table)``.
        """
        metadata.create_all(bind, tables=[table])

    def first(
        self,
        session: Session | scoped_session[Session] | Connection,
        event: Event,
        *,
        dedupe: Dedupe = "id",
    ) -> bool:
        """Note ``event`` in the open transaction; false when it was noted before.

        ``dedupe="natural"`` notes its ``natural_key``, which the same thing has
        under another event id as well.

        Raises:
            ConfigurationError: the connection commits every statement by itself,
                there is no table, or ``session`` is an async one.
            sqlalchemy.exc.DBAPIError: the database refused; roll back.
        """
        connection = _connection_of(session)
        if commits_by_itself(connection.connection, connection.dialect):
            raise ConfigurationError(
                "the connection commits every statement by itself, so the event would be noted "
                "even if its effect fails: use a transaction, without AUTOCOMMIT"
            )
        try:
            return _is_noted(
                connection, {"event_key": build_inbox_key(self._namespace, event, dedupe)}
            )
        except DBAPIError as error:
            better = explained(error)
            if better is None:
                raise
            raise better from error

    async def afirst(
        self, session: AsyncSession | AsyncConnection, event: Event, *, dedupe: Dedupe = "id"
    ) -> bool:
        """Do what :meth:`first` does, in a transaction of an async engine."""
        if not isinstance(session, (AsyncSession, AsyncConnection)):
            raise ConfigurationError(
                "afirst takes an AsyncSession or an AsyncConnection, and first what is not async"
            )
        return await session.run_sync(partial(self.first, event=event, dedupe=dedupe))

    def purge(
        self, session: Session | scoped_session[Session] | Connection, older_than: timedelta
    ) -> int:
        """Forget events noted longer ago than ``older_than``; return how many.

        With an async engine: ``await session.run_sync(inbox.purge, older_than)``.
        """
        age = {"age": int(older_than.total_seconds() * 1000)}
        return _connection_of(session).execute(_PURGE, age).rowcount


def _is_noted(connection: Connection, parameters: dict[str, str]) -> bool:
    dialect = connection.dialect.name
    if dialect == "postgresql":
        return connection.execute(_POSTGRESQL, parameters).first() is not None
    if dialect == "sqlite":
        return connection.execute(_SQLITE, parameters).rowcount == 1
    # INSERT IGNORE would hide other errors too.  Only the statement is rolled back.
    try:
        connection.execute(_INSERT, parameters)
    except DBAPIError as error:
        if is_duplicate(error):
            return False
        raise
    return True


def _connection_of(session: object) -> Connection:
    if isinstance(session, Connection):
        return session
    if isinstance(session, (Session, scoped_session)):
        connection: Connection = session.connection()
        return connection
    raise ConfigurationError(
        "the transaction of the effect is needed: a Session or a Connection, or with afirst an "
        f"AsyncSession or an AsyncConnection, and not {type(session).__qualname__!r}"
    )
