"""The part of the store contract in which many act at the same time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..idempotency import Claim
from ._contract_case import MOMENT, RACERS, Row, StoreCase, expect, pause

_WORKERS, _ROUNDS = 6, 4


class StoreRaces(StoreCase):
    """What holds when several threads and handles use a store at once."""

    def test_one_of_many_claims_is_acquired(self) -> None:
        """Of many claims of an absent, a released or an abandoned key at once one is acquired."""
        for _ in range(3):
            absent, free, ended = (self._row.beside() for _ in range(3))
            free.claim("one")
            free.release("one")
            ended.claim("dead", lease=MOMENT)
            ended.let_pass(MOMENT)
            for row, attempt in ((absent, 1), (free, 2), (ended, 2)):
                self._expect_one(row, attempt)

    def test_many_keys_at_once(self) -> None:
        """Claims of different keys do not stand in each other's way."""
        row = self._row

        def work() -> list[str]:
            states: list[str] = []
            for own in [row.beside() for _ in range(10)]:
                states.append(own.claim("one").state)
                own.complete("one")
                states.append(own.claim("two").state)
            return states

        for states in self._handles.race([work] * 8):
            expect(states == ["acquired", "done"] * 10, f"with many keys at once: {states}")

    def test_one_owner_at_a_time(self) -> None:
        """Whatever many do, a key has one owner at a time, who renews and settles its claim."""
        handles = (self._row, self._row.elsewhere())
        owners: list[str] = []

        def work(token: str) -> list[int]:
            attempts: list[int] = []
            for number in range(_ROUNDS):
                mine, other = handles if number % 2 else handles[::-1]
                attempts.append(mine.take(token).attempt)
                owners.append(token)
                pause()
                other.expect(token, "acquired", attempts[-1])
                expect(owners == [token], f"the key had {len(owners)} owners at a time")
                owners.remove(token)
                expect(other.release(token), "somebody took the key from its owner")
            return attempts

        workers = [partial(work, f"worker-{number}") for number in range(_WORKERS)]
        attempts = sorted(sum(self._handles.race(workers), list[int]()))
        wanted = list(range(1, _WORKERS * _ROUNDS + 1))
        expect(attempts == wanted, f"attempts must grow by 1: {attempts}")

    def test_one_of_many_forgets_deletes(self) -> None:
        """Of many calls for one done key at the same time one says that it deleted the row."""
        for _ in range(3):
            row = self._row.beside()
            row.claim()
            row.complete()
            told = self._handles.race([row.forget, row.elsewhere().forget] * 4)
            expect(sum(told) == 1, f"one of 8 must forget, got {told}")
            row.expect("two", "acquired", 1)

    def test_takeovers_and_forgets(self) -> None:
        """Where some claim a free or abandoned key and some forget it, one gets it and keeps it."""
        for is_free in (False, True) * 3:
            row = self._row.beside()
            row.claim("dead", lease=MOMENT)
            if is_free:
                row.release("dead")
            else:
                row.let_pass(MOMENT)
            claims = [partial(row.claim, f"racer-{number}") for number in range(6)]
            race: list[Callable[[], Claim | bool]] = [*claims, *[row.elsewhere().forget] * 6]
            answers = self._handles.race(race)
            seen = [one[:2] for one in answers if not isinstance(one, bool)]
            # Forgotten before the takeover, which is then the first attempt, or not at all.
            attempt = 2 - answers.count(True)
            wanted = [("acquired", attempt)] + [("busy", attempt)] * 5
            expect(sorted(seen) == wanted, f"one must take over, as {attempt}, got {seen}")
            owner = f"racer-{seen.index(wanted[0])}"
            expect(row.complete(owner), "somebody took the key from its owner")

    def _expect_one(self, row: Row, attempt: int) -> None:
        """Claim from many threads and two handles at once."""
        handles = (row, row.elsewhere())

        def claim(number: int) -> Claim:
            return handles[number % 2].claim(f"racer-{number}", fingerprint=f"{number:064x}")

        claims = self._handles.race([partial(claim, number) for number in range(RACERS)])
        states = [claim.state for claim in claims]
        wanted = ["acquired"] + ["busy"] * (RACERS - 1)
        expect(sorted(states) == wanted, f"one of {RACERS} claims must be acquired, got {states}")
        seen = {claim[1:3] for claim in claims}
        holder = (attempt, f"{states.index('acquired'):064x}")
        expect(seen == {holder}, f"all must see attempt and fingerprint of the holder, got {seen}")
