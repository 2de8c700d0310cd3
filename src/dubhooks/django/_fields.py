"""The column that keys are in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import CharField

if TYPE_CHECKING:
    from typing import TypeAlias

    from django.db.backends.base.base import BaseDatabaseWrapper

    Text: TypeAlias = CharField[str, str]
else:
    Text = CharField  # it takes type arguments only in its stubs

__all__ = ["ExactField"]


class ExactField(Text):
    """Text that is compared byte by byte.

    The default collations of MariaDB and MySQL take ``evt_a`` and ``evt_A`` for
    the same key, and the second event would count as a duplicate.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        """Return the type of the column."""
        if connection.vendor == "mysql":
            return f"varbinary({self.max_length})"
        if connection.vendor == "postgresql":
            # Spelled out, because Django adds a second index for LIKE to a "varchar".
            return f'character varying({self.max_length}) COLLATE "C"'
        return super().db_type(connection)

    def from_db_value(self, value: Any, *_: object) -> str | None:
        """Return text also where the column holds bytes."""
        return value.decode() if isinstance(value, bytes) else value
