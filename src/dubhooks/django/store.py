"""Claims in the project's own database."""

from __future__ import annotations

import logging
import random
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final, TypeVar

from django.db import DatabaseError, Error, InterfaceError, OperationalError, transaction

from ..errors import ConfigurationError
from ..stores._sql_watchdog import Watchdog
from ._database import Database
from ._statements import Statements, texts_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.backends.base.base import BaseDatabaseWrapper

    from ..idempotency import Claim
    from ._statements import Texts

__all__ = ["DjangoStore"]

logger = logging.getLogger("dubhooks")

ResultT = TypeVar("ResultT")

_PURGE_EVERY, _PURGE_BATCH = 256, 1_024
_TRIES = 8
_PATIENCE: Final = 10.0
"""Seconds after which a statement that failed is not tried again."""


class DjangoStore:
    """Claims in a database of the project: PostgreSQL, MariaDB, MySQL or SQLite.

    Every change is one statement that is committed at once, by the database's
    clock, on the connection that Django keeps for the thread.  Inside a
    transaction it refuses to work: a rollback would take claims with it.
    (Django's ``TestCase`` is let through.)
    """

    def __init__(self, *, using: str | None = None, timeout: float = 10.0) -> None:
        """``using``: the database's alias, by default the routers' choice for writing.

        ``timeout``: seconds after which a connection whose server does not
        answer is cut.  It covers statements, and not the making of a
        connection, which ``connect_timeout`` in the database's ``OPTIONS`` bounds.

        Raises:
            ConfigurationError: ``timeout`` is not more than 0.
        """
        if not timeout > 0:
            raise ConfigurationError("timeout is a number of seconds, and more than 0")
        self._database = Database("Claim", using)
        self._watchdog = Watchdog(timeout)
        self._texts: Texts | None = None
        self._claims = 0

    def __repr__(self) -> str:
        return f"DjangoStore({self._database!r})"

    @property
    def alias(self) -> str:
        """The alias of the database that holds the claims.

        Raises:
            ConfigurationError: the app is not installed.
        """
        return self._database.alias

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`dubhooks.idempotency.Store.claim`.

        Raises:
            ConfigurationError: a transaction is open, there is no table, or the
                database is read-only.
            TimeoutError: the database did not answer in time.
            django.db.Error: the database failed.
        """
        # Claiming again with the same token is harmless, so it may be tried again.
        claim = self._committed(
            lambda statements, _: statements.claim(key, token, fingerprint, lease, retention)
        )
        self._purge_now_and_then()
        return claim

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        return self._committed(
            lambda statements, is_retry: statements.complete(key, token, retention, is_retry)
        )

    def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        return self._committed(lambda statements, _: statements.release(key, token))

    def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        return self._committed(lambda statements, _: statements.forget(key))

    def purge(self) -> int:
        """Delete the rows whose retention is over and return how many there were.

        Claims do this now and then as well, so calling it is optional.
        """
        deleted = 0
        while True:
            # In batches, so that a claim never waits long.
            count = self._committed(lambda statements, _: statements.purge(_PURGE_BATCH))
            deleted += count
            if count < _PURGE_BATCH:
                return deleted

    def close_connection(self) -> None:
        """Close this thread's connection: Django closes only those of threads with requests."""
        self._database.connection().close()

    def _purge_now_and_then(self) -> None:
        self._claims += 1
        if self._claims % _PURGE_EVERY == 0:
            try:
                self._committed(lambda statements, _: statements.purge(_PURGE_BATCH))
            except (Error, ConfigurationError, TimeoutError) as error:
                logger.warning("old claims could not be deleted: %s", type(error).__qualname__)

    def _committed(self, decide: Callable[[Statements, bool], ResultT]) -> ResultT:
        """Return what ``decide`` returns; it is told whether this is a second try."""
        connection = self._database.connection()
        if self._texts is None:
            self._texts = texts_for(self._database, connection)
        statements = Statements(self._texts, connection)
        deadline = monotonic() + _PATIENCE
        tries = 0
        while True:
            was_open = connection.connection is not None
            tries += 1
            try:
                return self._watched(connection, statements, decide, is_retry=tries > 1)
            except (DatabaseError, InterfaceError) as error:
                better = self._database.advice(connection, error)
                if better is not None:
                    raise better from None
                if not isinstance(error, (OperationalError, InterfaceError)):
                    raise
                is_lost = _is_lost(connection)
                # A connection that was kept may be stale, and a deadlock or a locked file passes.
                is_hopeless = connection.in_atomic_block or (is_lost and not was_open)
                if is_hopeless or tries == _TRIES or monotonic() > deadline:
                    raise
            sleep(random.uniform(0.001, 0.02))

    def _watched(
        self,
        connection: BaseDatabaseWrapper,
        statements: Statements,
        decide: Callable[[Statements, bool], ResultT],
        *,
        is_retry: bool,
    ) -> ResultT:
        """Return what ``decide`` returns, unless the server does not answer in time.

        Raises:
            TimeoutError: it did not; the connection was cut.
        """
        if connection.in_atomic_block:
            return _alone(connection, statements, decide, is_retry=is_retry)
        connection.ensure_connection()
        with connection.wrap_database_errors:
            watch = self._watchdog.begin(connection.connection)
        try:
            result = _alone(connection, statements, decide, is_retry=is_retry)
        except BaseException as error:
            if self._watchdog.end(watch):
                connection.close()
                if isinstance(error, Error):
                    raise TimeoutError("the database did not answer in time") from error
            raise
        if self._watchdog.end(watch):
            connection.close()  # the answer came in time, and the cut a little later
        return result


def _alone(
    connection: BaseDatabaseWrapper,
    statements: Statements,
    decide: Callable[[Statements, bool], ResultT],
    *,
    is_retry: bool,
) -> ResultT:
    """Return what ``decide`` returns, with all that it does committed."""
    if not connection.in_atomic_block:
        if connection.get_autocommit():
            return decide(statements, is_retry)
        raise ConfigurationError(_IN_TRANSACTION)
    try:
        # Refused inside any transaction but the one that Django's TestCase opens.
        with transaction.atomic(using=connection.alias, durable=True):
            return decide(statements, is_retry)
    except RuntimeError:
        raise ConfigurationError(_IN_TRANSACTION) from None


_IN_TRANSACTION: Final = (
    "DjangoStore was called inside a transaction, whose rollback would undo the claim: take the "
    "view, or hooks.handle(), out of atomic() and set_autocommit(False); with ATOMIC_REQUESTS, put "
    "@transaction.non_atomic_requests above @api_view"
)


def _is_lost(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether the server has given the connection up, and close it then."""
    if connection.connection is not None and connection.is_usable():
        return False
    if not connection.in_atomic_block:
        connection.close()
    return True
