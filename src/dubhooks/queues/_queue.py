"""The base class of every queue: what a receiver hands over, and what a worker works off."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import timedelta
from time import time
from typing import Any, ClassVar, TypedDict

from ..errors import ConfigurationError, to_seconds
from ..events._family import event_names_of
from ..payload import is_payout_like
from ..receiver._pipeline import Delivery, Pipeline
from ..receiver._registry import Taken
from ..stores.memory import MemoryStore
from ._message import pack_message
from ._work import LONGEST_DELAY, work_off


class QueueOptions(TypedDict, total=False):
    """What every queue takes."""

    retry_for: timedelta
    may_lose_events: bool


class Queue(ABC):
    """Hands deliveries to a queue engine, and works them off in the engine's worker.

    For another engine, write :meth:`put`, a task that calls :meth:`work`, and, where settings
    of the engine can lose events, :meth:`check`; ``dubhooks.testing.QueueContract`` tests it.
    """

    in_memory: ClassVar[bool] = False
    """The messages live in this process, as in a test: a ``MemoryStore`` will do."""

    def __init__(
        self, *, retry_for: timedelta = timedelta(days=3), may_lose_events: bool = False
    ) -> None:
        """Set a queue up.

        Args:
            retry_for: how long an event that fails is tried again before it becomes a dead
                letter; a ``timedelta``, or seconds.
            may_lose_events: accept an engine, or settings of one, that can lose an event.

        Raises:
            ConfigurationError: ``retry_for`` is not a duration.
        """
        self.retry_for: float = to_seconds("retry_for", retry_for)
        """Seconds."""
        self.may_lose_events = may_lose_events
        self.pipelines: dict[str, Pipeline[Any]] = {}
        """The receivers whose handlers use this queue, by name."""
        self._is_checked = False

    @abstractmethod
    def put(self, message: str, after: float = 0.0) -> None:
        """Hand one message to the engine.

        Return only when the engine holds it durably.

        Args:
            message: ASCII text that :meth:`work` will get.
            after: work it no sooner than in so many seconds, 900 at most.

        Raises:
            Exception: the engine does not hold it; raised within 15 seconds.
        """

    def check(self) -> None:  # noqa: B027 - some engines have nothing to check
        """Look at the engine's settings, once, before the first message.

        Raises:
            ConfigurationError: with these, an event could be lost.
        """

    def work(self, message: str) -> None:
        """Work off one message: this is the body of the engine's task.

        Returns when the message is done with, or was put again for later.

        Args:
            message: what :meth:`put` was given.

        Raises:
            GivenUp: the event failed for ``retry_for``, and was kept as a dead letter.
            BaseException: what tells the process to stop; the engine gives the message to
                another worker.
        """
        work_off(self, message)

    # -- for receivers, and for workers -------------------------------------------------------

    def accept(
        self, pipeline: Pipeline[Any], takes: Iterable[Taken], *, is_paid_when_queued: bool
    ) -> None:
        """Accept a handler of a receiver, when it is registered.

        Raises:
            ConfigurationError: with this receiver, or for one of these events, events could be
                lost or run twice.
        """
        store, letters = pipeline.settings.store, pipeline.settings.dead_letters
        is_private = isinstance(store, MemoryStore) and not self.in_memory
        is_short = self.retry_for > pipeline.settings.retention
        is_payout = any(map(_is_payout, takes))
        is_unsaid = is_payout and not is_paid_when_queued
        name, other = pipeline.name, self.pipelines.get(pipeline.name, pipeline)
        for is_wrong, what in (
            (store is None or letters is None, "a receiver without store= and dead_letters="),
            (pipeline.needs_loop, "an async store: pass the sync store of the same engine"),
            (is_private, "a MemoryStore, which each worker would have for itself: use another"),
            (is_short, "a receiver whose retention is shorter than retry_for: it would run again"),
            (is_unsaid, "a payout, which the 202 marks as paid, without paid_when_queued=True"),
            (is_payout and self.may_lose_events, "a payout, because it may lose events"),
            (other is not pipeline, f"a second receiver of {name}: give it another namespace"),
        ):
            if is_wrong:
                raise ConfigurationError(f"queue={type(self).__name__}(...) cannot take {what}")
        self.pipelines[name] = pipeline

    def enqueue(self, pipeline: Pipeline[Any], delivery: Delivery) -> None:
        """Put one delivery; return when the engine holds it.

        Raises:
            Exception: it does not.
        """
        self.put_checked(pack_message(pipeline.name, delivery.event, delivery.request, time()))

    def put_checked(self, message: str, after: float = 0.0) -> None:
        """Put a message, after a look at the engine's settings; see :meth:`put`."""
        self.ensure_checked()
        self.put(message, min(after, LONGEST_DELAY))

    def ensure_checked(self) -> None:
        """Call :meth:`check`, until it has succeeded once."""
        if not self._is_checked:
            self.check()
            self._is_checked = True


def _is_payout(taken: Taken) -> bool:
    names = (taken,) if isinstance(taken, str) else event_names_of(taken)
    return any(is_payout_like(name, None) for name in names)
