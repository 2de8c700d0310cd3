"""Stores with a defect, which the contract must find; ``Model`` has none."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from dubhooks import MemoryStore
from dubhooks.idempotency import Claim
from dubhooks.testing._contract_case import MOMENT

_Memory: Any = MemoryStore  # so that a defect may have any signature


class Model(_Memory):  # type: ignore[misc]
    """A right store for the broken ones to inherit from."""

    def owner(self, key: str) -> str | None:
        """Return the token that holds ``key``."""
        row = self._rows.get(key)
        return row[3] if row and len(row) == 5 else None

    def done(self, key: str) -> Any:
        """Return the row of ``key`` if it is done."""
        row = self._rows.get(key)
        return row if row and len(row) == 3 else None


class IgnoresTokens(Model):
    """Lets anyone complete and release."""

    def complete(self, key: str, token: str, *, retention: float) -> Any:
        """Complete for whoever holds it."""
        return super().complete(key, self.owner(key) or token, retention=retention)

    def release(self, key: str, token: str) -> Any:
        """Release for whoever holds it."""
        return super().release(key, self.owner(key) or token)


class RefusesRenewal(Model):
    """Tells an owner that its own claim is busy."""

    def claim(self, key: str, token: str, **durations: Any) -> Any:
        """Claim under a token that never comes again."""
        return super().claim(key, f"{token}{time.monotonic()}", **durations)


class NeverTakesOver(Model):
    """Gives every claim a lease of an hour."""

    def claim(self, key: str, token: str, **durations: Any) -> Any:
        """Claim for an hour."""
        return super().claim(key, token, **{**durations, "lease": 3600.0})


class TakesOverEarly(Model):
    """Gives every claim half of its lease."""

    def claim(self, key: str, token: str, **durations: Any) -> Any:
        """Claim for half as long."""
        claim = super().claim(key, token, **{**durations, "lease": durations["lease"] / 2})
        return claim._replace(retry_after=claim.retry_after * 2)


class KeepsForEver(Model):
    """Gives every row a retention of an hour."""

    def claim(self, key: str, token: str, **durations: Any) -> Any:
        """Keep the claim for an hour."""
        return super().claim(key, token, **{**durations, "retention": 3600.0})

    def complete(self, key: str, token: str, *, retention: float) -> Any:
        """Keep the key for an hour."""
        return super().complete(key, token, retention=max(retention, 3600.0))


class IgnoresCase(Model):
    """Takes keys that differ in case for the same."""

    def claim(self, key: str, token: str, **durations: Any) -> Any:
        """Claim the key in lower case."""
        return super().claim(key.lower(), token, **durations)

    def complete(self, key: str, token: str, *, retention: float) -> Any:
        """Complete the key in lower case."""
        return super().complete(key.lower(), token, retention=retention)


class CutsKeys(Model):
    """Keeps the first 128 characters of a key."""

    def claim(self, key: str, token: str, **durations: Any) -> Any:
        """Claim the beginning of the key."""
        return super().claim(key[:128], token, **durations)


class TakesTheNewFingerprint(Model):
    """Returns the fingerprint of the latest body."""

    def claim(self, key: str, token: str, **durations: Any) -> Any:
        """Claim, and return what came in."""
        claim = super().claim(key, token, **durations)
        return claim._replace(fingerprint=durations["fingerprint"])


class KeepsTheFirstFingerprint(Model):
    """Keeps the fingerprint of the first body, whoever acquires the key."""

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[str, str] = {}

    def claim(self, key: str, token: str, **durations: Any) -> Any:
        """Claim with the fingerprint that came first."""
        first = self.first.setdefault(key, durations["fingerprint"])
        return super().claim(key, token, **{**durations, "fingerprint": first})


class CountsNoAttempts(Model):
    """Says that every claim is the first."""

    def claim(self, key: str, token: str, **durations: Any) -> Any:
        """Claim as attempt 1."""
        return super().claim(key, token, **durations)._replace(attempt=1)


class ForgetsDone(Model):
    """Frees a key instead of completing it."""

    def complete(self, key: str, token: str, *, retention: float) -> Any:
        """Release."""
        return super().release(key, token)


class HasNoForget(Model):
    """Was written before there was such a method."""

    @property
    def forget(self) -> Any:
        """Be no attribute."""
        raise AttributeError("forget")


class ForgetsDuringALease(Model):
    """Deletes the row of whoever runs."""

    def forget(self, key: str) -> Any:
        """Delete the row."""
        return self._rows.pop(key, None) is not None or super().forget(key)


class SaysTrueForNothing(Model):
    """Claims to have deleted what was not there."""

    def forget(self, key: str) -> Any:
        """Delete the row, if any."""
        return super().forget(key) or self.owner(key) is None


class ForgetsNothing(Model):
    """Deletes no row."""

    def forget(self, key: str) -> Any:
        """Refuse."""
        return False


class ForgetsInWordsOnly(Model):
    """Says that it deleted a row, and leaves it."""

    def forget(self, key: str) -> Any:
        """Say whether there is something to delete."""
        return self.done(key) is not None


class FreesInsteadOfForgetting(Model):
    """Lets a key be claimed again and keeps its row."""

    def forget(self, key: str) -> Any:
        """Free the key."""
        done = self.done(key)
        was_deleted = super().forget(key)
        if done is not None:
            self._rows[key] = (*done, None, 0.0)
        return was_deleted


class LooksThenForgets(Model):
    """Looks whether a lease runs, and deletes a moment later."""

    def forget(self, key: str) -> Any:
        """Look, wait until somebody claims, or a moment, and delete what there is."""
        if self.owner(key) is not None:
            return False
        late = time.monotonic() + 0.05
        while self.owner(key) is None and time.monotonic() < late:
            time.sleep(0.001)
        return self._rows.pop(key, None) is not None or super().forget(key)


class LooksThenLeaps(Model):
    """Decides in two steps, so that others decide in between."""

    def claim(self, key: str, token: str, **durations: Any) -> Any:
        """Look, wait a moment, and claim whatever happened meanwhile."""
        owner = self.owner(key)
        time.sleep(0.002)
        if owner is None and self.owner(key) is not None:
            return Claim("acquired", 1, durations["fingerprint"], 0.0)
        return super().claim(key, token, **durations)


class SlowAtFirst(Model):
    """Stalls once for longer than the shortest retention."""

    stalls = 1

    def complete(self, key: str, token: str, *, retention: float) -> Any:
        """Complete, late at first."""
        if self.stalls:
            self.stalls -= 1
            time.sleep(2 * MOMENT)
        return super().complete(key, token, retention=retention)


class RaisesInThreads(Model):
    """Works in the thread that made it only."""

    def claim(self, key: str, token: str, **durations: Any) -> Any:
        """Claim, in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("made in another thread")
        return super().claim(key, token, **durations)


class HangsInThreads(Model):
    """Does not return to a thread."""

    def claim(self, key: str, token: str, **durations: Any) -> Any:
        """Claim, in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            threading.Event().wait(5)
        return super().claim(key, token, **durations)


class HangsOnItsLoop(Model):
    """Has coroutines, of which one does not return."""

    async def claim(self, *_: Any, **__: Any) -> Any:
        """Wait."""
        await asyncio.sleep(20)


class HalfAsync(Model):
    """Has one coroutine among its methods."""

    async def release(self, key: str, token: str) -> Any:
        """Release."""
        await asyncio.sleep(0)
        return super().release(key, token)


class Changes(Model):
    """Returns something else than the protocol says."""

    def __init__(self, **changes: Any) -> None:
        super().__init__()
        self.changes = changes

    def claim(self, key: str, token: str, **durations: Any) -> Any:
        """Claim, and change the answer."""
        claim = super().claim(key, token, **durations)
        change = self.changes.get("claim", {})
        return change(claim) if callable(change) else claim._replace(**change)

    def complete(self, key: str, token: str, *, retention: float) -> Any:
        """Complete, and change the answer."""
        value = super().complete(key, token, retention=retention)
        return self.changes.get("complete", value)

    def release(self, key: str, token: str) -> Any:
        """Release, and change the answer."""
        value = super().release(key, token)
        return self.changes.get("release", value)

    def forget(self, key: str) -> Any:
        """Forget, and change the answer."""
        value = super().forget(key)
        return self.changes.get("forget", value)
