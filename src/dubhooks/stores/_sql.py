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
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from ..errors import ConfigurationError
from ..idempotency import Claim
from ._time import to_milliseconds

ResultT = TypeVar("ResultT")
Execute: TypeAlias = Callable[[str, Any], tuple[Sequence[Any], int]]
"""Runs a statement with its parameters; returns its rows, and how many rows it changed."""
Work: TypeAlias = Callable[[Execute, bool], ResultT]
"""Runs the statements of one method, and is told whether an earlier try may have done so."""

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
_FOUND: Final = "claim_key, token, attempt, fingerprint, done, lease_until - {instant}"
_POSTGRESQL: Final = _Vendor(
    # now() stands still: it is when the transaction began.
    now="CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    on_conflict="AS held {values} ON CONFLICT (claim_key) DO UPDATE SET",
    old="held.",
    new="excluded.{column}",
    returning="RETURNING held.claim_key, held.token, held.attempt, held.fingerprint, held.done, "
    "held.lease_until - {instant}",
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
_VENDORS: Final = {"postgresql": _POSTGRESQL, "mysql": _MYSQL, "mariadb": _MYSQL, "sqlite": _SQLITE}

_VALUES: Final = (
    "(claim_key, token, attempt, fingerprint, done, since, lease_until, keep_until) VALUES "
    "(:key, :token, 1, :fingerprint, FALSE, {instant}, {instant} + :lease, {now} + :retention)"
)
# The readings of the clocks in the new row decide, or later ones could decide differently.
_IS_EXPIRED: Final = "{old}keep_until <= {new_keep_until} - :retention"
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
lease_until = CASE WHEN {_TAKES} THEN {{instant}} + :lease
    WHEN {_IS_AHEAD} THEN {{instant}} + {{old}}lease_until - {{old}}since
    ELSE {{old}}lease_until END,
since = CASE WHEN {_TAKES} OR {_IS_AHEAD} THEN {{instant}} ELSE {{old}}since END,
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
    "AND (done OR lease_until <= {instant})"
)


class _Statement:
    """A statement with parameters ``:name``, in the style of a driver."""

    def __init__(self, text: str, paramstyle: str) -> None:
        self._names: list[str] = re.findall(r":(\w+)", text)
        places = dict.fromkeys(self._names, "?" if paramstyle == "qmark" else "%s")
        if paramstyle == "numeric_dollar":
            self._names = list(places)
            places = {name: f"${at}" for at, name in enumerate(places, start=1)}
        self._text = re.sub(r":(\w+)", lambda found: places[found[1]], text)

    def run(self, execute: Execute, **parameters: Any) -> tuple[Sequence[Any], int]:
        """Run it; return its rows, and how many it changed."""
        return execute(self._text, tuple([parameters[name] for name in self._names]))


def find_vendor(name: str) -> _Vendor:
    """Return what is particular to a database.

    Raises:
        ConfigurationError: the statements are not written for it.
    """
    vendor = _VENDORS.get(name)
    if vendor is None:
        raise ConfigurationError(f"{name} is not supported: use PostgreSQL, MariaDB, MySQL, SQLite")
    return vendor


class ClaimStatements:
    """What a store does with its table, as work for whoever runs the statements."""

    def __init__(
        self, vendor: str, paramstyle: str, table: str = CLAIMS_TABLE, instant: str = ""
    ) -> None:
        """Write the statements for a database and a driver.

        Args:
            vendor: the database, by the name that SQLAlchemy and Django have for it.
            paramstyle: ``qmark``, ``format`` or ``numeric_dollar``; drivers with ``pyformat``
                take ``format`` as well.
            table: the table's name, quoted where that is needed.
            instant: a clock for leases, in SQL, when there is a better one than the database's.
        """
        self._table = table
        engine = find_vendor(vendor)
        texts: dict[str, Any] = {
            "table": table,
            "now": engine.now,
            "instant": instant or engine.now,
            "old": engine.old,
            "batch": _PURGE_BATCH,
        }
        for column in ("since", "token", "fingerprint", "keep_until"):
            texts[f"new_{column}"] = engine.new.format(column=column)

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
        self, key: str, token: str, fingerprint: str, lease: float, retention: float
    ) -> Work[Claim]:
        """Claim ``key``; see :meth:`dubhooks.idempotency.Store.claim`.

        The work raises a :class:`~dubhooks.ConfigurationError` when the table takes two keys
        for one, or has two rows for a key.
        """
        durations = {"lease": to_milliseconds(lease), "retention": to_milliseconds(retention)}

        def work(execute: Execute, _: bool) -> Claim:
            rows, _count = self._claim.run(
                execute, key=key, token=token, fingerprint=fingerprint, **durations
            )
            if self._find is not None:
                # The row may have changed since.  What it says now is what counts.
                rows, _count = self._find.run(execute, key=key)
            if not rows:
                return Claim("busy", 1, fingerprint, 0.001)  # purged, or forgotten, since then
            return self._read(rows, key, token)

        return work

    def complete(self, key: str, token: str, *, retention: float) -> Work[bool]:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        parameters = {"key": key, "token": token, "retention": to_milliseconds(retention)}
        return lambda execute, is_retry: (
            self._complete.run(execute, again=is_retry, **parameters)[1] == 1
        )

    def release(self, key: str, token: str) -> Work[bool]:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        return lambda execute, _: self._release.run(execute, key=key, token=token)[1] == 1

    def forget(self, key: str) -> Work[bool]:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        return lambda execute, _: self._forget.run(execute, key=key)[1] == 1

    def purge(self) -> Work[int]:
        """Delete some rows whose retention is over; return how many, 0 when there are no more."""
        return lambda execute, _: self._purge.run(execute)[1]

    def _read(self, rows: Sequence[Any], key: str, token: str) -> Claim:
        if len(rows) > 1:  # MySQL refuses no second row of a key then
            raise ConfigurationError(
                f"{self._table} has two rows for one key, so an event would run again and again: "
                "make claim_key alone its primary key"
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


class InboxStatements:
    """What an inbox does with its table: ``event_key``, the primary key, and ``seen_at``."""

    def __init__(self, vendor: str, paramstyle: str, table: str = INBOX_TABLE) -> None:
        """Write the statements; see :class:`ClaimStatements`."""
        engine = find_vendor(vendor)
        self._table = table
        self._returns_key = "RETURNING" in engine.or_nothing

        def write(text: str) -> _Statement:
            return _Statement(text.format(table=table, now=engine.now), paramstyle)

        self._note = write(
            f"{engine.insert} {{table}} (event_key, seen_at) VALUES (:key, {{now}}) "
            f"{engine.or_nothing}"
        )
        self._find = write("SELECT event_key FROM {table} WHERE event_key = :key")
        self._forget = write("DELETE FROM {table} WHERE event_key = :key")
        self._purge = write("DELETE FROM {table} WHERE seen_at < {now} - :age")

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

    def forget(self, execute: Execute, keys: Iterable[str]) -> bool:
        """Delete the notes of an event; false when there were none."""
        return sum(self._forget.run(execute, key=key)[1] for key in keys) > 0

    def purge(self, execute: Execute, age: float) -> int:
        """Delete notes older than ``age`` seconds; return how many."""
        return self._purge.run(execute, age=to_milliseconds(age))[1]
