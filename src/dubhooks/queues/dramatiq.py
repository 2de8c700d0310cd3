"""Handlers in the workers of Dramatiq, on Redis with an append-only file."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import dramatiq
from typing_extensions import override

from ..errors import ConfigurationError, GivenUp, to_seconds
from ._queue import Queue
from ._redis import check_redis
from ._work import put_until_held

if TYPE_CHECKING:
    from datetime import timedelta

    from typing_extensions import Unpack

    from ._queue import QueueOptions

__all__ = ["DramatiqQueue"]

_NEEDED: Final = {"Retries": "retry_when", "TimeLimit": "time_limit"}
"""Dramatiq's middleware, and an option of actors that each brings."""
_RARE: Final = 10_000
_INTERRUPTED_DELAY: Final = 10.0

logger = logging.getLogger("dubhooks")


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
            broker: of Redis; its server is asked with the first event.
            name: of the actor, and of Dramatiq's queue.
            timeout: seconds, or a ``timedelta``, after which Dramatiq interrupts a handler.
            common: ``retry_for`` and ``may_lose_events``.

        Raises:
            ConfigurationError: one of them is something else, the broker has an actor of that
                name, or it lacks middleware without which messages are lost.
        """
        super().__init__(**common)
        if not isinstance(broker, dramatiq.Broker):
            raise ConfigurationError(
                "DramatiqQueue takes a broker such as RedisBroker(client=client), and not "
                f"{type(broker).__qualname__!r}"
            )
        for middleware, option in _NEEDED.items():
            if option not in broker.actor_options:
                raise ConfigurationError(
                    f"the broker has no {middleware}() among its middleware, and would lose what "
                    "a worker did not finish: add it, or leave middleware= out"
                )
        if name in broker.get_declared_actors():  # Dramatiq before 2 would replace it
            raise ConfigurationError(
                f"the broker has an actor named {name!r} already: DramatiqQueue(..., name=...)"
            )
        self._broker = broker
        actor: Any = dramatiq.actor
        options: dict[str, Any] = {
            "time_limit": to_seconds("timeout", timeout, least=1) * 1000,
            "throws": GivenUp,
            # For what is left to Dramatiq, which is nothing unless it interrupts a worker twice.
            "retry_when": _is_worth_a_retry,
        }
        if "max_age" in broker.actor_options:
            options["max_age"] = None  # messages that waited for long are not dropped
        try:
            self._actor = actor(
                self._run, broker=broker, actor_name=name, queue_name=name, **options
            )
        except ValueError as error:
            raise ConfigurationError(f"DramatiqQueue(..., name={name!r}): {error}") from None

    @override
    def put(self, message: str, after: float = 0.0) -> None:
        """Send a message to the actor, in one script of Redis."""
        self._actor.send_with_options(args=(message,), delay=int(after * 1000) or None)

    @override
    def check(self) -> None:
        """Refuse a broker with which events are lost; warn when a killed worker's come late.

        Raises:
            ConfigurationError: it is not of Redis; calls could hang; there is no append-only
                file, or Redis evicts what it keeps.
        """
        broker: Any = self._broker
        if "RedisBroker" not in {each.__name__ for each in type(broker).__mro__}:
            if self.may_lose_events:
                return
            raise ConfigurationError(
                f"DramatiqQueue is tested with a RedisBroker, and {type(broker).__qualname__} "
                "may lose events: use that one, or, where that is acceptable, "
                "may_lose_events=True"
            )
        check_redis(broker.client, may_lose_events=self.may_lose_events)
        if broker.maintenance_chance < _RARE:
            logger.warning(
                "Dramatiq gives the messages of a killed worker to another one only with %d of "
                "1,000,000 commands, which can take hours: RedisBroker(..., "
                "maintenance_chance=100_000)",
                broker.maintenance_chance,
            )

    def _run(self, message: str) -> None:
        try:
            self.work(message)
        except GivenUp:
            raise
        except BaseException as error:  # noqa: BLE001 - Dramatiq's interrupts are no Exceptions
            # Dramatiq's own retry acknowledges a message even when it cannot write the new one.
            logger.warning(
                "a handler was interrupted (%s), and its message is put back for %d s",
                type(error).__qualname__,
                _INTERRUPTED_DELAY,
            )
            put_until_held(self, message, _INTERRUPTED_DELAY)


def _is_worth_a_retry(_: int, error: BaseException) -> bool:
    return not isinstance(error, GivenUp)
