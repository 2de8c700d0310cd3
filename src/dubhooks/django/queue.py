"""Handlers in the workers of Django's tasks, with django-tasks-db (0.12 or newer)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from time import monotonic
from typing import Any, Final

from django.apps import apps
from django.db import Error, close_old_connections, connections, router
from django.db.models import Q
from django.utils import timezone
from typing_extensions import Unpack, override

from ..errors import ConfigurationError, GivenUp
from ..idempotency._renewal import MOST_LEASES
from ..queues import Queue, QueueOptions
from ..queues._bounded import call_bounded

try:
    from django_tasks_db import DatabaseBackend
except (ImportError, ValueError) as _error:  # ValueError: neither Django 6 nor django-tasks
    raise ImportError(
        "DjangoQueue needs django-tasks-db: install dubhooks[django-tasks], and before Django 6 "
        "django-tasks-db[compat] as well"
    ) from _error

__all__ = ["QUEUES", "DjangoQueue", "run"]

_logger = logging.getLogger("dubhooks")

# Django 6 has them; before, the package does.
_tasks: Any = import_module("django.tasks" if find_spec("django.tasks") else "django_tasks")

_GIVEN_UP: Final = f"{GivenUp.__module__}.{GivenUp.__qualname__}"
QUEUES: Final[dict[tuple[str, str], DjangoQueue]] = {}
"""Every queue of this process, by its backend and its name."""


def _declare(function: Callable[..., None]) -> Any:
    # On any backend and queue that there are; put says which it is.
    alias = next(iter(_tasks.task_backends))
    queues = _tasks.task_backends[alias].queues or ("default",)
    return _tasks.task(takes_context=True, backend=alias, queue_name=next(iter(queues)))(function)


@_declare
def run(context: Any, message: str) -> None:
    """Work off one message, in a worker; rows name this function by its path."""
    where = (context.task_result.backend, context.task_result.task.queue_name)
    if where not in QUEUES:
        # The task fails, and somebody who has the queue gives it back.
        raise ConfigurationError(
            f"this worker has no DjangoQueue for {where}, whose module was not imported"
        )
    QUEUES[where].requeue_now_and_then()
    QUEUES[where].work(message)


class DjangoQueue(Queue):
    """Runs handlers as one task of Django, whose rows are in a database of the project.

    Make it once, for example beside the handlers::

        later = DjangoQueue()

        @hooks.on(SaleCreated, queue=later)
        def record_sale(event: SaleCreated) -> None: ...
    """

    def __init__(
        self,
        *,
        backend: str = "default",
        queue_name: str = "default",
        **common: Unpack[QueueOptions],
    ) -> None:
        """Name the backend and its queue.

        Args:
            backend: a key of the setting ``TASKS``.
            queue_name: one of the backend's ``QUEUES``.
            common: ``retry_for`` and ``may_lose_events``.

        Raises:
            ConfigurationError: there is a queue for both.
        """
        super().__init__(**common)
        self.backend = backend
        self.queue_name = queue_name
        self._requeue_at = 0.0
        if QUEUES.setdefault((backend, queue_name), self) is not self:
            raise ConfigurationError(
                f"there is a DjangoQueue for {backend!r} and {queue_name!r}: make it once and "
                "import it, or give the second one another queue_name="
            )

    @override
    def put(self, message: str, after: float = 0.0) -> None:
        """Insert a row, on a connection of our own that commits it.

        Raises:
            ConfigurationError: the caller is in a transaction.
        """
        if connections[_find_rows().db].in_atomic_block:
            raise ConfigurationError(
                "DjangoQueue was called inside a transaction, which it cannot be part of: take "
                "the view, or hooks.handle(), out of atomic(); in a TestCase, use HeldQueue"
            )
        _call_connected(partial(self._insert, message, after))

    @override
    def check(self) -> None:
        """Refuse a backend that loses tasks, or that runs them at once.

        Raises:
            ConfigurationError: it is not the one of django-tasks-db, or its database is in memory.
            Exception: Django's; there is no such backend, queue, app or table.
        """
        backend: object = _tasks.task_backends[self.backend]
        if not isinstance(backend, DatabaseBackend):
            raise ConfigurationError(
                f"the backend TASKS[{self.backend!r}] runs handlers at once, or may lose them: set "
                'its BACKEND to "django_tasks_db.DatabaseBackend"'
            )
        run.using(backend=self.backend, queue_name=self.queue_name)  # raises if there is none
        connection: Any = connections[_find_rows().db]
        if connection.vendor == "sqlite" and connection.is_in_memory_db():
            raise ConfigurationError("tasks are in a database in memory: use HeldQueue in tests")
        _call_connected(self.requeue)

    def requeue(self) -> int:
        """Give back what workers had that were killed, or that could not run the task.

        Returns:
            How many rows were given back.
        """
        lease = max((each.settings.lease for each in self.pipelines.values()), default=60.0)
        # Whoever runs its handler for longer has lost the claim.
        before = timezone.now() - timedelta(seconds=MOST_LEASES * lease)
        is_killed = Q(status="RUNNING", started_at__lt=before)
        is_unable = Q(status="FAILED") & ~Q(exception_class_path=_GIVEN_UP)
        ours = _find_rows().filter(
            task_path=run.module_path, backend_name=self.backend, queue_name=self.queue_name
        )
        return int(ours.filter(is_killed | is_unable).update(status="READY"))

    def requeue_now_and_then(self) -> None:
        """Call :meth:`requeue`, at most once a minute; what that raises is logged."""
        if monotonic() < self._requeue_at:
            return
        self._requeue_at = monotonic() + 60.0
        try:
            self.requeue()
        except Error as error:
            _logger.warning("killed workers' tasks were not given back: %s", type(error).__name__)

    def _insert(self, message: str, after: float) -> None:
        run_after = timezone.now() + timedelta(seconds=after) if after else None
        run.using(backend=self.backend, queue_name=self.queue_name, run_after=run_after).enqueue(
            message
        )
        self.requeue_now_and_then()


def _find_rows() -> Any:
    model: Any = apps.get_model("django_tasks_database", "DBTaskResult")
    return model.objects.using(router.db_for_write(model))


def _call_connected(function: Callable[[], object]) -> None:
    """Call a function in a thread of ours: CONN_MAX_AGE says how long its connection lasts."""

    def call() -> None:
        close_old_connections()
        try:
            function()
        finally:
            close_old_connections()

    call_bounded(call)
