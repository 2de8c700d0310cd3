"""The store's SQL: each statement is one atomic change, none needs a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..idempotency import Claim

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from ._database import Database

__all__ = ["Statements"]

FREE, HELD, DONE = 0, 1, 2

_JITTER: Final = 1.0
"""Seconds by which a row may seem to be of the future where several servers write."""

_INSERT: Final = (
    "(claim_key, token, state, attempt, fingerprint, since, lease_until, keep_until) "
    "VALUES (%s, %s, %s, 1, %s, {now}, {now} + %s, {now} + %s)"
)
_FIND: Final = (
    "SELECT token, state, attempt, fingerprint, lease_until - {now}, keep_until - {now}, "
    "since - {now} FROM {table} WHERE claim_key = %s"
)
# All that decided is compared once more, because others may have come in between.  Their lease
# too: the owner may have renewed it.
_TAKE: Final = (
    "UPDATE {table} SET token = %s, state = %s, attempt = %s, fingerprint = %s, "
    "since = {now}, lease_until = {now} + %s, keep_until = {now} + %s "
    "WHERE claim_key = %s AND token = %s AND state = %s AND attempt = %s "
    "AND (token = %s OR state = %s OR lease_until <= {now} OR keep_until <= {now})"
)
# In this order, because MySQL assigns one column after the other.
_START_ANEW: Final = (
    "UPDATE {table} SET lease_until = {now} + lease_until - since, since = {now} "
    "WHERE claim_key = %s AND state = %s AND since > {now} + %s"
)
_COMPLETE: Final = (
    "UPDATE {table} SET state = %s, keep_until = {now} + %s "
    "WHERE claim_key = %s AND token = %s AND state IN (%s, %s) AND keep_until > {now}"
)
_RELEASE: Final = (
    "UPDATE {table} SET state = %s "
    "WHERE claim_key = %s AND token = %s AND state = %s AND keep_until > {now}"
)
# MySQL limits a DELETE but no subquery.  Elsewhere the row is looked at once more, because a
# claim may have renewed it since the subquery saw it.
_PURGE_MYSQL: Final = "DELETE FROM {table} WHERE keep_until <= {now} LIMIT %s"
_PURGE: Final = (
    "DELETE FROM {table} WHERE keep_until <= {now} AND claim_key IN "
    "(SELECT claim_key FROM {table} WHERE keep_until <= {now} LIMIT %s)"
)


class Statements:
    """Runs the statements on one connection."""

    def __init__(self, database: Database, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._database = database
        self._now = database.now(connection)

    def claim(
        self, key: str, token: str, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``: one statement for a new key, two or three for one that is there."""
        insert = self._database.insert_unless_there(self._connection, _INSERT)
        times = (float(lease), float(retention))
        while True:
            if self._changed(insert, key, token, HELD, fingerprint, *times):
                return Claim("acquired", 1, fingerprint, 0.0)
            row = self._row(_FIND, key)
            if row is None:
                continue  # deleted just now
            owner, state, attempt, first, lease_left, keep_left, ahead = row
            if keep_left > 0 and state == DONE:
                return Claim("done", attempt, first, 0.0)
            if keep_left > 0 and state == HELD and owner != token and lease_left > 0:
                if ahead > _JITTER:
                    # The clock was set back, and the lease would last for hours.
                    self._count(_START_ANEW, key, HELD, _JITTER)
                    continue
                return Claim("busy", attempt, first, lease_left)
            next_attempt, first = _next(row, token, fingerprint)
            seen = (key, owner, state, attempt, token, FREE)
            if self._changed(_TAKE, token, HELD, next_attempt, first, *times, *seen):
                return Claim("acquired", next_attempt, first, 0.0)

    def complete(self, key: str, token: str, retention: float, is_retry: bool) -> bool:
        """Mark ``key`` as done; the first try, whose answer was lost, may have done it."""
        states = (HELD, DONE if is_retry else HELD)
        return self._changed(_COMPLETE, DONE, float(retention), key, token, *states)

    def release(self, key: str, token: str) -> bool:
        """Free ``key``."""
        return self._changed(_RELEASE, FREE, key, token, HELD)

    def purge(self, most: int) -> int:
        """Delete at most so many rows whose retention is over; return how many."""
        is_mysql = self._connection.vendor == "mysql"
        return self._count(_PURGE_MYSQL if is_mysql else _PURGE, most)

    def _changed(self, template: str, *values: str | float) -> bool:
        return self._count(template, *values) == 1

    def _count(self, template: str, *values: str | float) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(self._filled(template), values)
            count: int = cursor.rowcount
        return count

    def _row(self, template: str, *values: str | float) -> tuple[Any, ...] | None:
        with self._connection.cursor() as cursor:
            cursor.execute(self._filled(template), values)
            row: tuple[Any, ...] | None = cursor.fetchone()
        if row is None or self._connection.vendor != "mysql":
            return row
        return tuple(value.decode() if isinstance(value, bytes) else value for value in row)

    def _filled(self, template: str) -> str:
        return template.format(table=self._database.table, now=self._now)


def _next(row: tuple[Any, ...], token: str, fingerprint: str) -> tuple[int, str]:
    """Return the attempt and fingerprint of whoever takes this row over."""
    owner, state, attempt, first, _, keep_left, _ = row
    if keep_left <= 0:
        return 1, fingerprint
    is_renewal = state == HELD and owner == token
    return attempt if is_renewal else attempt + 1, first
