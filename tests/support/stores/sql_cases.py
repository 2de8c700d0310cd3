"""What the tests of the SQL stores share."""

from __future__ import annotations

from uuid import uuid4

from tests.support.stores.store_cases import FINGERPRINT, claim

__all__ = ["ASYNCPG_BEHIND_PGBOUNCER", "FINGERPRINT", "claim"]

ASYNCPG_BEHIND_PGBOUNCER = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: f"dubhooks_{uuid4()}",
}
