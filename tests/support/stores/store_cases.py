"""What the tests of all stores share."""

from __future__ import annotations

from typing import Any

from dubhooks.idempotency import Claim

FINGERPRINT = "f" * 64
ONE = "one"


def claim(store: Any, key: str = "k", token: str = ONE, **changes: Any) -> Claim:
    """Claim with durations that no test waits for."""
    durations = {"lease": 60.0, "retention": 3600.0, **changes}
    claimed: Claim = store.claim(key, token, fingerprint=FINGERPRINT, **durations)
    return claimed
