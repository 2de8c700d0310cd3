"""Handlers in the workers of Django's tasks, with django-tasks-db (0.12 or newer)."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.db import Error, close_old_connections, connections, router
from django.db.models import Q
from django.utils import timezone
from typing_extensions import override

from ..errors import ConfigurationError, GivenUp
from ..idempotency._renewal import MOST_LEASES
from ..queues import Queue
from ..queues._bounded import call_bounded

try:
    from django_tasks_db import DatabaseBackend
except (ImportError, ValueError) as error:  # ValueError: neither Django 6 nor django-tasks
    raise ImportError(
        "DjangoQueue needs django-tasks-db: install dubhooks[django-tasks], and before Django 6 "
        "django-tasks-db[compat] as well"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from ..queues import QueueOptions

__all__ = ["DjangoQueue", "list_queues", "run"]

logger = logging.getLogger("dubhooks")

# Django 6 has them; before, the package does.
_tasks: Any = import_module("django.tasks" if find_spec("django.tasks") else "django_tasks")

_REQUEUE_EVERY: Final = 60.0
_GIVEN_UP: Final = f"{GivenUp.__module__}.{GivenUp.__qualname__}"
_QUEUES: Final[dict[tuple[str, str], DjangoQueue]] = {}


def list_queues() -> list[DjangoQueue]:
    """Return every queue of this process."""
    return list(_QUEUES.values())


def _declare(function: Callable[..., None]) -> Any:
    # On any backend and queue that there are; put says which it is.
    alias = next(iter(_tasks.task_backends))
    queues = _tasks.task_backends[alias].queues or ("default",)
    return _tasks.task(takes_context=True, backend=alias, queue_name=next(iter(queues)))(function)


@_declare
def run(context: Any, message: str) -> None:
    """Work off one message, in a worker; rows name this function by its path."""
    result = context.task_result
    queue = _QUEUES.get((result.backend, result.task.queue_name))
    if queue is None:
        # The task fails, and somebody who has the queue gives it back.
        raise ConfigurationError(
            f"this worker has no DjangoQueue for {result.backend!r} and "
            f"{result.task.queue_name!r}: make it in a module that every process imports, such as "
            "dubhooks_handlers"
        )
    queue.requeue_now_and_then()
    queue.work(message)


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
        if _QUEUES.setdefault((backend, queue_name), self) is not self:
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
        if connections[self._alias()].in_atomic_block:
            raise ConfigurationError(
                "DjangoQueue was called inside a transaction, which it cannot be part of: take "
                "the view, or hooks.handle(), out of atomic(); in a TestCase, use HeldQueue"
            )
        call_bounded(partial(_call_connected, partial(self._insert, message, after)))

    @override
    def check(self) -> None:
        """Refuse a backend that loses tasks, or that runs them at once.

        Raises:
            ConfigurationError: it is not the one of django-tasks-db, its app or its table is
                missing, it has no such queue, or its database is in memory.
        """
        where = f"TASKS[{self.backend!r}]"
        if self.backend not in list(_tasks.task_backends):
            raise ConfigurationError(
                f'there is no {where}: set it to {{"BACKEND": "django_tasks_db.DatabaseBackend"}}'
            )
        backend: object = _tasks.task_backends[self.backend]
        if not isinstance(backend, DatabaseBackend):
            raise ConfigurationError(
                f"{where} has the backend {type(backend).__name__}, which runs handlers at once, "
                'or may lose them: set its BACKEND to "django_tasks_db.DatabaseBackend"'
            )
        names = _tasks.task_backends[self.backend].queues
        if names and self.queue_name not in names:
            raise ConfigurationError(f"add {self.queue_name!r} to the QUEUES of {where}")
        connection: Any = connections[self._alias()]
        if connection.vendor == "sqlite" and connection.is_in_memory_db():
            raise ConfigurationError(
                f"the tasks of {where} are in an SQLite database in memory, which other processes "
                "cannot see: use a file, or in tests HeldQueue"
            )
        call_bounded(partial(_call_connected, self._check_table))

    def requeue(self) -> int:
        """Give back what workers had that were killed, or that could not run the task.

        Returns:
            How many rows were given back.
        """
        leases = [pipeline.settings.lease for pipeline in self.pipelines.values()]
        if not leases:
            return 0
        # Whoever runs its handler for longer has lost the claim.
        before = timezone.now() - timedelta(seconds=MOST_LEASES * max(leases))
        is_killed = Q(status="RUNNING", started_at__lt=before)
        is_unable = Q(status="FAILED") & ~Q(exception_class_path=_GIVEN_UP)
        rows = _find_model().objects.using(self._alias())
        ours = rows.filter(
            task_path=run.module_path, backend_name=self.backend, queue_name=self.queue_name
        )
        return int(ours.filter(is_killed | is_unable).update(status="READY"))

    def requeue_now_and_then(self) -> None:
        """Call :meth:`requeue`, at most once a minute; what that raises is logged."""
        now = monotonic()
        if now < self._requeue_at:
            return
        self._requeue_at = now + _REQUEUE_EVERY
        try:
            count = self.requeue()
        except Error as error:
            what = type(error).__qualname__
            logger.warning("tasks of killed workers could not be given back: %s", what)
        else:
            if count:
                logger.warning("%d tasks of killed workers are given back", count)

    def _insert(self, message: str, after: float) -> None:
        run_after = timezone.now() + timedelta(seconds=after) if after else None
        run.using(backend=self.backend, queue_name=self.queue_name, run_after=run_after).enqueue(
            message
        )
        self.requeue_now_and_then()

    def _check_table(self) -> None:
        connection = connections[self._alias()]
        with connection.cursor() as cursor:
            tables = connection.introspection.table_names(cursor)
        if _find_model()._meta.db_table not in tables:
            raise ConfigurationError(
                f"there is no table of tasks: run manage.py migrate --database {connection.alias}"
            )

    def _alias(self) -> str:
        return router.db_for_write(_find_model())


def _find_model() -> Any:
    try:
        return apps.get_model("django_tasks_database", "DBTaskResult")
    except LookupError:
        raise ConfigurationError('add "django_tasks_db" to INSTALLED_APPS') from None


def _call_connected(function: Callable[[], None]) -> None:
    """Call a function in a thread of ours: CONN_MAX_AGE says how long its connection lasts."""
    close_old_connections()
    try:
        function()
    finally:
        close_old_connections()
