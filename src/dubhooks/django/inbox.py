"""Exactly once for effects in the project's own database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import TypeVar

from asgiref.sync import sync_to_async

from ..errors import ConfigurationError, to_seconds
from ..events._base import Event
from ..idempotency._keys import Dedupe, build_inbox_key, check_namespace, list_inbox_keys
from ..stores._sql import Execute, InboxStatements
from ._database import Database, build_execute

__all__ = ["DjangoInbox"]

ResultT = TypeVar("ResultT")


class DjangoInbox:
    """Notes an event in the transaction of its effect: both happen, or neither.

    For example::

        with transaction.atomic():
            if inbox.first(event):
                Order.objects.create(...)

    Call ``first`` before reading in the transaction: SQLite refuses to turn a
    transaction that has read into a writing one while another one writes.

    ``manage.py migrate`` makes its table.  The async methods run in the thread
    that Django gives the request, where its transaction is.
    """

    def __init__(self, *, using: str | None = None, namespace: str = "default") -> None:
        """Note events in one database of ``DATABASES``.

        Args:
            using: the alias of the effect's database, by default the routers' choice for writing.
            namespace: keeps receivers that share a database apart.

        Raises:
            ConfigurationError: the namespace has other characters than a store can hold.
        """
        self._database = Database("SeenEvent", using)
        self._namespace = check_namespace(namespace)

    def first(self, event: Event, *, dedupe: Dedupe = "id") -> bool:
        """Note ``event`` in the open transaction; false when it was noted before.

        While another transaction that noted it is open, this waits for its end.

        Args:
            event: what came in.
            dedupe: ``"natural"`` notes its ``natural_key``, which the same thing has under another
                event id as well.

        Raises:
            ConfigurationError: there is no open transaction, or no table.
            django.db.Error: the database failed.
        """
        connection = self._database.connection()
        if not connection.in_atomic_block:
            raise ConfigurationError(
                "first() needs the transaction of the effect: call it inside "
                f"transaction.atomic(using={connection.alias!r})"
            )
        key = build_inbox_key(self._namespace, event, dedupe)
        return self._run(lambda statements, execute: statements.note(execute, key))

    async def afirst(self, event: Event, *, dedupe: Dedupe = "id") -> bool:
        """Do what :meth:`first` does; a transaction is open in the request's thread."""
        return await sync_to_async(self.first)(event, dedupe=dedupe)

    def forget(self, event: Event | str) -> bool:
        """Delete the note of an event, so that its effect happens again when it comes again.

        Args:
            event: an event, its id or its natural key.

        Returns:
            Whether there was a note of it.

        Raises:
            ConfigurationError: ``event`` is something else, or there is no table.
            django.db.Error: the database failed.
        """
        keys = list_inbox_keys(self._namespace, event)
        return self._run(lambda statements, execute: statements.forget(execute, keys))

    async def aforget(self, event: Event | str) -> bool:
        """Do what :meth:`forget` does, without blocking the event loop."""
        return await sync_to_async(self.forget)(event)

    def purge(self, older_than: float | timedelta) -> int:
        """Forget events noted longer ago than that; return how many.

        A delivery that is older than that must be refused (``max_age``), or it
        would run again.

        Args:
            older_than: seconds or a ``timedelta``.

        Raises:
            ConfigurationError: ``older_than`` is negative, or there is no table.
            django.db.Error: the database failed.
        """
        age = to_seconds("purge(older_than)", older_than, least=0)
        return self._run(lambda statements, execute: statements.purge(execute, age))

    async def apurge(self, older_than: float | timedelta) -> int:
        """Do what :meth:`purge` does, without blocking the event loop."""
        return await sync_to_async(self.purge)(older_than)

    def _run(self, work: Callable[[InboxStatements, Execute], ResultT]) -> ResultT:
        connection = self._database.connection()
        with self._database.explained(connection):
            return work(_write_statements(connection.vendor, "format"), build_execute(connection))


_write_statements = cache(InboxStatements)
