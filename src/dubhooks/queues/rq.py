"""Handlers in the workers of RQ, on Redis with an append-only file."""

from __future__ import annotations

import logging
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import rq
from redis import Redis
from rq.serializers import JSONSerializer
from typing_extensions import override

from ..errors import ConfigurationError, GivenUp, to_seconds
from ._queue import LONGEST_DELAY, Queue
from ._redis import check_redis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Unpack

    from ._queue import QueueOptions

__all__ = ["RQQueue", "run"]

_RETRIES: Final = 1_000_000_000
"""How many workers may be killed by one message.  Without an interval between them: with one,
RQ marks a job in a transaction of its own, and a worker that is killed next to that loses it."""

logger = logging.getLogger("dubhooks")


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
            connection: a client of redis-py, not asynchronous, with timeouts.
            name: of RQ's queue.
            timeout: seconds, or a ``timedelta``, after which RQ interrupts a handler.
            common: ``retry_for`` and ``may_lose_events``.

        Raises:
            ConfigurationError: one of them is something else.
        """
        super().__init__(**common)
        if not isinstance(path, str) or "." not in path.strip("."):
            raise ConfigurationError(
                "RQQueue(path, connection) takes module and name of itself, by which a worker "
                'finds it: later = RQQueue("shop.hooks.later", connection)'
            )
        if not isinstance(connection, Redis):
            raise ConfigurationError(
                "RQQueue(path, connection) takes a client such as redis.Redis.from_url(url, "
                f"socket_timeout=5, ...), and not {type(connection).__qualname__!r}"
            )
        self._path = path
        self._timeout = int(to_seconds("timeout", timeout, least=1))
        self._connection = connection
        self._jobs = rq.Queue(name, connection=connection, serializer=JSONSerializer)

    @override
    def put(self, message: str, after: float = 0.0) -> None:
        """Enqueue a job, in one transaction of Redis."""
        _enqueue(self._jobs, (self._path, message), self._timeout, after)

    @override
    def check(self) -> None:
        """Refuse a connection or a Redis with which events are lost.

        Raises:
            ConfigurationError: calls could hang; there is no append-only file, or Redis evicts
                what it keeps; or it is older than 6.2.
        """
        info = check_redis(self._connection, may_lose_events=self.may_lose_events)
        if _is_old(info) and not self.may_lose_events:
            raise ConfigurationError(
                "RQ loses the job that a killed worker has just taken from a Redis older than "
                "6.2: use a newer one, or, where that is acceptable, may_lose_events=True"
            )


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
        logger.error(
            "the queue %r cannot be imported in this worker (%s), and a message is put back for "
            "%d s: start it in the directory of the application, with its environment",
            path,
            type(error).__qualname__,
            LONGEST_DELAY,
        )
        jobs = rq.Queue(job.origin, connection=job.connection, serializer=JSONSerializer)
        _enqueue(jobs, (path, message), job.timeout, LONGEST_DELAY)
        return
    try:
        queue.work(message)
    except GivenUp:
        job.retries_left = 0  # those are for workers that were killed
        raise


def _enqueue(jobs: Any, arguments: tuple[str, str], timeout: int, after: float) -> None:
    options = {
        "args": arguments,
        "job_timeout": timeout,
        "result_ttl": 0,
        "retry": rq.Retry(max=_RETRIES),
        # Workers log it; by default it is the call, with its arguments.
        "description": "a delivery",
    }
    if after > 0:
        # RQ leaves the fractions of a second away, which would be too early.
        jobs.enqueue_in(timedelta(seconds=after + 1), run, **options)
    else:
        jobs.enqueue(run, **options)


def _is_old(info: Mapping[str, Any]) -> bool:
    major, _, rest = str(info.get("redis_version", "7")).partition(".")
    return (int(major), int(rest.partition(".")[0] or 0)) < (6, 2)
