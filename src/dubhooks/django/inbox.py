"""Exactly once for effects in the project's own database."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..idempotency._keys import build_inbox_key, check_namespace
from ._database import Database

if TYPE_CHECKING:
    from ..events._base import Event
    from ..idempotency._keys import Dedupe

__all__ = ["DjangoInbox"]


class DjangoInbox:
    """Notes an event in the transaction of its effect: both happen, or neither.

    For example::

        with transaction.atomic():
            if inbox.first(event):
                Order.objects.create(...)

    Call ``first`` before reading in the transaction: SQLite refuses to turn a
    transaction that has read into a writing one while another one writes.
    """

    def __init__(self, *, using: str | None = None, namespace: str = "default") -> None:
        """``using``: the database of the effect, by default the routers' choice.

        ``namespace``: keeps receivers that share a database apart.
        """
        self._database = Database("SeenEvent", using)
        self._namespace = check_namespace(namespace)

    def first(self, event: Event, *, dedupe: Dedupe = "id") -> bool:
        """Note ``event`` in the open transaction; false when it was noted before.

        ``dedupe="natural"`` notes its ``natural_key``, which the same thing has
        under another event id as well.
        While another transaction that noted it is open, this waits for its end.

        Raises:
            ConfigurationError: there is no open transaction, or no table.
            django.db.Error: the database failed.
        """
        database = self._database
        connection = database.connection()
        if not connection.in_atomic_block:
            raise ConfigurationError(
                "first() needs the transaction of the effect: call it inside "
                f"transaction.atomic(using={connection.alias!r})"
            )
        statement = database.insert_unless_there(
            connection, f"(event_key, seen_at) VALUES (%s, {database.now(connection)})"
        )
        key = build_inbox_key(self._namespace, event, dedupe)
        with database.explained(connection), connection.cursor() as cursor:
            cursor.execute(statement, (key,))
            count: int = cursor.rowcount
        return count == 1

    def purge(self, older_than: timedelta) -> int:
        """Forget events noted longer ago than ``older_than``; return how many.

        A delivery that is older than that must be refused (``max_age``), or it
        would run again.
        """
        database = self._database
        connection = database.connection()
        now = database.now(connection)
        with database.explained(connection), connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM {database.table} WHERE seen_at < {now} - %s",
                (older_than.total_seconds(),),
            )
            count: int = cursor.rowcount
        return count
