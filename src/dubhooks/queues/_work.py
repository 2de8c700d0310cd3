"""What a worker does with one message: run its event; then be done, put it again, or give up."""

from __future__ import annotations

import logging
from time import sleep, time
from typing import TYPE_CHECKING, Any, Final

from .._headers import list_pairs
from ..errors import DubhooksError, GivenUp
from ..idempotency._lifecycle import Ending
from ..receiver._pipeline import Pipeline
from ..receiver._queued import run_queued
from ._message import Message, read_message

if TYPE_CHECKING:
    from ..idempotency._log import Log
    from ._queue import Queue

LONGEST_DELAY: Final = 900.0
"""Seconds: below every engine's visibility timeout, and RabbitMQ's half hour for a consumer."""
_PUT_PAUSE: Final = 5.0

logger = logging.getLogger("dubhooks")


def work_off(queue: Queue, message: str) -> None:
    """Run the event of a message, and decide what becomes of it; see :meth:`Queue.work`."""
    letter, pipelines = read_message(message), queue.pipelines
    if letter is None or not pipelines:
        put_back(queue, message, logger, "it cannot be read, or this worker has no receiver")
        return
    del message  # error trackers send the variables of the frames around a handler
    # Any receiver's dead letters will do in the end.
    _Work(queue, letter, pipelines.get(letter.receiver, next(iter(pipelines.values())))).run()


class _Work:
    """One message in a worker."""

    def __init__(self, queue: Queue, letter: Message, pipeline: Pipeline[Any]) -> None:
        self._queue = queue
        self._letter = letter
        self._pipeline = pipeline
        self._about = f"event {letter.event_name[:64]!r} {letter.event_id[:64]!r}"

    def run(self) -> None:
        pipeline, letter = self._pipeline, self._letter
        if pipeline.name == letter.receiver:
            ending = run_queued(pipeline, letter.request, letter.received_at)
        else:
            ending = f"no receiver {letter.receiver:.64} uses this queue in this worker"
        if isinstance(ending, str):
            self._postpone(ending)
        else:
            self._settle(ending)

    def _settle(self, ending: Ending) -> None:
        if ending.error is not None and not isinstance(ending.error, Exception):
            raise ending.error
        if ending.outcome == "busy":
            self._put_again(ending.retry_after or 1.0)
        elif ending.outcome == "unavailable":
            self._put_again(30.0)
        elif ending.outcome == "conflict":
            self._keep("another body was delivered under its id")
        elif ending.outcome == "rejected" and not ending.is_done:
            self._keep("its handler rejected a payout, which Dub shows as paid")
        elif ending.outcome in ("failed", "retry"):
            self._try_again(ending)

    def _try_again(self, ending: Ending) -> None:
        attempt, after = ending.attempt or 1, ending.retry_after
        if after is None:
            after = min(10.0 * 2.0 ** min(attempt - 1, 10), LONGEST_DELAY)
        if is_overdue(self._queue, self._letter):
            self._give_up(f"attempt {attempt} failed", ending.error)
            return
        if ending.outcome == "failed":
            text = "the handler failed for %s (attempt %d): it runs again in %d s"
            self._pipeline.log.error(text, self._about, attempt, after, exc_info=ending.error)
        self._put_again(after)

    def _postpone(self, problem: str) -> None:
        """Put back what cannot be worked here; a deployment under way may fix that."""
        if is_overdue(self._queue, self._letter):
            self._give_up(problem)
        else:
            self._put_back(problem)

    def _give_up(self, problem: str, cause: BaseException | None = None) -> None:
        """Keep a dead letter, and tell the engine."""
        if self._keep(problem, cause):
            raise GivenUp(f"{self._about} is a dead letter: {problem}") from cause

    def _keep(self, problem: str, cause: BaseException | None = None) -> bool:
        """Keep a dead letter and tell whether that was done; else the message is put back."""
        request = self._letter.request
        letters: Any = self._pipeline.settings.dead_letters  # every receiver of a queue has them
        try:
            error = GivenUp(f"{self._about} was given up: {problem}")
            letters.keep(request.body, dict(list_pairs(request.headers)), error)
        except Exception as failure:  # noqa: BLE001 - somebody's storage may raise anything
            what = type(failure).__qualname__
            self._put_back(f"its dead letter ({problem}) could not be kept: {what}")
            return False
        text = "%s is a dead letter now, which dubhooks replay sends again: %s"
        self._pipeline.log.error(text, self._about, problem, exc_info=cause)
        return True

    def _put_back(self, problem: str) -> None:
        put_back(self._queue, self._letter.text, self._pipeline.log, f"{self._about}: {problem}")

    def _put_again(self, after: float) -> None:
        put_until_held(self._queue, self._letter.text, after)


def is_overdue(queue: Queue, letter: Message) -> bool:
    """Tell whether a message has been tried for ``retry_for``."""
    return time() > letter.received_at + queue.retry_for


def put_back(queue: Queue, message: str, log: logging.Logger | Log, problem: str) -> None:
    """Put a message back for as long as possible; another worker may do better."""
    log.error("a message is put back for %d s: %s", LONGEST_DELAY, problem)
    put_until_held(queue, message, LONGEST_DELAY)


def put_until_held(queue: Queue, message: str, after: float) -> None:
    """Put a message again; until the engine holds it, this job goes on and stays the engine's."""
    text = "a message could not be put back into its queue, which is tried every %d s: %s"
    while True:
        try:
            queue.put_checked(message, after)
            return
        except Exception as error:  # noqa: BLE001 - an engine may raise anything
            # Its own message may quote a password.
            what = str(error) if isinstance(error, DubhooksError) else type(error).__qualname__
            logger.error(text, _PUT_PAUSE, what)
        sleep(_PUT_PAUSE)
