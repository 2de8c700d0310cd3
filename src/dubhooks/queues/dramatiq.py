"""Handlers in the workers of Dramatiq, on Redis with an append-only file."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from typing_extensions import Unpack, override

from ..errors import ConfigurationError, GivenUp, to_seconds
from ._bounded import call_bounded
from ._queue import Queue, QueueOptions
from ._redis import check_redis
from ._work import logger, put_until_held

__all__ = ["DramatiqQueue"]


class DramatiqQueue(Queue):
    """Runs handlers as one actor of a Dramatiq broker.

    Make it beside the broker, so that every worker knows the actor::

        broker = RedisBroker(client=Redis.from_url(url, ...), maintenance_chance=100_000)
        later = DramatiqQueue(broker)
    """

    def __init__(
        self,
        broker: dramatiq.Broker,
        *,
        name: str = "dubhooks",
        timeout: float | timedelta = 600,
        **common: Unpack[QueueOptions],
    ) -> None:
        """Declare the actor.

        Args:
            broker: of Redis, with the middleware ``Retries`` and ``TimeLimit``.
            name: of the actor, and of Dramatiq's queue.
            timeout: seconds, or a ``timedelta``, after which Dramatiq interrupts a handler.
            common: ``retry_for`` and ``may_lose_events``.

        Raises:
            ConfigurationError: one of them is something else.
            ValueError: Dramatiq's, for a name, or for middleware that is missing.
        """
        super().__init__(**common)
        if not isinstance(broker, RedisBroker):
            raise ConfigurationError("DramatiqQueue takes a RedisBroker: others may lose events")
        self._broker: Any = broker
        options: dict[str, Any] = {
            "time_limit": to_seconds("timeout", timeout, least=1) * 1000,
            "throws": GivenUp,
            # For what is left to Dramatiq, which is nothing unless it interrupts a worker twice.
            "max_retries": None,
        }
        if "max_age" in broker.actor_options:
            options["max_age"] = None  # messages that waited for long are not dropped
        declare: Any = dramatiq.actor
        self._actor = declare(self._run, broker=broker, actor_name=name, queue_name=name, **options)

    @override
    def put(self, message: str, after: float = 0.0) -> None:
        """Send a message to the actor, in one script of Redis."""
        delay = int(after * 1000) or None
        call_bounded(partial(self._actor.send_with_options, args=(message,), delay=delay))

    @override
    def check(self) -> None:
        """Refuse a Redis with which events are lost; warn when a killed worker's come late.

        Raises:
            ConfigurationError: it has no append-only file, or evicts what it keeps.
        """
        check_redis(self._broker.client, may_lose_events=self.may_lose_events)
        if self._broker.maintenance_chance < 10_000:
            logger.warning(
                "messages of a killed worker can come hours late, by %d of 1,000,000 commands: "
                "RedisBroker(..., maintenance_chance=100_000)",
                self._broker.maintenance_chance,
            )

    def _run(self, message: str) -> None:
        try:
            self.work(message)
        except GivenUp:
            raise
        except BaseException:  # noqa: BLE001 - Dramatiq's interrupts are no Exceptions
            # Dramatiq's own retry acknowledges a message even when it cannot write the new one.
            put_until_held(self, message, 10.0)
