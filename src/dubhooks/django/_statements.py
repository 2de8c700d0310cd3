"""The store's SQL: each statement is one atomic change, none needs a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..idempotency import Claim

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from ._database import Database

__all__ = ["Statements", "Texts", "texts_for"]

FREE, HELD, DONE = 0, 1, 2

_JITTER: Final = 1.0
"""Seconds by which a row may seem to be of the future where several servers write."""


class Texts(NamedTuple):
    """The statements as text for one engine."""

    insert: str
    find: str
    take: str
    start_anew: str
    complete: str
    release: str
    forget: str
    purge: str


_TEXTS: Final = Texts(
    insert="(claim_key, token, state, attempt, fingerprint, since, lease_until, keep_until) "
    "VALUES (%s, %s, %s, 1, %s, {now}, {now} + %s, {now} + %s)",
    find="SELECT token, state, attempt, fingerprint, lease_until - {now}, keep_until - {now}, "
    "since - {now} FROM {table} WHERE claim_key = %s",
    # All that decided is compared once more, because others may have come in between.  Their
    # lease too: the owner may have renewed it.
    take="UPDATE {table} SET token = %s, state = %s, attempt = %s, fingerprint = %s, "
    "since = {now}, lease_until = {now} + %s, keep_until = {now} + %s "
    "WHERE claim_key = %s AND token = %s AND state = %s AND attempt = %s "
    "AND (token = %s OR state = %s OR lease_until <= {now} OR keep_until <= {now})",
    # In this order, because MySQL assigns one column after the other.
    start_anew="UPDATE {table} SET lease_until = {now} + lease_until - since, since = {now} "
    "WHERE claim_key = %s AND state = %s AND since > {now} + %s",
    complete="UPDATE {table} SET state = %s, keep_until = {now} + %s "
    "WHERE claim_key = %s AND token = %s AND state IN (%s, %s) AND keep_until > {now}",
    release="UPDATE {table} SET state = %s "
    "WHERE claim_key = %s AND token = %s AND state = %s AND keep_until > {now}",
    forget="DELETE FROM {table} WHERE claim_key = %s AND keep_until > {now} "
    "AND (state <> %s OR lease_until <= {now})",
    # The row is looked at once more, because a claim may have renewed it since the subquery saw it.
    purge="DELETE FROM {table} WHERE keep_until <= {now} AND claim_key IN "
    "(SELECT claim_key FROM {table} WHERE keep_until <= {now} LIMIT %s)",
)
# MySQL limits a DELETE but no subquery.
_PURGE_MYSQL: Final = "DELETE FROM {table} WHERE keep_until <= {now} LIMIT %s"


def texts_for(database: Database, connection: BaseDatabaseWrapper) -> Texts:
    """Return the statements for the engine of ``connection``."""
    templates = _TEXTS._replace(insert=database.insert_unless_there(connection, _TEXTS.insert))
    if connection.vendor == "mysql":
        templates = templates._replace(purge=_PURGE_MYSQL)
    now = database.now(connection)
    return Texts(*(each.format(table=database.table, now=now) for each in templates))


class Statements:
    """Runs the statements on one connection."""

    def __init__(self, texts: Texts, connection: BaseDatabaseWrapper) -> None:
        self._texts = texts
        self._connection = connection

    def claim(
        self, key: str, token: str, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``: one statement for a new key, two or three for one that is there."""
        texts = self._texts
        times = (float(lease), float(retention))
        while True:
            if self._count(texts.insert, key, token, HELD, fingerprint, *times):
                return Claim("acquired", 1, fingerprint, 0.0)
            row = self._row(texts.find, key)
            if row is None:
                continue  # deleted just now
            owner, state, attempt, theirs, lease_left, keep_left, ahead = row
            if keep_left > 0 and state == DONE:
                return Claim("done", attempt, theirs, 0.0)
            if keep_left > 0 and state == HELD and owner != token and lease_left > 0:
                if ahead > _JITTER:
                    # The clock was set back, and the lease would last for hours.
                    self._count(texts.start_anew, key, HELD, _JITTER)
                    continue
                return Claim("busy", attempt, theirs, lease_left)
            next_attempt = _next_attempt(row, token)
            seen = (key, owner, state, attempt, token, FREE)
            if self._count(texts.take, token, HELD, next_attempt, fingerprint, *times, *seen):
                return Claim("acquired", next_attempt, fingerprint, 0.0)

    def complete(self, key: str, token: str, retention: float, is_retry: bool) -> bool:
        """Mark ``key`` as done; the first try, whose answer was lost, may have done it."""
        states = (HELD, DONE if is_retry else HELD)
        return self._count(self._texts.complete, DONE, float(retention), key, token, *states) == 1

    def release(self, key: str, token: str) -> bool:
        """Free ``key``."""
        return self._count(self._texts.release, FREE, key, token, HELD) == 1

    def forget(self, key: str) -> bool:
        """Delete the row of ``key``, but not while a lease runs."""
        return self._count(self._texts.forget, key, HELD) == 1

    def purge(self, most: int) -> int:
        """Delete at most so many rows whose retention is over; return how many."""
        return self._count(self._texts.purge, most)

    def _count(self, statement: str, *values: str | float) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            count: int = cursor.rowcount
        return count

    def _row(self, statement: str, *values: str | float) -> tuple[Any, ...] | None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            row: tuple[Any, ...] | None = cursor.fetchone()
        if row is None or self._connection.vendor != "mysql":
            return row
        return tuple(value.decode() if isinstance(value, bytes) else value for value in row)


def _next_attempt(row: tuple[Any, ...], token: str) -> int:
    """Return the attempt of whoever takes this row over."""
    owner, state, attempt, _, _, keep_left, _ = row
    if keep_left <= 0:
        return 1
    is_renewal = state == HELD and owner == token
    return int(attempt if is_renewal else attempt + 1)
