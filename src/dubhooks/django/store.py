"""Claims in the project's own database."""

from __future__ import annotations

import logging
import random
from contextlib import ExitStack, suppress
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final, TypeVar

from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.db import Error, transaction

from ..errors import ConfigurationError, to_seconds
from ..stores._advice import is_beaten, is_lost
from ..stores._sql import ClaimStatements
from ._database import Database, build_execute, pool_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from typing import Any

    from django.db.backends.base.base import BaseDatabaseWrapper

    from ..idempotency import Claim

__all__ = ["DjangoStore"]

logger = logging.getLogger("dubhooks")

ResultT = TypeVar("ResultT")

_PURGE_EVERY: Final = 256
_LONGEST_PAUSE: Final = 0.25


class DjangoStore:
    """Claims in a database of the project: PostgreSQL, MariaDB, MySQL or SQLite.

    Every change is one statement that is committed at once, by the database's
    clock, on the connection that Django keeps for the thread.  Inside a
    transaction it refuses to work: a rollback would take claims with it.
    (Django's ``TestCase`` is let through.)
    """

    def __init__(self, *, using: str | None = None, timeout: float | timedelta = 10.0) -> None:
        """Keep claims in one database of ``DATABASES``.

        Args:
            using: the database's alias, by default the routers' choice for writing.
            timeout: how long, in seconds or as a ``timedelta``, a statement whose connection was
                lost, or that lost against another one, is tried again.  How long one try takes
                is for the database's ``OPTIONS`` to say.

        Raises:
            ConfigurationError: ``timeout`` is not more than 0.
        """
        self._database = Database("Claim", using)
        self._timeout = to_seconds("DjangoStore(timeout=...)", timeout)
        self._statements: ClaimStatements | None = None
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
            django.db.Error: the database failed.
        """
        options: dict[str, Any] = {
            "fingerprint": fingerprint,
            "lease": lease,
            "retention": retention,
        }
        claim = self._commit(lambda run: run.statements.claim(run.execute, key, token, **options))
        self._purge_now_and_then()
        return claim

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        return self._commit(
            lambda run: run.statements.complete(
                run.execute, key, token, retention=retention, is_retry=run.is_retry
            ),
            # If it fails the event runs again, and the database was there for the claim.
            is_patient=True,
        )

    def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        return self._commit(lambda run: run.statements.release(run.execute, key, token))

    def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        return self._commit(lambda run: run.statements.forget(run.execute, key))

    def purge(self) -> int:
        """Delete the rows whose retention is over and return how many there were.

        Claims do this now and then as well, so calling it is optional.
        """
        deleted, may_be_more = 0, True
        while may_be_more:
            count, may_be_more = self._commit(lambda run: run.statements.purge(run.execute))
            deleted += count
        return deleted

    def close_connection(self) -> None:
        """Close this thread's connection: Django closes only those of threads with requests."""
        self._database.connection().close()

    def _purge_now_and_then(self) -> None:
        self._claims += 1
        if self._claims % _PURGE_EVERY == 0:
            try:
                self._commit(lambda run: run.statements.purge(run.execute), timeout=0.0)
            except (Error, ConfigurationError) as error:
                logger.warning("old claims could not be deleted: %s", type(error).__qualname__)

    def _commit(
        self,
        decide: Callable[[_Run], ResultT],
        *,
        is_patient: bool = False,
        timeout: float | None = None,
    ) -> ResultT:
        """Return what ``decide`` returns, committed.

        Args:
            decide: sends statements; it may be called again.
            is_patient: whether to wait for a server that cannot be reached at all.
            timeout: in seconds, instead of the store's own.
        """
        connection = self._database.connection()
        if self._statements is None:
            self._statements = ClaimStatements(connection.vendor, "format")
        run = _Run(connection, self._statements, is_patient=is_patient)
        deadline = monotonic() + (self._timeout if timeout is None else timeout)
        pause = 0.005
        while True:
            begin = monotonic()
            try:
                return run.commit(decide)
            except (ImproperlyConfigured, SynchronousOnlyOperation) as error:
                raise ConfigurationError(f"Django says: {error}") from error
            except Error as error:
                better = self._database.explain(connection, error)
                if better is not None:
                    raise better from None
                can_succeed, now = run.prepare_another_try(error), monotonic()
                # A try that takes as long as this one must end in time as well.
                if not can_succeed or now + (now - begin) + pause > deadline:
                    raise
            sleep(random.uniform(0.0, pause))
            pause = min(2 * pause, _LONGEST_PAUSE)


class _Run:
    """A decision of the store on this thread's connection, and its tries."""

    def __init__(
        self, connection: BaseDatabaseWrapper, statements: ClaimStatements, *, is_patient: bool
    ) -> None:
        self.statements = statements
        self.execute = build_execute(connection)
        self.is_retry = False
        self._connection = connection
        self._is_patient = is_patient
        self._pool: Any = None

    def commit(self, decide: Callable[[_Run], ResultT]) -> ResultT:
        """Return what ``decide`` returns, with all that it does committed."""
        connection = self._connection
        self._pool = pool_of(connection)
        self._is_patient = self._is_patient or connection.connection is not None
        with ExitStack() as stack:
            if connection.in_atomic_block:
                try:
                    # Refused in any transaction but the one that Django's TestCase opens.
                    stack.enter_context(transaction.atomic(using=connection.alias, durable=True))
                except RuntimeError:
                    raise ConfigurationError(_IN_TRANSACTION) from None
            elif not connection.get_autocommit():
                raise ConfigurationError(_IN_TRANSACTION)
            return decide(self)

    def prepare_another_try(self, error: Error) -> bool:
        """Leave behind what was lost; tell whether another try may succeed."""
        connection: Any = self._connection  # its stubs know no pool
        self.is_retry = True
        if connection.in_atomic_block:
            return False
        if not (is_lost(error) or connection.connection is None):
            return is_beaten(error)
        # Once there was a connection, the server is worth waiting for.
        has_connected = connection.connection is not None or pool_of(connection) is not self._pool
        self._is_patient = self._is_patient or has_connected
        with suppress(Error):
            connection.close()
        if has_connected and self._pool is not None and pool_of(connection) is self._pool:
            # Its other connections are lost as well, most likely.
            with suppress(KeyError):  # another thread was quicker
                connection.close_pool()
        return self._is_patient


_IN_TRANSACTION: Final = (
    "DjangoStore was called inside a transaction, whose rollback would undo the claim: take the "
    "view, or hooks.handle(), out of atomic() and set_autocommit(False); with ATOMIC_REQUESTS, put "
    "@transaction.non_atomic_requests above @api_view"
)
