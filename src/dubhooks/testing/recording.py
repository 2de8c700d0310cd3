"""A store that remembers what was asked of it, for tests to look at."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..idempotency import Claim
from ..idempotency._keys import build_key
from ..stores.memory import MemoryStore
from ._delivered import event_id_of

if TYPE_CHECKING:
    from typing import TypeAlias

    from ..events._base import Event

__all__ = ["RecordingStore", "StoreRecord"]

What: TypeAlias = Literal[
    "acquired",
    "done",
    "busy",
    "completed",
    "not_completed",
    "released",
    "not_released",
    "forgotten",
    "not_forgotten",
]
"""What a store did: the first three are what became of a claim.

``not_completed`` and ``not_released``: the lease was over and another delivery
had the key by then.  ``not_forgotten``: there was nothing to forget, or a lease
runs.
"""


class StoreRecord(NamedTuple):
    """One call of a store."""

    what: What
    key: str
    """``namespace:event id``, or the namespace and a natural key."""
    token: str
    """Who called: the same for all calls of one delivery; nobody's, ``""``, when forgotten."""


class RecordingStore:
    """A :class:`~dubhooks.MemoryStore` that records every call: ``Webhooks(..., store=store)``."""

    never_blocks = True
    """As with :class:`~dubhooks.MemoryStore`."""

    def __init__(self) -> None:
        self._store = MemoryStore()
        self._lock = Lock()
        self._records: list[StoreRecord] = []

    @property
    def records(self) -> list[StoreRecord]:
        """Every call so far, in the order in which the store decided them."""
        with self._lock:
            return list(self._records)

    @property
    def keys(self) -> list[str]:
        """Every key that was claimed, in the order of their first claims."""
        return list(dict.fromkeys(record.key for record in self.records))

    def records_of(self, event: Event) -> list[StoreRecord]:
        """Return the calls for the id of ``event``, in any namespace.

        Raises:
            ConfigurationError: ``event`` is not an event.
        """
        # No namespace has a colon.
        ending = build_key("", event_id_of(event))
        return [one for one in self.records if one.key[one.key.index(":") :] == ending]

    def count(self, what: What, event: Event | None = None) -> int:
        """Return how often the store did this, for one event or for all keys."""
        records = self.records if event is None else self.records_of(event)
        return sum(record.what == what for record in records)

    def assert_completed_once(self, event: Event) -> None:
        """Fail unless exactly one delivery of ``event`` ran to its end and is done.

        An event that was forgotten afterwards is not done any more.

        It sees deliveries from anywhere and needs no answers.  A store cannot
        tell how an event was done: a handler that raised ``Reject`` and one
        registered with ``on_unhandled`` complete it as well (see
        :meth:`SignedClient.assert_handled_once`).
        """
        __tracebackhide__ = True
        records = self.records_of(event)
        # Done under another event id: the event was completed without a run of its handler.
        not_run = {record.token for record in self.records if record.what in ("done", "busy")}
        runs = {one.token for one in records if one.what in ("completed", "not_completed")}
        runs -= not_run
        ends = [one for one in records if one.what in ("completed", "forgotten")]
        completed = any(one.what == "completed" and one.token in runs for one in ends)
        if len(runs) == 1 and completed and ends[-1].what == "completed":
            return
        told = ", ".join(record.what for record in records) or "never claimed"
        raise AssertionError(f"{event.id} {_fault(len(runs), records, self.keys)} (store: {told})")

    # -- the store ------------------------------------------------------------------------------

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`dubhooks.idempotency.Store.claim`."""
        with self._lock:
            claim = self._store.claim(
                key, token, fingerprint=fingerprint, lease=lease, retention=retention
            )
            self._records.append(StoreRecord(claim.state, key, token))
            return claim

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        with self._lock:
            is_done = self._store.complete(key, token, retention=retention)
            what: What = "completed" if is_done else "not_completed"
            self._records.append(StoreRecord(what, key, token))
            return is_done

    def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        with self._lock:
            is_free = self._store.release(key, token)
            what: What = "released" if is_free else "not_released"
            self._records.append(StoreRecord(what, key, token))
            return is_free

    def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        with self._lock:
            is_gone = self._store.forget(key)
            what: What = "forgotten" if is_gone else "not_forgotten"
            self._records.append(StoreRecord(what, key, ""))
            return is_gone


def _fault(runs: int, records: list[StoreRecord], keys: list[str]) -> str:
    """Return what is wrong with the calls for an event, and where to look."""
    told = {record.what for record in records}
    if runs > 1 and "forgotten" in told:
        return f"ran {runs} times: it was forgotten in between"
    if runs > 1:
        return f"ran {runs} times: its lease was over before its handler was, or namespaces differ"
    if "forgotten" in told:
        return "was forgotten, so it runs when it comes again"
    if runs == 1:
        return "ran, but its lease was over before its handler was"
    if "completed" in told:
        return "did not run: the same thing was done before under another event id"
    if "released" in told:
        return "was not completed: its handler raised or answered outside 2xx, and it is free again"
    if "acquired" in told:
        return "was not completed: its handler is still running, or was stopped in between"
    if keys:
        return f"was not claimed, only {', '.join(keys)}: was it refused, or is it without handler?"
    return "was not claimed, nor was any: does the receiver have this store?"
