"""The two tables, in SQLAlchemy's terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Dialect, Index, Integer, MetaData, String, Table
from sqlalchemy.dialects.mysql import VARCHAR

from .._sql import CLAIMS_TABLE, INBOX_TABLE


def _text(length: int) -> String:
    # MySQL and MariaDB compare text without case, unless they are told.
    exact = VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return String(length).with_variant(exact, "mysql", "mariadb")


metadata: MetaData = MetaData()
"""Holds the tables; give it to Alembic beside your own to have migrations made."""

claims_table: Table = Table(
    CLAIMS_TABLE,
    metadata,
    Column("claim_key", _text(255), primary_key=True),
    Column("token", _text(64), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("fingerprint", _text(64), nullable=False),
    Column("done", Boolean, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("keep_until", BigInteger, nullable=False),
    Index(f"{CLAIMS_TABLE}_keep_until", "keep_until"),
)
"""What the stores keep; times are milliseconds since 1970, by the server's clock."""

inbox_table: Table = Table(
    INBOX_TABLE,
    metadata,
    Column("event_key", _text(255), primary_key=True),
    Column("seen_at", BigInteger, nullable=False),
)
"""What the inbox keeps: the events whose effect is committed."""


def name_table(table: Table, dialect: Dialect, options: Mapping[str, Any]) -> str:
    """Return the name of one of our tables as it stands in statements.

    Args:
        table: one of ours.
        dialect: quotes it.
        options: execution options, whose ``schema_translate_map`` says in which schema it is.
    """
    preparer = dialect.identifier_preparer
    schemas: Mapping[str | None, str | None] = options.get("schema_translate_map") or {}
    schema, name = schemas.get(None), preparer.quote(table.name)
    return name if schema is None else f"{preparer.quote_schema(schema)}.{name}"
