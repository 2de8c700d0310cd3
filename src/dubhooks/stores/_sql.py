"""The claim and the inbox as SQL: once, for every database and for whoever runs the statements.

A claim is a row of one table:

==============  ==========================================================================
``claim_key``   text, the primary key, compared byte by byte
``token``       text: the last owner's; empty when the claim is free
``attempt``     integer
``fingerprint`` text: of the body that holds or completed the claim
``done``        boolean
``since``       when the lease began
``lease_until`` when the lease ends; 0 when the claim is free
``keep_until``  when the row counts as absent; indexed, so that a purge finds its rows
==============  ==========================================================================

Times are whole milliseconds since 1970 by the server's clock: no time zone can shift them, and
machines that disagree about the time agree about a lease.

Every method is one statement, or two where a database cannot return the row that it changed.
Each statement commits by itself; all of them may be sent again when a reply was lost.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import ConfigurationError
from ..idempotency import Claim
from ._time import to_milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    Execute: TypeAlias = Callable[[str, Any], tuple[Sequence[Any], int]]
    """Runs a statement with its parameters; returns its rows, and how many rows it changed."""

__all__ = ["CLAIMS_TABLE", "INBOX_TABLE", "VENDORS", "ClaimStatements", "InboxStatements"]

CLAIMS_TABLE: Final = "dubhooks_claims"
INBOX_TABLE: Final = "dubhooks_inbox"

_PURGE_BATCH: Final = 1_000
"""So few rows that no claim waits long for a purge."""
_JITTER: Final = 1_000
"""Milliseconds by which a row may seem to be of the future because its writer waited less."""


class _Vendor(NamedTuple):
    """What differs between the databases."""

    now: str
    """The server's clock.  It must go on inside a transaction."""
    on_conflict: str
    old: str
    """Begins a column of the row that is there."""
    new: str
    """A column of the row that could not be inserted."""
    returning: str
    insert: str
    or_nothing: str
    purge: str


_MERGED: Final = (
    "the column {column} of {table} compares text without case, so it takes two events for one: "
    "give it a binary collation such as utf8mb4_bin"
)
_PURGE: Final = (
    # The row is looked at once more: a claim may have renewed it since the subquery saw it.
    "DELETE FROM {table} WHERE keep_until <= {now} AND claim_key IN "
    "(SELECT claim_key FROM {table} WHERE keep_until <= {now} LIMIT {batch})"
)
_FOUND: Final = "claim_key, token, attempt, fingerprint, done, lease_until - {now}"
_POSTGRESQL: Final = _Vendor(
    # now() stands still: it is when the transaction began.
    now="CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    on_conflict="AS held {values} ON CONFLICT (claim_key) DO UPDATE SET",
    old="held.",
    new="excluded.{column}",
    returning="RETURNING held.claim_key, held.token, held.attempt, held.fingerprint, held.done, "
    "held.lease_until - {now}",
    insert="INSERT INTO",
    # Some drivers do not tell how many rows an INSERT made.
    or_nothing="ON CONFLICT (event_key) DO NOTHING RETURNING event_key",
    purge=_PURGE,
)
_SQLITE: Final = _POSTGRESQL._replace(
    now="CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    returning="",  # it can from 3.35 on
    or_nothing="ON CONFLICT (event_key) DO NOTHING",
)
_MYSQL: Final = _Vendor(
    # UNIX_TIMESTAMP would go through the session's time zone, where an hour comes twice a year.
    now="(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000)",
    on_conflict="{values} ON DUPLICATE KEY UPDATE",
    old="",
    new="VALUES({column})",
    returning="",
    insert="INSERT IGNORE INTO",
    or_nothing="",
    # It limits a DELETE, but no subquery.
    purge="DELETE FROM {table} WHERE keep_until <= {now} LIMIT {batch}",
)
VENDORS: Final = {
    "postgresql": _POSTGRESQL,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "sqlite": _SQLITE,
}
"""The databases that are supported, by the names that SQLAlchemy and Django have for them."""

_VALUES: Final = (
    "(claim_key, token, attempt, fingerprint, done, since, lease_until, keep_until) VALUES "
    "(:key, :token, 1, :fingerprint, FALSE, {now}, {now} + :lease, {now} + :retention)"
)
# One reading of the clock decides (new_since), or two of them could decide differently.
_IS_EXPIRED: Final = "{old}keep_until <= {new_since}"
_IS_OPEN: Final = "({old}token = {new_token} OR {old}lease_until <= {new_since})"
_TAKES: Final = f"({_IS_EXPIRED} OR (NOT {{old}}done AND {_IS_OPEN}))"
# The clock was set back: the lease starts anew, or it would last for hours.
_IS_AHEAD: Final = f"{{old}}since > {{new_since}} + {_JITTER}"
# Standard SQL computes all of it from the old row.  MySQL and MariaDB assign one column after the
# other, and later ones see the earlier ones.  In this order it comes to the same: once the token
# and "done" are assigned, _TAKES still says whether the claim takes the row.
_CHANGES: Final = f"""
fingerprint = CASE WHEN {_TAKES} THEN {{new_fingerprint}} ELSE {{old}}fingerprint END,
attempt = CASE WHEN {_IS_EXPIRED} THEN 1
    WHEN {{old}}done OR NOT {_IS_OPEN} OR {{old}}token = {{new_token}} THEN {{old}}attempt
    ELSE {{old}}attempt + 1 END,
token = CASE WHEN {_TAKES} THEN {{new_token}} ELSE {{old}}token END,
done = CASE WHEN {_TAKES} THEN FALSE ELSE {{old}}done END,
lease_until = CASE WHEN {_TAKES} THEN {{now}} + :lease
    WHEN {_IS_AHEAD} THEN {{now}} + {{old}}lease_until - {{old}}since
    ELSE {{old}}lease_until END,
since = CASE WHEN {_TAKES} OR {_IS_AHEAD} THEN {{now}} ELSE {{old}}since END,
keep_until = CASE WHEN {_TAKES} THEN {{now}} + :retention ELSE {{old}}keep_until END
"""
_OWNED: Final = "claim_key = :key AND token = :token AND keep_until > {now}"
_COMPLETE: Final = (
    "UPDATE {table} SET done = TRUE, keep_until = {now} + :retention "
    f"WHERE {_OWNED} AND (NOT done AND lease_until > 0 OR done AND :again)"
)
_RELEASE: Final = (
    "UPDATE {table} SET token = '', lease_until = 0 "
    f"WHERE {_OWNED} AND NOT done AND lease_until > 0"
)
_FORGET: Final = (
    "DELETE FROM {table} WHERE claim_key = :key AND keep_until > {now} "
    "AND (done OR lease_until <= {now})"
)


class _Statement:
    """A statement with parameters ``:name``, in the style of a driver."""

    def __init__(self, text: str, paramstyle: str) -> None:
        names: list[str] = re.findall(r":(\w+)", text)
        self._order: list[str] | None = names
        if paramstyle in ("numeric", "numeric_dollar"):
            self._order = list(dict.fromkeys(names))
            sign = "$" if paramstyle == "numeric_dollar" else ":"
            places = {name: f"{sign}{at}" for at, name in enumerate(self._order, start=1)}
        elif paramstyle in ("named", "pyformat"):
            self._order = None
            place = ":{}" if paramstyle == "named" else "%({})s"
            places = {name: place.format(name) for name in names}
        else:
            places = dict.fromkeys(names, "?" if paramstyle == "qmark" else "%s")
        self._text = re.sub(r":(\w+)", lambda found: places[found[1]], text)

    def run(self, execute: Execute, **parameters: Any) -> tuple[Sequence[Any], int]:
        """Run it; return its rows, and how many it changed."""
        if self._order is None:
            return execute(self._text, parameters)
        return execute(self._text, tuple([parameters[name] for name in self._order]))


class ClaimStatements:
    """What a store does with its table."""

    def __init__(self, vendor: str, paramstyle: str, table: str = CLAIMS_TABLE) -> None:
        """Write the statements for a database and a driver.

        Args:
            vendor: one of :data:`VENDORS`.
            paramstyle: the driver's, as PEP 249 names it, or ``numeric_dollar``.
            table: the table's name, quoted where that is needed.
        """
        self._table = table
        engine = VENDORS[vendor]
        texts = {
            "table": table,
            "now": engine.now,
            "old": engine.old,
            "batch": _PURGE_BATCH,
            "new_since": engine.new.format(column="since"),
            "new_token": engine.new.format(column="token"),
            "new_fingerprint": engine.new.format(column="fingerprint"),
        }

        def write(text: str) -> _Statement:
            return _Statement(text.format(**texts), paramstyle)

        on_conflict = engine.on_conflict.format(values=_VALUES)
        self._claim = write(f"INSERT INTO {{table}} {on_conflict} {_CHANGES} {engine.returning}")
        find = write(f"SELECT {_FOUND} FROM {{table}} WHERE claim_key = :key")
        self._find = None if engine.returning else find
        self._complete = write(_COMPLETE)
        self._release = write(_RELEASE)
        self._forget = write(_FORGET)
        self._purge = write(engine.purge)

    def claim(
        self,
        execute: Execute,
        key: str,
        token: str,
        *,
        fingerprint: str,
        lease: float,
        retention: float,
    ) -> Claim:
        """Claim ``key``; see :meth:`dubhooks.idempotency.Store.claim`.

        Raises:
            ConfigurationError: the table takes two keys for one, or has two rows for a key.
        """
        rows, _ = self._claim.run(
            execute,
            key=key,
            token=token,
            fingerprint=fingerprint,
            lease=to_milliseconds(lease),
            retention=to_milliseconds(retention),
        )
        if self._find is not None:
            # The row may have changed since.  What it says now is what counts.
            rows, _ = self._find.run(execute, key=key)
        if not rows:
            return Claim("busy", 1, fingerprint, 0.001)  # purged, or forgotten, since then
        if len(rows) > 1:
            raise ConfigurationError(
                f"{self._table} has two rows for one key, so an event would run again and again: "
                "make claim_key its primary key"
            )
        found, owner, attempt, holder, is_done, remaining = rows[0]
        if found != key:
            raise ConfigurationError(_MERGED.format(column="claim_key", table=self._table))
        if is_done:
            return Claim("done", attempt, holder, 0.0)
        if owner == token:
            return Claim("acquired", attempt, holder, 0.0)
        # The clock goes on between the decision and this reading of it.
        return Claim("busy", attempt, holder, max(1, remaining) / 1000)

    def complete(
        self, execute: Execute, key: str, token: str, *, retention: float, is_retry: bool
    ) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`.

        Args:
            execute: runs statements.
            key: whose claim it is.
            token: the owner's.
            retention: in seconds.
            is_retry: whether an earlier try, whose reply was lost, may have done it.
        """
        _, count = self._complete.run(
            execute, key=key, token=token, retention=to_milliseconds(retention), again=is_retry
        )
        return count == 1

    def release(self, execute: Execute, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        return self._release.run(execute, key=key, token=token)[1] == 1

    def forget(self, execute: Execute, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        return self._forget.run(execute, key=key)[1] == 1

    def purge(self, execute: Execute) -> tuple[int, bool]:
        """Delete some rows whose retention is over.

        Returns:
            How many, and whether there may be more.
        """
        _, count = self._purge.run(execute)
        return count, count >= _PURGE_BATCH


class InboxStatements:
    """What an inbox does with its table: ``event_key``, the primary key, and ``seen_at``."""

    def __init__(self, vendor: str, paramstyle: str, table: str = INBOX_TABLE) -> None:
        """Write the statements; see :class:`ClaimStatements`."""
        engine = VENDORS[vendor]
        self._table = table
        self._returns_key = "RETURNING" in engine.or_nothing
        self._note = _Statement(
            f"{engine.insert} {table} (event_key, seen_at) VALUES (:key, {engine.now}) "
            f"{engine.or_nothing}",
            paramstyle,
        )
        self._find = _Statement(f"SELECT event_key FROM {table} WHERE event_key = :key", paramstyle)
        self._forget = _Statement(f"DELETE FROM {table} WHERE event_key = :key", paramstyle)
        self._purge = _Statement(
            f"DELETE FROM {table} WHERE seen_at < {engine.now} - :age", paramstyle
        )

    def note(self, execute: Execute, key: str) -> bool:
        """Note an event in the open transaction; false when it was noted before.

        Raises:
            ConfigurationError: the table takes two keys for one.
        """
        rows, count = self._note.run(execute, key=key)
        if len(rows) == 1 if self._returns_key else count == 1:
            return True
        rows, _ = self._find.run(execute, key=key)
        if rows and all(found != key for (found,) in rows):
            raise ConfigurationError(_MERGED.format(column="event_key", table=self._table))
        return False

    def forget(self, execute: Execute, key: str) -> bool:
        """Delete the note of an event; false when there was none."""
        return self._forget.run(execute, key=key)[1] == 1

    def purge(self, execute: Execute, age: float) -> int:
        """Delete notes older than ``age`` seconds; return how many."""
        return self._purge.run(execute, age=to_milliseconds(age))[1]
