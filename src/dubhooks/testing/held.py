"""A queue for tests: it keeps messages until the test works them off."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from typing_extensions import override

from ..queues import Queue

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..queues import QueueOptions

__all__ = ["HeldMessage", "HeldQueue"]


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
        held, self.messages = self.messages, []
        for at, message in enumerate(held):
            try:
                self.work(message.text)
            except BaseException:
                # As an engine would: what was not reached is still there.
                self.messages[:0] = held[at + 1 :]
                raise
        return len(held)
