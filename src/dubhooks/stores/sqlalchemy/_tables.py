"""The two tables, and the server's clock, in SQLAlchemy's terms."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, String, Table
from sqlalchemy.dialects.mysql import VARCHAR
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

__all__ = ["claims_table", "inbox_table", "metadata", "milliseconds"]


def _text(length: int) -> String:
    # MySQL and MariaDB compare text without case, unless they are told.
    exact = VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return String(length).with_variant(exact, "mysql", "mariadb")


metadata = MetaData()
"""Holds the tables; give it to Alembic beside your own to have migrations made."""

claims_table = Table(
    "dubhooks_claims",
    metadata,
    Column("key", _text(255), primary_key=True),
    # Of a free claim "", of a done one the name of its completion.
    Column("token", _text(64), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("fingerprint", _text(64), nullable=False),
    Column("done", Boolean, nullable=False),
    # Milliseconds since 1970 by the server's clock: no time zone can shift them.
    Column("since", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    # Without an index: every claim would pay for it, and a purge reads the table just once.
    Column("keep_until", BigInteger, nullable=False),
)

inbox_table = Table(
    "dubhooks_inbox",
    metadata,
    Column("key", _text(255), primary_key=True),
    Column("seen_at", BigInteger, nullable=False),
)


class milliseconds(FunctionElement[int]):  # noqa: N801 - functions of SQL are lower case
    """Milliseconds since 1970 by the server's clock, which does not stand still in a transaction.

    PostgreSQL's ``now()`` does: it is when the transaction began.
    """

    name = "milliseconds"
    type = BigInteger()
    inherit_cache = True


@compiles(milliseconds, "postgresql")
def _postgresql(_element: Any, _compiler: Any, **_options: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


@compiles(milliseconds, "mysql", "mariadb")
def _mysql(_element: Any, _compiler: Any, **_options: Any) -> str:
    # UNIX_TIMESTAMP would go through the session's time zone, where an hour comes twice a year.
    return "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000)"


@compiles(milliseconds, "sqlite")
def _sqlite(_element: Any, _compiler: Any, **_options: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
