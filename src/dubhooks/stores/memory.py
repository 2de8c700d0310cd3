"""Claims in memory: for tests, and for a single process that may forget when it restarts."""

from __future__ import annotations

from threading import Lock
from time import monotonic
from typing import TypeAlias

from ..idempotency import Claim

__all__ = ["MemoryStore"]

_PURGE_EVERY = 4096

_Done: TypeAlias = "tuple[float, int, str]"
"""End of the row, attempt, fingerprint: nothing else, because there may be a million of them."""
_Open: TypeAlias = "tuple[float, int, str, str | None, float]"
"""The same, then the owner's token (``None``: the key is free) and the end of the lease."""


class MemoryStore:
    """Claims in memory: lost when the process ends, invisible to other processes.

    Threads and event loops of one process may share it.  A done key takes about
    350 bytes.
    """

    never_blocks = True
    """An event loop calls it directly: a method waits at most for a few lines in another thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        # Plain tuples: named ones would halve the speed of a claim.
        self._rows: dict[str, _Done | _Open] = {}
        self._purge_at = _PURGE_EVERY

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`dubhooks.idempotency.Store.claim`."""
        with self._lock:
            now = monotonic()
            row = self._rows.get(key)
            attempt = 1
            if row is None or row[0] <= now:
                self._make_room(now)
            elif len(row) == 3:
                return Claim("done", row[1], row[2], 0.0)
            else:
                _, attempt, theirs, owner, lease_end = row
                if owner is not None and owner != token and lease_end > now:
                    return Claim("busy", attempt, theirs, lease_end - now)
                attempt += owner != token
            self._rows[key] = (now + retention, attempt, fingerprint, token, now + lease)
            return Claim("acquired", attempt, fingerprint, 0.0)

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        with self._lock:
            now = monotonic()
            row = self._find_owned(key, token, now)
            if row is None:
                return False
            self._rows[key] = (now + retention, row[1], row[2])
            return True

    def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        with self._lock:
            row = self._find_owned(key, token, monotonic())
            if row is None:
                return False
            self._rows[key] = (*row[:3], None, 0.0)
            return True

    def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        with self._lock:
            now = monotonic()
            row = self._rows.get(key)
            if row is None or row[0] <= now or (len(row) == 5 and row[4] > now):
                return False
            del self._rows[key]
            return True

    def purge(self) -> int:
        """Delete the rows whose retention is over.

        Claims do this now and then, so calling it is optional.

        Returns:
            How many rows were deleted.
        """
        with self._lock:
            return self._purge(monotonic())

    def _find_owned(self, key: str, token: str, now: float) -> _Open | None:
        row = self._rows.get(key)
        if row is None or len(row) == 3 or row[3] != token or row[0] <= now:
            return None
        return row

    def _make_room(self, now: float) -> None:
        # Doubling the mark keeps the cost of a claim flat, however many keys are live.
        if len(self._rows) >= self._purge_at:
            self._purge(now)
            self._purge_at = max(_PURGE_EVERY, 2 * len(self._rows))

    def _purge(self, now: float) -> int:
        dead = [key for key, row in self._rows.items() if row[0] <= now]
        for key in dead:
            del self._rows[key]
        return len(dead)
