"""Stores with a defect, which the contract must find: memory stores with other methods."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import Any

from dubhooks import MemoryStore
from dubhooks.idempotency import Claim

__all__ = ["Changed", "claim", "complete", "forget", "make_broken", "release"]

claim: Any = MemoryStore.claim
complete: Any = MemoryStore.complete
release: Any = MemoryStore.release
forget: Any = MemoryStore.forget


class Changed(MemoryStore):
    """A right store, but for the methods that it is given; each takes the store first."""

    def __init__(self, **methods: Any) -> None:
        super().__init__()
        for name, method in methods.items():
            setattr(self, name, partial(method, self))


class HasNoForget(MemoryStore):
    """Was written before there was such a method."""

    @property
    def forget(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Be no attribute."""
        raise AttributeError("forget")


def _owner(store: Changed, key: str) -> str | None:
    row = store._rows.get(key)
    return row[3] if row and len(row) == 5 else None


def _delete(store: Changed, key: str) -> bool:
    return store._rows.pop(key, None) is not None


def _take_over_early(store: Changed, key: str, token: str, **durations: Any) -> Any:
    found = claim(store, key, token, **{**durations, "lease": durations["lease"] / 2})
    return found._replace(retry_after=found.retry_after * 2)


def _keep_the_first_fingerprint(store: Any, key: str, token: str, **durations: Any) -> Any:
    first = store.__dict__.setdefault("first", {}).setdefault(key, durations["fingerprint"])
    return claim(store, key, token, **{**durations, "fingerprint": first})


def _free_instead_of_forgetting(store: Changed, key: str) -> Any:
    row = store._rows.get(key)
    was_deleted = forget(store, key)
    if row and len(row) == 3:
        store._rows[key] = (*row, None, 0.0)
    return was_deleted


def _look_then_forget(store: Changed, key: str) -> Any:
    if _owner(store, key) is not None:
        return False
    late = time.monotonic() + 0.05
    while _owner(store, key) is None and time.monotonic() < late:
        time.sleep(0.001)
    return _delete(store, key)


def _look_then_leap(store: Changed, key: str, token: str, **durations: Any) -> Any:
    owner = _owner(store, key)
    time.sleep(0.002)
    if owner is None and _owner(store, key) is not None:
        return Claim("acquired", 1, durations["fingerprint"], 0.0)
    return claim(store, key, token, **durations)


def _fail_in_threads(store: Changed, key: str, token: str, **durations: Any) -> Any:
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("made in another thread")
    return claim(store, key, token, **durations)


def _hang_in_threads(store: Changed, key: str, token: str, **durations: Any) -> Any:
    if threading.current_thread() is not threading.main_thread():
        threading.Event().wait(20)
    return claim(store, key, token, **durations)


async def _sleep(*_: Any, **__: Any) -> Any:
    await asyncio.sleep(20)


DEFECTS: dict[str, Any] = {
    "ignores tokens": {
        "complete": lambda store, key, token, **rest: complete(
            store, key, _owner(store, key) or token, **rest
        ),
        "release": lambda store, key, token: release(store, key, _owner(store, key) or token),
    },
    "refuses renewal": {
        "claim": lambda store, key, token, **rest: claim(
            store, key, f"{token}{time.monotonic()}", **rest
        )
    },
    "never takes over": {
        "claim": lambda *call, **rest: claim(*call, **{**rest, "lease": 3600.0}),
    },
    "takes over early": {"claim": _take_over_early},
    "keeps for ever": {
        "claim": lambda *call, **rest: claim(*call, **{**rest, "retention": 3600.0}),
        "complete": lambda *call, retention: complete(*call, retention=3600.0),
    },
    "ignores case": {
        "claim": lambda store, key, token, **rest: claim(store, key.lower(), token, **rest),
        "complete": lambda store, key, token, **rest: complete(store, key.lower(), token, **rest),
    },
    "cuts keys": {
        "claim": lambda store, key, token, **rest: claim(store, key[:128], token, **rest),
    },
    "tells the new fingerprint": {
        "claim": lambda *call, **rest: claim(*call, **rest)._replace(
            fingerprint=rest["fingerprint"]
        )
    },
    "keeps the first fingerprint": {"claim": _keep_the_first_fingerprint},
    "counts no attempts": {"claim": lambda *call, **rest: claim(*call, **rest)._replace(attempt=1)},
    "frees instead of completing": {
        "complete": lambda store, key, token, **_: release(store, key, token)
    },
    "forgets during a lease": {
        "forget": lambda store, key: _delete(store, key) or forget(store, key)
    },
    "says true for nothing": {
        "forget": lambda store, key: forget(store, key) or _owner(store, key) is None
    },
    "forgets nothing": {"forget": lambda *_: False},
    "forgets in words only": {"forget": lambda store, key: len(store._rows.get(key, ())) == 3},
    "frees instead of forgetting": {"forget": _free_instead_of_forgetting},
    "looks, then forgets": {"forget": _look_then_forget},
    "looks, then leaps": {"claim": _look_then_leap},
    "fails in threads": {"claim": _fail_in_threads},
    "hangs in threads": {"claim": _hang_in_threads},
    "hangs on its loop": {"claim": _sleep},
    "half async": {"release": _sleep},
}
"""What is wrong with a store, and the methods that make it so."""


def make_broken(defect: str) -> MemoryStore:
    """Return a store with that defect."""
    return HasNoForget() if defect == "has no forget" else Changed(**DEFECTS[defect])
