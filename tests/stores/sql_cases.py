"""What the tests of the SQL stores share."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from dubhooks.idempotency import Claim
from dubhooks.stores.sqlalchemy import SQLAlchemyStore

__all__ = ["ASYNCPG_BEHIND_PGBOUNCER", "FINGERPRINT", "claim"]

FINGERPRINT = "f" * 64
ONE = "one"

ASYNCPG_BEHIND_PGBOUNCER = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: f"dubhooks_{uuid4()}",
}


def claim(store: SQLAlchemyStore, key: str = "k", token: str = ONE, **changes: Any) -> Claim:
    """Claim with durations that no test waits for."""
    durations = {"lease": 60.0, "retention": 3600.0, **changes}
    return store.claim(key, token, fingerprint=FINGERPRINT, **durations)
