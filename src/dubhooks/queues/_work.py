"""What a worker does with one message: run its event; then be done, put it again, or give up."""

from __future__ import annotations

import logging
from time import sleep, time
from typing import TYPE_CHECKING, Any, Final

from .._headers import list_pairs
from ..errors import DubhooksError, GivenUp
from ..receiver._queued import open_queued, run_queued

if TYPE_CHECKING:
    from ..idempotency._lifecycle import Ending
    from ..idempotency._log import Log
    from ..receiver._pipeline import Pipeline
    from ._message import Message
    from ._queue import Queue

__all__ = ["LONGEST_DELAY", "Work", "choose_delay", "put_back_unread"]

LONGEST_DELAY: Final = 900.0
"""Seconds: below every engine's visibility timeout, and RabbitMQ's half hour for a consumer."""
_STORE_DELAY: Final = 30.0
_PUT_PAUSE: Final = 5.0

logger = logging.getLogger("dubhooks")


class Work:
    """One message in a worker."""

    def __init__(self, queue: Queue, letter: Message) -> None:
        self._queue = queue
        self._letter = letter
        self._about = (letter.event_name[:64], letter.event_id[:64])

    def run(self) -> None:
        """Run the event, and decide what becomes of the message; see :meth:`Queue.work`."""
        pipelines, name = self._queue.pipelines, self._letter.receiver
        pipeline = pipelines.get(name)
        if pipeline is None:
            # Any receiver's dead letters will do in the end.
            other = next(iter(pipelines.values()), None)
            self._postpone(other, f"no receiver {name:.64} uses this queue in this worker")
            return
        request = self._letter.unpack(pipeline.settings.max_body)
        if request is None:
            self._postpone(pipeline, "its delivery cannot be unpacked")
            return
        delivery = open_queued(pipeline, request)
        del request
        if isinstance(delivery, DubhooksError):
            self._postpone(pipeline, str(delivery))
            return
        ending = run_queued(pipeline, delivery, time() - self._letter.received_at)
        if ending is None:
            self._postpone(pipeline, "no handler takes it in this worker")
        else:
            self._settle(pipeline, ending)

    def _settle(self, pipeline: Pipeline[Any], ending: Ending) -> None:
        error, outcome = ending.error, ending.outcome
        if error is not None and not isinstance(error, Exception):
            raise error
        if outcome == "busy":
            self._put_again(ending.retry_after or 1.0)
        elif outcome == "unavailable":
            self._put_again(_STORE_DELAY)
        elif outcome == "conflict":
            self._keep(pipeline, "another body was delivered under its id")
        elif outcome == "rejected" and not ending.is_done:
            self._keep(pipeline, "its handler rejected a payout, which Dub shows as paid")
        elif outcome in ("failed", "retry"):
            self._try_again(pipeline, ending)

    def _try_again(self, pipeline: Pipeline[Any], ending: Ending) -> None:
        attempt = ending.attempt or 1
        after = ending.retry_after
        if after is None:
            after = choose_delay(attempt)
        if self._is_overdue():
            self._give_up(pipeline, f"attempt {attempt} failed", ending.error)
            return
        if ending.outcome == "failed":
            pipeline.log.error(
                "the handler failed for event %r %r (attempt %d): it runs again in %d s",
                *self._about,
                attempt,
                after,
                exc_info=ending.error,
            )
        self._put_again(after)

    def _postpone(self, pipeline: Pipeline[Any] | None, problem: str) -> None:
        """Put back what cannot be worked here; a deployment under way may mend that."""
        if pipeline is not None and self._is_overdue():
            self._give_up(pipeline, problem)
            return
        log: logging.Logger | Log = logger if pipeline is None else pipeline.log
        log.error(
            "event %r %r cannot be worked here and is put back for %d s: %s",
            *self._about,
            LONGEST_DELAY,
            problem,
        )
        self._put_again(LONGEST_DELAY)

    def _give_up(
        self, pipeline: Pipeline[Any], problem: str, cause: BaseException | None = None
    ) -> None:
        """Keep a dead letter, and tell the engine."""
        if self._keep(pipeline, problem, cause):
            raise GivenUp(f"event {self._about[1]} is a dead letter: {problem}") from cause

    def _keep(
        self, pipeline: Pipeline[Any], problem: str, cause: BaseException | None = None
    ) -> bool:
        """Keep a dead letter and tell whether that was done; else the message is put back."""
        given_up = GivenUp(f"event {self._about[1]} was given up: {problem}")
        try:
            request = self._letter.unpack(pipeline.settings.max_body)
            if request is None or pipeline.settings.dead_letters is None:
                raise given_up
            headers = dict(list_pairs(request.headers))
            pipeline.settings.dead_letters.keep(request.body, headers, given_up)
        except Exception as failure:  # noqa: BLE001 - somebody's storage may raise anything
            pipeline.log.error(
                "event %r %r was to become a dead letter (%s), which could not be kept: it is "
                "put back for %d s: %s",
                *self._about,
                problem,
                LONGEST_DELAY,
                type(failure).__qualname__,
            )
            self._put_again(LONGEST_DELAY)
            return False
        pipeline.log.error(
            "event %r %r is a dead letter now, which dubhooks replay sends again: %s",
            *self._about,
            problem,
            exc_info=cause,
        )
        return True

    def _put_again(self, after: float) -> None:
        _put_until_held(self._queue, self._letter.text, after)

    def _is_overdue(self) -> bool:
        return time() > self._letter.received_at + self._queue.retry_for


def put_back_unread(queue: Queue, message: str) -> None:
    """Put back what this version cannot read: another version may."""
    logger.error(
        "a message in the queue cannot be read and is put back for %d s: was it written by a "
        "newer version of dubhooks, or by something else?",
        LONGEST_DELAY,
    )
    _put_until_held(queue, message, LONGEST_DELAY)


def choose_delay(attempt: int) -> float:
    """Return the seconds to wait after a failed attempt: 10, 20, 40 and so on, 900 at most."""
    return min(10.0 * 2.0 ** min(attempt - 1, 10), LONGEST_DELAY)


def _put_until_held(queue: Queue, message: str, after: float) -> None:
    """Put a message again; until the engine holds it, this job goes on and stays the engine's."""
    while True:
        try:
            queue.put_checked(message, after)
            return
        except Exception as error:  # noqa: BLE001 - an engine may raise anything
            # Its own message may quote a password.
            what = str(error) if isinstance(error, DubhooksError) else type(error).__qualname__
            logger.error(
                "a message could not be put back into its queue, which is tried every %d s until "
                "it works: %s",
                _PUT_PAUSE,
                what,
            )
        sleep(_PUT_PAUSE)
