"""Run once: where claims live, as a protocol that any database can meet.

A claim lets one live runner at a time handle an event; a completed claim turns
every later delivery of it into a duplicate.  Stores decide by their own clock.
"""

from __future__ import annotations

import inspect
from typing import Literal, NamedTuple, Protocol

__all__ = ["AsyncStore", "Claim", "Store"]


class Claim(NamedTuple):
    """A store's decision about one delivery."""

    state: Literal["acquired", "done", "busy"]
    """Run it, it was done before, or another worker holds it."""
    attempt: int
    """Grows with every takeover: a fencing number."""
    fingerprint: str
    """SHA-256, in hex, of the body that holds or completed this key; your own when acquired."""
    retry_after: float
    """Seconds until the lease may be taken over; 0 unless busy."""


class Store(Protocol):
    """Where claims live.  Every method is one atomic decision by the store's clock.

    ``lease`` and ``retention`` are durations in seconds; points in time never
    cross this interface.  A row older than its retention counts as absent.
    ``dubhooks.testing.StoreContract`` tests an implementation.

    Two optional attributes: ``never_blocks = True`` lets an event loop call a
    sync store directly instead of in a thread, and ``close_connection()`` is
    called in a thread of dubhooks' own after each round of renewals there, for
    stores that keep a connection for each thread.
    """

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key`` for the owner of ``token``.

        Absent, expired or released: acquired.  Held by ``token`` itself:
        acquired again, with a new lease.  Lease over: acquired, with the next
        attempt.  Held by another token: busy.  Completed: done.

        Whoever acquires the key brings its own ``fingerprint``; busy and done
        tell that of the body that holds or completed it.
        """
        ...

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done for ``retention`` seconds; false when ``token`` does not hold it."""
        ...

    def release(self, key: str, token: str) -> bool:
        """Free ``key`` for the next delivery; false when ``token`` does not hold it."""
        ...

    def forget(self, key: str) -> bool:
        """Delete the row of ``key``, but not while a lease runs; true when a row was deleted.

        The next claim finds the key absent.  False for a row older than its
        retention, which counts as absent.  A store that asks its server again
        because a reply was lost may say false although the row is gone.
        """
        ...


class AsyncStore(Protocol):
    """A :class:`Store` whose methods are coroutines."""

    async def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """See :meth:`Store.claim`."""
        ...

    async def complete(self, key: str, token: str, *, retention: float) -> bool:
        """See :meth:`Store.complete`."""
        ...

    async def release(self, key: str, token: str) -> bool:
        """See :meth:`Store.release`."""
        ...

    async def forget(self, key: str) -> bool:
        """See :meth:`Store.forget`."""
        ...


def is_async_store(store: Store | AsyncStore) -> bool:
    """Tell whether ``store`` has coroutines for methods."""
    return inspect.iscoroutinefunction(store.claim)
