"""Claims as SQL: each method is one statement, written once for every engine."""

from __future__ import annotations

from functools import partial
from itertools import zip_longest
from math import ceil
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    String,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite

from ...errors import ConfigurationError
from ...idempotency import Claim
from ._statement import Prepared, commits_by_itself
from ._tables import claims_table as table
from ._tables import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sqlalchemy import ColumnElement, Dialect, PoolProxiedConnection

    from ._attempt import Mode

__all__ = ["Claims", "check_table"]

_row = table.c
_key = bindparam("claimed_key", type_=String)
_token = bindparam("claiming_token", type_=String)
_lease = bindparam("lease", type_=BigInteger)
_retention = bindparam("retention", type_=BigInteger)
_now = milliseconds()

_JITTER = 1000
"""Milliseconds by which a row may seem to be of the future because its writer waited less."""

_SCAN = 10_000
_BATCH = [f"key_{number}" for number in range(500)]

_FOUND = (
    _row.key,
    _row.token,
    _row.attempt,
    _row.fingerprint,
    _row.done,
    (_row.lease_until - _now).label("remaining"),
)


class Claims:
    """The statements of one engine."""

    def __init__(self, connection: PoolProxiedConnection, dialect: Dialect) -> None:
        """``connection``: any one of the engine's."""
        self.mode: Mode = "commit"
        if commits_by_itself(connection, dialect):
            self.mode = "none"
        elif dialect.name in ("postgresql", "sqlite"):
            # MySQL would have to be asked.  On SQLite a lock is held for less long.
            self.mode = "switch"
        insert = _claim(dialect.name)
        # MySQL, and SQLite before 3.35, do not return the row: a second statement reads it.
        self._find = None if dialect.insert_returning else Prepared(_FIND, dialect)
        if self._find is None:
            insert = insert.returning(*_FOUND)
        self._claim = Prepared(insert, dialect)
        self._complete = Prepared(_COMPLETE, dialect)
        self._release = Prepared(_RELEASE, dialect)
        self._expired = Prepared(_EXPIRED, dialect)
        self._forget = Prepared(_FORGET, dialect)
        self._purge = Prepared(_PURGE, dialect)

    def claim(
        self,
        connection: PoolProxiedConnection,
        key: str,
        token: str,
        fingerprint: str,
        lease: float,
        retention: float,
    ) -> Claim:
        """Claim ``key``; see :meth:`dubhooks.idempotency.Store.claim`.

        Raises:
            ConfigurationError: the table takes two keys for one.
        """
        parameters = {
            "claimed_key": key,
            "claiming_token": token,
            "claiming_fingerprint": fingerprint,
            "lease": ceil(lease * 1000) or 1,
            "retention": ceil(retention * 1000) or 1,
        }
        if self._find is None:
            row = self._claim.row(connection, parameters)
        else:
            # In a transaction the row stays locked.  Without one it may have changed since; the
            # second statement is what counts, and says whose the row is.
            self._claim.count(connection, parameters)
            row = self._find.row(connection, {"claimed_key": key})
        if row is None:
            # Purged since then, where every statement is a transaction of its own.
            return Claim("busy", 1, fingerprint, 0.001)
        return _decided(key, token, *row)

    def complete(
        self, connection: PoolProxiedConnection, key: str, token: str, retention: float, name: str
    ) -> bool:
        """Mark ``key`` as done; the same completion, known by its ``name``, may come again."""
        parameters = {
            "claimed_key": key,
            "claiming_token": token,
            "completion": name,
            "retention": ceil(retention * 1000) or 1,
        }
        return self._complete.count(connection, parameters) == 1

    def release(self, connection: PoolProxiedConnection, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        parameters = {"claimed_key": key, "claiming_token": token}
        return self._release.count(connection, parameters) == 1

    def forget(self, connection: PoolProxiedConnection, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        return self._forget.count(connection, {"claimed_key": key}) == 1

    def purging(self) -> Generator[Callable[..., Any], Any, int]:
        """Yield work to do and be sent its result; return how many rows were deleted.

        The rows are found without a lock and deleted by their keys, so that no
        claim waits long.
        """
        deleted, after = 0, ""
        while True:
            keys: list[str] = yield partial(self._expired.column, parameters={"after": after})
            for start in range(0, len(keys), len(_BATCH)):
                # The last batch is not full: it names a key several times.
                batch = zip_longest(_BATCH, keys[start : start + len(_BATCH)], fillvalue=keys[-1])
                deleted += yield partial(self._purge.count, parameters=dict(batch))
            if len(keys) < _SCAN:
                return deleted
            after = keys[-1]


def check_table(connection: PoolProxiedConnection, dialect: Dialect) -> None:
    """Raise unless the table has one row for a key, and tells keys apart that differ in case only.

    Raises:
        ConfigurationError: it does not.
    """
    # A literal beside the column is compared by the column's collation.
    if Prepared(_COLLATION, dialect).column(connection, {}) != [0]:
        raise _merged()
    # Without a primary key MySQL would insert every claim, where others refuse the statement.
    if dialect.name in ("mysql", "mariadb"):
        found = Prepared(_PRIMARY, dialect).column(connection, {"table_name": table.name})
        if found != [_row.key.name]:
            raise ConfigurationError(
                f"the column key of {table.name} is not its primary key, so an event would run "
                "again and again: make it one, or create the table with create_table()"
            )


def _merged() -> ConfigurationError:
    return ConfigurationError(
        f"the column key of {table.name} compares text without case, so it takes two events for "
        "one: create the table with create_table(), or give the column a binary collation such "
        "as utf8mb4_bin"
    )


def _decided(
    wanted: str,
    token: str,
    key: str,
    owner: str,
    attempt: int,
    fingerprint: str,
    is_done: bool,
    remaining: int,
) -> Claim:
    if key != wanted:
        raise _merged()
    if is_done:
        return Claim("done", attempt, fingerprint, 0.0)
    if owner == token:
        return Claim("acquired", attempt, fingerprint, 0.0)
    # The clock goes on between the decision and this reading of it.
    return Claim("busy", attempt, fingerprint, max(1, remaining) / 1000)


def _claim(dialect: str) -> Any:
    values: dict[str, Any] = {
        "key": _key,
        "token": _token,
        "attempt": 1,
        "fingerprint": bindparam("claiming_fingerprint"),
        "done": False,
        "since": _now,
        "lease_until": _now + _lease,
        "keep_until": _now + _retention,
    }
    if dialect == "postgresql":
        insert = postgresql.insert(table).values(values)
        return insert.on_conflict_do_update(
            index_elements=[_row.key], set_=dict(_changes(insert.excluded))
        )
    if dialect == "sqlite":
        insert_or = sqlite.insert(table).values(values)
        return insert_or.on_conflict_do_update(
            index_elements=[_row.key], set_=dict(_changes(insert_or.excluded))
        )
    insert_on = mysql.insert(table).values(values)
    return insert_on.on_duplicate_key_update(_changes(insert_on.inserted))


def _changes(new: Any) -> list[tuple[str, ColumnElement[Any]]]:
    """Return what a claim makes of a row that is there.

    Standard SQL computes all of it from the old row; MySQL and MariaDB assign
    one column after the other, and later ones see the earlier ones.  In this
    order it comes to the same: once the token and ``done`` are assigned,
    ``takes`` still says whether the claim takes the row.
    """
    # One reading of the clock decides, or two of them could decide differently.
    now = new.since
    is_expired = _row.keep_until <= now
    is_open = or_(_row.token == new.token, _row.lease_until <= now)
    takes = or_(is_expired, and_(not_(_row.done), is_open))
    # The clock was set back: start the lease anew, or it would last for hours.
    is_ahead = _row.since > now + _JITTER
    attempt = case(
        (is_expired, literal(1)),
        (or_(_row.done, not_(is_open), _row.token == new.token), _row.attempt),
        else_=_row.attempt + 1,
    )
    lease_until = case(
        (takes, _now + _lease),
        (is_ahead, _now + _row.lease_until - _row.since),
        else_=_row.lease_until,
    )
    return [
        ("fingerprint", case((takes, new.fingerprint), else_=_row.fingerprint)),
        ("attempt", attempt),
        ("token", case((takes, new.token), else_=_row.token)),
        ("done", case((takes, new.done), else_=_row.done)),
        ("lease_until", lease_until),
        ("since", case((or_(takes, is_ahead), _now), else_=_row.since)),
        ("keep_until", case((takes, _now + _retention), else_=_row.keep_until)),
    ]


_FIND = select(*_FOUND).where(_row.key == _key)
_IS_HELD = and_(not_(_row.done), _row.token == _token, _row.lease_until > 0)
_COMPLETE = (
    update(table)
    .where(_row.key == _key, _row.keep_until > _now)
    .where(or_(_IS_HELD, and_(_row.done, _row.token == bindparam("completion"))))
    .values(done=True, token=bindparam("completion"), keep_until=_now + _retention)
)
_RELEASE = (
    update(table)
    .where(_row.key == _key, _row.keep_until > _now, _IS_HELD)
    .values(token="", lease_until=0)
)
_FORGET = delete(table).where(
    _row.key == _key, _row.keep_until > _now, or_(_row.done, _row.lease_until <= _now)
)
_EXPIRED = (
    select(_row.key)
    .where(_row.key > bindparam("after"), _row.keep_until <= _now)
    .order_by(_row.key)
    .limit(_SCAN)
)
_PURGE = delete(table).where(
    _row.key.in_([bindparam(name, type_=String) for name in _BATCH]), _row.keep_until <= _now
)
_both = union_all(
    select(_row.key).where(literal(1) == literal(0)), select(literal("a").label("key"))
).subquery()
_COLLATION = select(func.count()).select_from(_both).where(_both.c.key == literal("A"))
_PRIMARY = text(
    "SELECT column_name FROM information_schema.key_column_usage WHERE table_schema = DATABASE() "
    "AND table_name = :table_name AND constraint_name = 'PRIMARY'"
)
