"""The columns with text in them."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField

_COLLATIONS = {
    # Its defaults take evt_a and evt_A for the same key: the second event would be a duplicate.
    "mysql": "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    # Spelled out, because Django adds a second index for LIKE to a "varchar".
    "postgresql": 'COLLATE "C"',
}


class ExactField(CharField):  # type: ignore[type-arg]
    """Text that is compared byte by byte."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        """Return the type of the column."""
        collation = _COLLATIONS.get(connection.vendor)
        if collation is None:
            return super().db_type(connection)
        return f"character varying({self.max_length}) {collation}"
