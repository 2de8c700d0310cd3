"""Claims in the project's own database."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import cached_property
from typing import Any, Final, TypeVar

from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from ..errors import ConfigurationError, to_seconds
from ..stores._advice import is_lost
from ..stores._base import SQLStore
from ..stores._sql import ClaimStatements, Work
from ..stores._tries import Tries
from ._database import Database, build_execute, pool_of

__all__ = ["DjangoStore"]

ResultT = TypeVar("ResultT")


class DjangoStore(SQLStore):
    """Claims in a database of the project: PostgreSQL, MariaDB, MySQL or SQLite.

    Every change is one statement that is committed at once, by the database's
    clock, on the connection that Django keeps for the thread.  Inside a
    transaction it refuses to work: a rollback would take claims with it.
    (Django's ``TestCase`` is let through.)
    """

    _purges_itself = True

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
        super().__init__()
        self._database = Database("Claim", using)
        self._timeout = to_seconds("DjangoStore(timeout=...)", timeout)

    def close_connection(self) -> None:
        """Close this thread's connection: Django closes only those of threads with requests."""
        self._database.connection().close()

    @cached_property
    def _statements(self) -> ClaimStatements:  # type: ignore[override]
        return ClaimStatements(self._database.connection().vendor, "format")

    def _run(self, work: Work[ResultT], *, is_patient: bool = False) -> ResultT:
        connection = self._database.connection()
        tries = Tries(self._timeout, is_patient=is_patient)
        return tries.run(lambda: self._attempt(connection, work, tries))

    def _attempt(
        self, connection: BaseDatabaseWrapper, work: Work[ResultT], tries: Tries
    ) -> ResultT:
        """Return what ``work`` returns, with all that it does committed."""
        pool, was_connected = pool_of(connection), connection.connection is not None
        with self._database.explained(connection), ExitStack() as stack:
            try:
                _refuse_transaction(connection, stack)
                return work(build_execute(connection), tries.is_retry)
            except (ImproperlyConfigured, SynchronousOnlyOperation) as error:
                raise ConfigurationError(f"Django says: {error}") from error
            except Error as error:
                # Once there was a connection, the server is worth waiting for.
                tries.has_connected = (
                    was_connected
                    or connection.connection is not None
                    or pool_of(connection) is not pool
                )
                if is_lost(error) and not connection.in_atomic_block:
                    _leave_lost_connection(connection, pool if tries.has_connected else None)
                raise


def _refuse_transaction(connection: BaseDatabaseWrapper, stack: ExitStack) -> None:
    if connection.in_atomic_block:
        try:
            # Refused in any transaction but the one that Django's TestCase opens.
            stack.enter_context(transaction.atomic(using=connection.alias, durable=True))
        except RuntimeError:
            raise ConfigurationError(_IN_TRANSACTION) from None
    elif not connection.get_autocommit():
        raise ConfigurationError(_IN_TRANSACTION)


def _leave_lost_connection(connection: Any, pool: Any) -> None:
    with suppress(Error):
        connection.close()
    if pool is not None and pool_of(connection) is pool:
        # Its other connections are lost as well, most likely.
        with suppress(KeyError):  # another thread was quicker
            connection.close_pool()


_IN_TRANSACTION: Final = (
    "DjangoStore was called inside a transaction, whose rollback would undo the claim: take the "
    "view, or hooks.handle(), out of atomic() and set_autocommit(False); with ATOMIC_REQUESTS, put "
    "@transaction.non_atomic_requests above @api_view"
)
