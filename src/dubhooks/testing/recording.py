"""A store that remembers what was asked of it, and a queue that waits until a test runs it."""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

from typing_extensions import Unpack, override

from ..events._base import Event
from ..idempotency import Claim
from ..idempotency._keys import build_key
from ..queues import Queue, QueueOptions
from ..stores.memory import MemoryStore

__all__ = ["HeldQueue", "RecordingStore"]


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
        """Return the calls for the id of ``event``, in any namespace."""
        # No namespace has a colon.
        ending = build_key("", event.id)
        return [one for one in self.calls if one.key[one.key.index(":") :] == ending]

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


class HeldMessage(NamedTuple):
    """A message, and how many seconds it was to wait."""

    text: str
    after: float


class HeldQueue(Queue):
    """Keeps messages in :attr:`messages`; :meth:`run` works them off, in this thread.

    A receiver may have any sync store beside it, a ``MemoryStore`` too.
    """

    in_memory: ClassVar[bool] = True

    def __init__(self, **common: Unpack[QueueOptions]) -> None:
        """Take the arguments of every queue: ``retry_for`` and ``may_lose_events``."""
        super().__init__(**common)
        self.messages: list[HeldMessage] = []
        """What was put and not yet worked off, oldest first."""

    @override
    def put(self, message: str, after: float = 0.0) -> None:
        """Keep a message."""
        self.messages.append(HeldMessage(message, after))

    def run(self) -> int:
        """Work off every message that is held now, without waiting until it is due.

        What a handler's failure puts again is held for the next call.

        Returns:
            How many messages were worked off.

        Raises:
            GivenUp: an event failed for ``retry_for`` and was kept as a dead letter.
        """
        # One at a time, as an engine does: what is not reached is still there.
        count = len(self.messages)
        for _ in range(count):
            self.work(self.messages.pop(0).text)
        return count
