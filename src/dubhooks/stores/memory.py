"""A store in this process's memory: for tests, and for one process that may forget."""

from __future__ import annotations

from threading import Lock
from time import monotonic

from ..idempotency import Claim

__all__ = ["MemoryStore"]

_PURGE_EVERY = 4096


class MemoryStore:
    """Claims in a dictionary: lost with the process, not seen by another one.

    Threads and event loops of one process may share it.
    """

    never_blocks = True
    """An event loop calls it directly: it only ever waits for another thread's few lines."""

    def __init__(self) -> None:
        self._lock = Lock()
        # key → (token or None when free, attempt, fingerprint, lease's end, row's end);
        # the token of a completed key is "".
        self._rows: dict[str, tuple[str | None, int, str, float, float]] = {}
        self._purge_at = _PURGE_EVERY

    def __len__(self) -> int:
        return len(self._rows)

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`dubhooks.idempotency.Store.claim`."""
        with self._lock:
            now = monotonic()
            row = self._rows.get(key)
            if row is None or row[4] <= now:
                attempt = 1
                self._make_room(now)
            else:
                owner, attempt, fingerprint, lease_end, _ = row
                if owner == "":
                    return Claim("done", attempt, fingerprint, 0.0)
                if owner is not None and owner != token and lease_end > now:
                    return Claim("busy", attempt, fingerprint, lease_end - now)
                attempt += owner != token
            self._rows[key] = (token, attempt, fingerprint, now + lease, now + retention)
            return Claim("acquired", attempt, fingerprint, 0.0)

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        return self._settle(key, token, "", retention)

    def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        return self._settle(key, token, None, None)

    def purge(self) -> int:
        """Delete the rows whose retention is over and return how many there were."""
        with self._lock:
            return self._purge(monotonic())

    def _settle(self, key: str, token: str, owner: str | None, retention: float | None) -> bool:
        with self._lock:
            row = self._rows.get(key)
            if row is None or row[0] != token:
                return False
            now = monotonic()
            end = row[4] if retention is None else now + retention
            self._rows[key] = (owner, row[1], row[2], now, end)
            return True

    def _make_room(self, now: float) -> None:
        # Doubling the mark keeps the cost of a claim flat, however many keys are live.
        if len(self._rows) >= self._purge_at:
            self._purge(now)
            self._purge_at = max(_PURGE_EVERY, 2 * len(self._rows))

    def _purge(self, now: float) -> int:
        dead = [key for key, row in self._rows.items() if row[4] <= now]
        for key in dead:
            del self._rows[key]
        return len(dead)
