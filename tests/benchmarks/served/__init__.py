"""Applications that receive a sale in several ways, one framework a module.

``DUBHOOKS_BENCHMARK_WAY`` chooses the way, ``DUBHOOKS_BENCHMARK_SECRET`` is the secret.
"""

from __future__ import annotations

import hashlib
import hmac
import os

import dubhooks
from dubhooks.webhooks import SaleCreated

PATH = "/webhooks/dub"
BARE, UNTYPED, TYPED = "bare", "by hand, untyped", "by hand, typed"
OURS = "dubhooks"
MEMORY, SQLITE = "dubhooks, MemoryStore", "dubhooks, SQLiteStore"
WAYS = (BARE, UNTYPED, TYPED, OURS, MEMORY, SQLITE)
ANSWER = {"outcome": "handled"}


def chosen_way() -> str:
    """Return the way that this process serves."""
    return os.environ["DUBHOOKS_BENCHMARK_WAY"]


def secret() -> str:
    """Return the secret of the endpoint."""
    return os.environ["DUBHOOKS_BENCHMARK_SECRET"]


def verify_by_hand(body: bytes, signature: str) -> None:
    """Verify as everybody does."""
    computed = hmac.new(secret().encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(computed, signature):
        raise ValueError("the signature does not match")


def use_untyped(amount: int) -> None:
    """Do what the handlers by hand do."""
    assert amount


def use(event: SaleCreated) -> None:
    """Do what every typed handler does."""
    assert event.data.sale.amount


def make_receiver() -> dubhooks.Webhooks:
    """Return a receiver without handlers, with the store of the chosen way in this directory."""
    if chosen_way() == MEMORY:
        return dubhooks.Webhooks(secret(), store=dubhooks.MemoryStore())
    if chosen_way() == SQLITE:
        return dubhooks.Webhooks(secret(), store=dubhooks.SQLiteStore("claims.db"))
    return dubhooks.Webhooks(secret())
