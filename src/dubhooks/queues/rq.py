"""Handlers in the workers of RQ, on Redis with an append-only file."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any, Final

import rq
from redis import Redis
from rq.serializers import JSONSerializer
from typing_extensions import Unpack, override

from ..errors import ConfigurationError, GivenUp, to_seconds
from ._bounded import call_bounded
from ._queue import Queue, QueueOptions
from ._redis import check_redis
from ._work import LONGEST_DELAY, logger

__all__ = ["RQQueue", "run"]

_RETRIES: Final = 1_000_000_000
"""How many workers may be killed by one message.  Without an interval between them: with one,
RQ marks a job in a transaction of its own, and a worker that is killed next to that loses it."""


class RQQueue(Queue):
    """Runs handlers as jobs of RQ.

    A job knows its queue by where that is, so make it at the top of a module::

        later = RQQueue("shop.hooks.later", Redis.from_url(url, socket_timeout=5, ...))

    and start workers for this queue alone, with a scheduler and the serializer for JSON.
    """

    def __init__(
        self,
        path: str,
        connection: Redis,
        *,
        name: str = "dubhooks",
        timeout: float | timedelta = 600,
        **common: Unpack[QueueOptions],
    ) -> None:
        """Set the queue up.

        Args:
            path: module and name under which a worker finds this queue: ``"shop.hooks.later"``.
            connection: a client of redis-py, not asynchronous.
            name: of RQ's queue.
            timeout: seconds, or a ``timedelta``, after which RQ interrupts a handler.
            common: ``retry_for`` and ``may_lose_events``.

        Raises:
            ConfigurationError: one of them is something else.
        """
        super().__init__(**common)
        if not isinstance(connection, Redis) or "." not in str(path).strip("."):
            raise ConfigurationError(
                "RQQueue takes module and name of itself, by which a worker finds it, and a client "
                'of redis-py: later = RQQueue("shop.hooks.later", redis.Redis.from_url(url))'
            )
        self._path = path
        self._timeout = int(to_seconds("timeout", timeout, least=1))
        self._jobs: Any = rq.Queue(name, connection=connection, serializer=JSONSerializer)

    @override
    def put(self, message: str, after: float = 0.0) -> None:
        """Enqueue a job, in one transaction of Redis."""
        # Workers log the description; by default it is the call, with its arguments.
        options: dict[str, Any] = {"description": "a delivery", "result_ttl": 0}
        options |= {"job_timeout": self._timeout, "retry": rq.Retry(max=_RETRIES)}
        enqueue = self._jobs.enqueue
        if after > 0:
            # RQ leaves the fractions of a second away, which would be too early.
            enqueue = partial(self._jobs.enqueue_in, timedelta(seconds=after + 1))
        call_bounded(lambda: enqueue(run, args=(self._path, message), **options))

    @override
    def check(self) -> None:
        """Refuse a Redis with which events are lost.

        Raises:
            ConfigurationError: it has no append-only file, evicts what it keeps, or is older
                than 6.2, which cannot move a job from one list to another and wait.
        """
        check_redis(self._jobs.connection, may_lose_events=self.may_lose_events, least=(6, 2))


def run(path: str, message: str) -> None:
    """Work one message off: this is RQ's job.

    Args:
        path: where the queue is.
        message: what was put.

    Raises:
        GivenUp: the event is a dead letter; RQ keeps the job among the failed ones.
        BaseException: what tells the process to stop; RQ runs the job again.
    """
    job: Any = rq.get_current_job()
    module, _, name = path.rpartition(".")
    try:
        queue = getattr(import_module(module), name)
    except Exception as error:  # noqa: BLE001 - somebody's module may raise anything
        text = "the queue %r cannot be imported in this worker, which is tried again later: %s"
        logger.error(text, path, type(error).__qualname__)
        again = RQQueue(path, job.connection, name=job.origin, timeout=job.timeout)
        again.put(message, LONGEST_DELAY)
        return
    try:
        queue.work(message)
    except GivenUp:
        job.retries_left = 0  # those are for workers that were killed
        raise
