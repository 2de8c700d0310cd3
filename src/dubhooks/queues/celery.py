"""Handlers in the workers of Celery (5.3 or newer), on RabbitMQ."""

from __future__ import annotations

from typing import Any, Final

from celery import Celery
from typing_extensions import Unpack, override

from ..errors import ConfigurationError
from ._queue import Queue, QueueOptions

__all__ = ["CeleryQueue"]

_NEEDED: Final = {
    "amqp": ("confirm_publish", "confirm_timeout", "read_timeout"),
    "redis": ("socket_timeout",),
}
"""Transport options without which a broker drops messages silently, or publishing can hang."""


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

        def work(message: str) -> None:  # of a method Celery would count ``self`` as an argument
            self.work(message)

        self._app = app
        self._queue = queue
        self._task: Any = app.task(
            name=name,
            shared=False,
            serializer="json",
            ignore_result=True,
            # The broker keeps the message until the work is over, whatever happens to the worker.
            acks_late=True,
            reject_on_worker_lost=True,
            acks_on_failure_or_timeout=False,
        )(work)

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
        broker: str = self._app.connection_for_write().transport.driver_type
        if self._app.conf.task_always_eager or broker == "memory":
            raise ConfigurationError("task_always_eager, or a broker in memory, keeps no event")
        if broker != "amqp" and not self.may_lose_events:
            raise ConfigurationError(
                f"Celery on {broker} loses events when a worker is killed: use RabbitMQ, or, where "
                "that is acceptable, CeleryQueue(app, may_lose_events=True)"
            )
        options: dict[str, Any] = self._app.conf.broker_transport_options or {}
        needed = _NEEDED.get(broker, ())
        if not all(isinstance(it, int | float) and 0 < it <= 15 for it in map(options.get, needed)):
            raise ConfigurationError(
                "publishing could lose a message silently, or hang: set "
                f"app.conf.broker_transport_options, with {', '.join(needed)}, to 15 s at most"
            )
