"""The part of the store contract in which many claim at the same time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ._contract_case import MOMENT, StoreCase, expect, pause

if TYPE_CHECKING:
    from ..idempotency import Claim
    from ._contract_case import Row

__all__ = ["StoreRaces"]

_RACERS = 16


class StoreRaces(StoreCase):
    """What holds when several threads and handles use a store at once."""

    def test_handles_share_their_storage(self) -> None:
        """What one handle does another handle on the same storage sees."""
        for state, attempt in (("done", 1), ("acquired", 2)):
            row = self._row()
            other = row.elsewhere()
            row.claim("one")
            other.expect("two", "busy", 1)
            settle = other.complete if state == "done" else other.release
            expect(settle("one"), "another handle could not complete or release")
            row.expect("two", state, attempt)

    def test_one_of_many_claims_is_acquired(self) -> None:
        """Of many claims of an absent key at the same time one is acquired."""
        for _ in range(5):
            self._expect_one(self._row(), attempt=1)

    def test_one_of_many_takeovers_is_acquired(self) -> None:
        """Of many claims of a key whose lease is over one is acquired."""
        for _ in range(3):
            row = self._row()
            row.claim("dead", lease=MOMENT)
            row.let_pass(MOMENT)
            self._expect_one(row, attempt=2)

    def test_one_of_many_claims_of_a_free_key_is_acquired(self) -> None:
        """Of many claims of a released key one is acquired."""
        for _ in range(3):
            row = self._row()
            row.claim("one")
            row.release("one")
            self._expect_one(row, attempt=2)

    def test_many_keys_at_once(self) -> None:
        """Claims of different keys do not stand in each other's way."""
        row = self._row()

        def work() -> list[str]:
            states: list[str] = []
            for own in [row.beside() for _ in range(10)]:
                states.append(own.claim("one").state)
                own.complete("one")
                states.append(own.claim("two").state)
            return states

        for states in self._race([work] * 8):
            expect(states == ["acquired", "done"] * 10, f"with many keys at once: {states}")

    def test_renewals_keep_the_key(self) -> None:
        """While an owner renews its claim again and again, nobody else acquires the key."""
        row = self._row()
        other = row.elsewhere()
        row.claim("one")

        def work(handle: Row, token: str) -> set[tuple[str, int]]:
            claims = [handle.claim(token) for _ in range(10)]
            return {(claim.state, claim.attempt) for claim in claims}

        racers = [partial(work, (row, other)[number % 2], f"racer-{number}") for number in range(6)]
        own, *others = self._race([partial(work, row, "one"), *racers])
        expect(own == {("acquired", 1)}, f"the owner could not renew its claim: {own}")
        expect(others == [{("busy", 1)}] * 6, f"others must find the key busy: {others}")

    def test_one_owner_at_a_time(self) -> None:
        """Under contention a key has one owner at a time, and each has an attempt of its own."""
        row, rounds = self._row(), 4
        owners: list[str] = []
        most: set[int] = set()

        def work(token: str) -> list[int]:
            attempts: list[int] = []
            while len(attempts) < rounds:
                claim = row.claim(token)
                if claim.state == "acquired":
                    owners.append(token)
                    attempts.append(claim.attempt)
                    pause()
                    most.add(len(owners))
                    owners.remove(token)
                    row.release(token)
                pause()
            return attempts

        attempts = self._race([partial(work, f"worker-{n}") for n in range(6)])
        expect(most == {1}, f"the key had {max(most)} owners at the same time")
        for own in attempts:
            expect(own == sorted(own), f"attempts of one worker must grow: {own}")
        every = sorted(attempt for own in attempts for attempt in own)
        expect(every == list(range(1, 6 * rounds + 1)), f"attempts must grow by 1: {every}")

    def _expect_one(self, row: Row, *, attempt: int) -> None:
        """Claim from many threads and two handles at once."""
        __tracebackhide__ = True
        handles = (row, row.elsewhere())

        def claim(number: int) -> Claim:
            return handles[number % 2].claim(f"racer-{number}", fingerprint=f"{number:064x}")

        claims = self._race([partial(claim, number) for number in range(_RACERS)])
        states = [claim.state for claim in claims]
        wanted = ["acquired"] + ["busy"] * (_RACERS - 1)
        expect(sorted(states) == wanted, f"one of {_RACERS} claims must be acquired, got {states}")
        holder, bodies = f"{states.index('acquired'):064x}", {each.fingerprint for each in claims}
        expect(bodies == {holder}, f"all must see the fingerprint of the holder, got {bodies}")
        attempts = {claim.attempt for claim in claims}
        expect(attempts == {attempt}, f"all must see attempt {attempt}, got {attempts}")
