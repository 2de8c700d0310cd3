"""The part of the store contract in which many claim at the same time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ._contract_case import MOMENT, StoreCase, claiming, expect

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ..idempotency import Claim
    from ._contract_case import AnyStore

__all__ = ["StoreRaces"]

_RACERS = 16


class StoreRaces(StoreCase):
    """What holds when several threads, tasks and handles use a store at once."""

    def test_handles_share_their_storage(self) -> None:
        """What one handle does another handle on the same storage sees."""
        store, other = self._store(), self._store()
        done, free = self._key(), self._key()
        for key in (done, free):
            self._claim(store, key, "one")
            self._expect_claim(other, key, "two", "busy", 1)
        expect(self._complete(other, done, "one"), "another handle could not complete")
        self._expect_claim(store, done, "two", "done", 1)
        expect(self._release(other, free, "one"), "another handle could not release")
        self._expect_claim(store, free, "two", "acquired", 2)

    def test_one_of_many_claims_is_acquired(self) -> None:
        """Of many claims of an absent key at the same time one is acquired."""
        store, other = self._store(), self._store()
        for _ in range(5):
            self._expect_one(store, other, self._key(), attempt=1)

    def test_one_of_many_takeovers_is_acquired(self) -> None:
        """Of many claims of a key whose lease is over one is acquired."""
        store, other = self._store(), self._store()
        keys = [self._key() for _ in range(3)]
        for key in keys:
            self._claim(store, key, "dead", lease=MOMENT)
        self._let_pass(store, MOMENT)
        for key in keys:
            self._expect_one(store, other, key, attempt=2)

    def test_one_of_many_claims_of_a_free_key_is_acquired(self) -> None:
        """Of many claims of a released key one is acquired."""
        store, other = self._store(), self._store()
        for _ in range(3):
            key = self._key()
            self._claim(store, key, "one")
            self._release(store, key, "one")
            self._expect_one(store, other, key, attempt=2)

    def test_many_keys_at_once(self) -> None:
        """Claims of different keys do not stand in each other's way."""
        store = self._store()

        def worker(keys: list[str]) -> Generator[Callable[[], Any], Any, list[str]]:
            states: list[str] = []
            for key in keys:
                states.append((yield claiming(store, key, "one")).state)
                yield partial(store.complete, key, "one", retention=600.0)
                states.append((yield claiming(store, key, "two")).state)
            return states

        keys = [[self._key() for _ in range(10)] for _ in range(8)]
        for states in self._race(store, map(worker, keys)):
            expect(states == ["acquired", "done"] * 10, f"with many keys at once: {states}")

    def test_one_owner_at_a_time(self) -> None:
        """Under contention a key has one owner at a time, and each has an attempt of its own."""
        store, key, rounds = self._store(), self._key(), 4
        owners: list[str] = []
        most: list[int] = []

        def worker(token: str) -> Generator[Callable[[], Any] | None, Any, list[int]]:
            attempts: list[int] = []
            while len(attempts) < rounds:
                claim: Claim = yield claiming(store, key, token)
                if claim.state == "acquired":
                    owners.append(token)
                    attempts.append(claim.attempt)
                    yield None
                    most.append(len(owners))
                    owners.remove(token)
                    yield lambda: store.release(key, token)
                yield None
            return attempts

        attempts = self._race(store, [worker(f"worker-{n}") for n in range(6)])
        expect(set(most) == {1}, f"the key had {max(most)} owners at the same time")
        for own in attempts:
            expect(own == sorted(own), f"attempts of one worker must grow: {own}")
        every = sorted(attempt for own in attempts for attempt in own)
        expect(every == list(range(1, 6 * rounds + 1)), f"attempts must grow by 1: {every}")

    def _expect_one(self, store: AnyStore, other: AnyStore, key: str, *, attempt: int) -> None:
        """Claim from many threads or tasks and both handles at once."""
        __tracebackhide__ = True

        def worker(number: int) -> Generator[Callable[[], Any], Any, Claim]:
            handle, token, body = (store, other)[number % 2], f"racer-{number}", f"{number:064x}"
            claim: Claim = yield claiming(handle, key, token, fingerprint=body)
            return claim

        claims = self._race(store, map(worker, range(_RACERS)))
        states = [claim.state for claim in claims]
        wanted = ["acquired"] + ["busy"] * (_RACERS - 1)
        expect(sorted(states) == wanted, f"one of {_RACERS} claims must be acquired, got {states}")
        holder, bodies = f"{states.index('acquired'):064x}", {each.fingerprint for each in claims}
        expect(bodies == {holder}, f"all must see the fingerprint of the holder, got {bodies}")
        attempts = {claim.attempt for claim in claims}
        expect(attempts == {attempt}, f"all must see attempt {attempt}, got {attempts}")
