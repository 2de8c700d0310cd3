"""The methods of a store on SQL that runs its statements in the calling thread."""

from __future__ import annotations

from abc import ABC, abstractmethod
from random import randrange
from typing import Final, TypeVar

from ..idempotency import Claim
from ._sql import ClaimStatements, Work

ResultT = TypeVar("ResultT")

_PURGE_EVERY: Final = 256


class SQLStore(ABC):
    """Turns each method into work; a store says on which connection it is done."""

    _purges_itself = False
    _statements: ClaimStatements
    """In the dialect of the database."""

    def __init__(self) -> None:
        # A random start: processes that claim only a few times must purge now and then, too.
        self._claims = randrange(_PURGE_EVERY)

    @abstractmethod
    def _run(self, work: Work[ResultT], *, is_patient: bool = False) -> ResultT:
        """Do ``work`` and commit it.

        Args:
            work: may be done again.
            is_patient: whether a server that cannot be reached is waited for.
        """

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`dubhooks.idempotency.Store.claim`.

        Raises:
            ConfigurationError: the table is missing or merges keys, or the database is read-only.
            Exception: the driver's error when the database cannot be reached in time.
        """
        self._claims += 1
        if self._purges_itself and self._claims % _PURGE_EVERY == 0:
            self._run(self._statements.purge())
        return self._run(self._statements.claim(key, token, fingerprint, lease, retention))

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        work = self._statements.complete(key, token, retention=retention)
        # The handler has run: without this it would run again.
        return self._run(work, is_patient=True)

    def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        return self._run(self._statements.release(key, token))

    def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        return self._run(self._statements.forget(key))

    def purge(self) -> int:
        """Delete the rows whose retention is over and return how many there were.

        Claims may go on meanwhile.  Those of ``SQLiteStore`` and ``DjangoStore`` do this now and
        then; with ``SQLAlchemyStore`` run it daily.
        """
        deleted = 0
        while count := self._run(self._statements.purge()):
            deleted += count
        return deleted
