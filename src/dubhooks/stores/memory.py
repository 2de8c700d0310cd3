"""Claims in memory: for tests, and for a single process that may forget when it restarts."""

from __future__ import annotations

from threading import Lock
from time import monotonic
from typing import TypeAlias

from ..idempotency import Claim
from ._done_keys import DoneKeys

__all__ = ["MemoryStore"]

_PURGE_EVERY = 4096


# Token (None: the key is free or done), whether it is done, attempt, fingerprint, end of the
# lease, end of the row.  A named tuple would halve the speed of a claim.
_Row: TypeAlias = "tuple[str | None, bool, int, str, float, float]"


class MemoryStore:
    """Claims in memory: lost when the process ends, invisible to other processes.

    Threads and event loops of one process may share it.  A done key takes about
    100 bytes.
    """

    never_blocks = True
    """An event loop calls it directly: a method waits at most for a few lines in another thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rows: dict[str, _Row] = {}
        self._done = DoneKeys()
        self._purge_at = _PURGE_EVERY

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`dubhooks.idempotency.Store.claim`."""
        with self._lock:
            now = monotonic()
            row = self._rows.get(key)
            attempt = 1
            if row is not None and row[5] > now:
                owner, is_done, attempt, theirs, lease_end, _ = row
                if is_done:
                    return Claim("done", attempt, theirs, 0.0)
                if owner is not None and owner != token and lease_end > now:
                    return Claim("busy", attempt, theirs, lease_end - now)
                attempt += owner != token
            else:
                done = self._done.find(key, now)
                if done is not None:
                    return Claim("done", *done, 0.0)
                self._make_room(now)
            self._rows[key] = (token, False, attempt, fingerprint, now + lease, now + retention)
            return Claim("acquired", attempt, fingerprint, 0.0)

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        with self._lock:
            now = monotonic()
            row = self._owned(key, token, now)
            if row is None:
                return False
            _, _, attempt, fingerprint, _, _ = row
            end = now + retention
            if self._done.add(key, end, attempt, fingerprint, now):
                del self._rows[key]
            else:
                self._rows[key] = (None, True, attempt, fingerprint, now, end)
            return True

    def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        with self._lock:
            row = self._owned(key, token, monotonic())
            if row is None:
                return False
            self._rows[key] = (None, *row[1:])
            return True

    def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        with self._lock:
            now = monotonic()
            row = self._rows.get(key)
            if row is None or row[5] <= now:
                return self._done.remove(key, now)
            owner, _, _, _, lease_end, _ = row
            if owner is not None and lease_end > now:
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
            now = monotonic()
            return self._purge_rows(now) + self._done.purge(now)

    def _owned(self, key: str, token: str, now: float) -> _Row | None:
        row = self._rows.get(key)
        return row if row is not None and row[0] == token and row[5] > now else None

    def _make_room(self, now: float) -> None:
        # Doubling the mark keeps the cost of a claim flat, however many keys are live.
        if len(self._rows) >= self._purge_at:
            self._purge_rows(now)
            self._purge_at = max(_PURGE_EVERY, 2 * len(self._rows))

    def _purge_rows(self, now: float) -> int:
        dead = [key for key, row in self._rows.items() if row[5] <= now]
        for key in dead:
            del self._rows[key]
        return len(dead)
