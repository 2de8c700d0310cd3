"""A store that remembers what was asked of it, for tests to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from ..idempotency import Claim
from ..idempotency._keys import build_key
from ..stores.memory import MemoryStore
from ._delivered import id_of

if TYPE_CHECKING:
    from ..events._base import Event

__all__ = ["RecordingStore", "StoreCall"]


class StoreCall(NamedTuple):
    """One call of a store, and what it said."""

    method: Literal["claim", "complete", "release", "forget"]
    key: str
    """``namespace:event id``, or the namespace and a natural key."""
    token: str
    """Who called: the same for all calls of one delivery; empty for ``forget``."""
    answer: Claim | bool


class RecordingStore(MemoryStore):
    """A :class:`~dubhooks.MemoryStore` that keeps its calls: ``Webhooks(..., store=store)``."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[StoreCall] = []
        """Every call so far."""

    def calls_of(self, event: Event) -> list[StoreCall]:
        """Return the calls for the id of ``event``, in any namespace.

        Raises:
            ConfigurationError: ``event`` is not an event.
        """
        # No namespace has a colon.
        ending = build_key("", id_of(event))
        return [one for one in self.calls if one.key[one.key.index(":") :] == ending]

    def assert_completed_once(self, event: Event) -> None:
        """Fail unless exactly one delivery of ``event`` ran to its end and is done.

        It sees deliveries from anywhere and needs no answers.  A store cannot
        tell how an event was done: a handler that raised ``Reject`` and one
        registered with ``on_unhandled`` complete it as well (see
        :meth:`SignedClient.assert_handled_once`).

        Raises:
            AssertionError: it was not completed, or more than once; the message tells its calls.
            ConfigurationError: ``event`` is not an event.
        """
        __tracebackhide__ = True
        calls = self.calls_of(event)
        # Done under another event id: it was completed without a run of its handler.
        not_run = {one.token for one in self.calls if _tell(one) in ("done", "busy")}
        runs = [
            one.answer for one in calls if one.method == "complete" and one.token not in not_run
        ]
        if runs == [True] and "forget" not in map(_tell, calls):
            return
        told = ", ".join(map(_tell, calls)) or "never claimed"
        others = ", ".join(dict.fromkeys(one.key for one in self.calls)) or "none"
        raise AssertionError(
            f"{event.id} ran to its end {len(runs)} times, and should once: {told} "
            f"(keys in this store: {others})"
        )

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        claim = super().claim(key, token, fingerprint=fingerprint, lease=lease, retention=retention)
        self.calls.append(StoreCall("claim", key, token, claim))
        return claim

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        is_done = super().complete(key, token, retention=retention)
        return self._note(StoreCall("complete", key, token, is_done))

    def release(self, key: str, token: str) -> bool:
        return self._note(StoreCall("release", key, token, super().release(key, token)))

    def forget(self, key: str) -> bool:
        return self._note(StoreCall("forget", key, "", super().forget(key)))

    def _note(self, call: StoreCall) -> bool:
        self.calls.append(call)
        return bool(call.answer)


def _tell(call: StoreCall) -> str:
    if isinstance(call.answer, Claim):
        return call.answer.state
    return call.method if call.answer else f"{call.method} refused"
