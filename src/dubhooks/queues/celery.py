"""Handlers in the workers of Celery (5.3 or newer), on RabbitMQ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from ..errors import ConfigurationError
from ._queue import Queue

if TYPE_CHECKING:
    from celery import Celery
    from typing_extensions import Unpack

    from ._queue import QueueOptions

__all__ = ["CeleryQueue"]

_LONGEST_WAIT: Final = 15.0
_EXAMPLE = (
    'app.conf.broker_transport_options = {"confirm_publish": True, "confirm_timeout": 5, '
    '"connect_timeout": 5, "read_timeout": 5, "write_timeout": 5, "max_retries": 1}'
)


class CeleryQueue(Queue):
    """Runs handlers as one task of a Celery application.

    Make it beside the application, so that every worker knows the task::

        app = Celery("shop", broker=os.environ["AMQP_URL"], include=["shop.hooks"])
        app.conf.broker_transport_options = {"confirm_publish": True, "confirm_timeout": 5, ...}
        later = CeleryQueue(app)
    """

    def __init__(
        self,
        app: Celery,
        *,
        name: str = "dubhooks",
        queue: str | None = None,
        **common: Unpack[QueueOptions],
    ) -> None:
        """Register the task.

        Args:
            app: the application; its broker is asked with the first event.
            name: of the task.
            queue: of the broker; by default that of the application's routes.
            common: ``retry_for`` and ``may_lose_events``; with the latter Redis will do.
        """
        super().__init__(**common)

        def work(message: str) -> None:
            self.work(message)

        self._app = app
        self._queue = queue
        register = app.task(
            name=name,
            shared=False,
            serializer="json",
            ignore_result=True,
            # The broker keeps the message until the work is over, whatever happens to the worker.
            acks_late=True,
            reject_on_worker_lost=True,
            acks_on_failure_or_timeout=False,
        )
        self._task: Any = register(work)

    @override
    def put(self, message: str, after: float = 0.0) -> None:
        """Publish a message; the broker confirms that it holds it."""
        self._task.apply_async(
            (message,),
            countdown=after or None,
            queue=self._queue,
            argsrepr="(<a delivery>,)",
            retry=False,
        )

    @override
    def check(self) -> None:
        """Refuse settings of the application that lose events.

        Raises:
            ConfigurationError: it runs tasks at once, its broker is in memory, publishing is not
                confirmed or not bounded, or the broker is not RabbitMQ.
        """
        if self._app.conf.task_always_eager:
            raise ConfigurationError("task_always_eager runs handlers at once: switch it off")
        options: dict[str, Any] = self._app.conf.broker_transport_options or {}
        broker: str = self._app.connection_for_write().transport.driver_type
        if broker == "amqp":
            is_bounded = all(
                _is_short(options.get(it)) for it in ("confirm_timeout", "read_timeout")
            )
            if not (options.get("confirm_publish") and is_bounded):
                raise ConfigurationError(
                    "RabbitMQ drops what it does not confirm, and publishing can hang: set "
                    + _EXAMPLE
                )
        elif broker == "memory" or not self.may_lose_events:
            raise ConfigurationError(
                f"Celery on {broker} loses events when a worker is killed: use RabbitMQ, or, where "
                "that is acceptable, CeleryQueue(app, may_lose_events=True)"
            )
        elif broker == "redis" and not _is_short(options.get("socket_timeout")):
            raise ConfigurationError(
                "publishing can hang when Redis does: set app.conf.broker_transport_options = "
                '{"socket_timeout": 5, "socket_connect_timeout": 5, "max_retries": 1}'
            )


def _is_short(seconds: Any) -> bool:
    return isinstance(seconds, (int, float)) and 0 < seconds <= _LONGEST_WAIT
