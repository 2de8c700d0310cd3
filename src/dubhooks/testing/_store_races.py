"""The part of the store contract in which many claim at the same time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ._contract_case import MOMENT, StoreCase, expect, pause

if TYPE_CHECKING:
    from ..idempotency import Claim, Store

__all__ = ["StoreRaces"]

_RACERS = 16


class StoreRaces(StoreCase):
    """What holds when several threads and handles use a store at once."""

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

        def work(keys: list[str]) -> list[str]:
            states: list[str] = []
            for key in keys:
                states.append(self._claim(store, key, "one").state)
                self._complete(store, key, "one")
                states.append(self._claim(store, key, "two").state)
            return states

        keys = [[self._key() for _ in range(10)] for _ in range(8)]
        for states in self._race([partial(work, own) for own in keys]):
            expect(states == ["acquired", "done"] * 10, f"with many keys at once: {states}")

    def test_renewals_keep_the_key(self) -> None:
        """While an owner renews its claim again and again, nobody else acquires the key."""
        store, other, key = self._store(), self._store(), self._key()
        self._claim(store, key, "one")

        def work(handle: Store, token: str) -> set[tuple[str, int]]:
            claims = [self._claim(handle, key, token) for _ in range(10)]
            return {(claim.state, claim.attempt) for claim in claims}

        racers = [
            partial(work, handle, f"racer-{n}") for n, handle in enumerate((store, other) * 3)
        ]
        own, *others = self._race([partial(work, store, "one"), *racers])
        expect(own == {("acquired", 1)}, f"the owner could not renew its claim: {own}")
        expect(others == [{("busy", 1)}] * 6, f"others must find the key busy: {others}")

    def test_one_owner_at_a_time(self) -> None:
        """Under contention a key has one owner at a time, and each has an attempt of its own."""
        store, key, rounds = self._store(), self._key(), 4
        owners: list[str] = []
        most: set[int] = set()

        def work(token: str) -> list[int]:
            attempts: list[int] = []
            while len(attempts) < rounds:
                claim = self._claim(store, key, token)
                if claim.state == "acquired":
                    owners.append(token)
                    attempts.append(claim.attempt)
                    pause()
                    most.add(len(owners))
                    owners.remove(token)
                    self._release(store, key, token)
                pause()
            return attempts

        attempts = self._race([partial(work, f"worker-{n}") for n in range(6)])
        expect(most == {1}, f"the key had {max(most)} owners at the same time")
        for own in attempts:
            expect(own == sorted(own), f"attempts of one worker must grow: {own}")
        every = sorted(attempt for own in attempts for attempt in own)
        expect(every == list(range(1, 6 * rounds + 1)), f"attempts must grow by 1: {every}")

    def _expect_one(self, store: Store, other: Store, key: str, *, attempt: int) -> None:
        """Claim from many threads and both handles at once."""
        __tracebackhide__ = True

        def claim(number: int) -> Claim:
            handle, token, body = (store, other)[number % 2], f"racer-{number}", f"{number:064x}"
            return self._claim(handle, key, token, fingerprint=body)

        claims = self._race([partial(claim, number) for number in range(_RACERS)])
        states = [claim.state for claim in claims]
        wanted = ["acquired"] + ["busy"] * (_RACERS - 1)
        expect(sorted(states) == wanted, f"one of {_RACERS} claims must be acquired, got {states}")
        holder, bodies = f"{states.index('acquired'):064x}", {each.fingerprint for each in claims}
        expect(bodies == {holder}, f"all must see the fingerprint of the holder, got {bodies}")
        attempts = {claim.attempt for claim in claims}
        expect(attempts == {attempt}, f"all must see attempt {attempt}, got {attempts}")
