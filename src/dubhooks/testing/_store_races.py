"""The part of the store contract in which many act at the same time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ._contract_case import MOMENT, StoreCase, expect, pause

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..idempotency import Claim
    from ._contract_case import Row

__all__ = ["StoreRaces"]

_RACERS = 16
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

        for states in self._race([work] * 8):
            expect(states == ["acquired", "done"] * 10, f"with many keys at once: {states}")

    def test_one_owner_at_a_time(self) -> None:
        """Whatever many do, a key has one owner at a time, who renews and settles its claim."""
        attempts = sorted(self._contend(forgets=False))
        wanted = list(range(1, _WORKERS * _ROUNDS + 1))
        expect(attempts == wanted, f"attempts must grow by 1: {attempts}")

    def test_one_owner_at_a_time_while_others_forget(self) -> None:
        """Forgetting takes no key from its owner, whoever claims and completes it."""
        self._contend(forgets=True)

    def test_one_of_many_forgets_deletes(self) -> None:
        """Of many calls for one done key at the same time one says that it deleted the row."""
        for _ in range(3):
            row = self._row.beside()
            row.claim()
            row.complete()
            told = self._race([row.forget, row.elsewhere().forget] * 4)
            expect(sum(told) == 1, f"one of 8 must forget, got {told}")
            row.expect("two", "acquired", 1)

    def test_takeovers_and_forgets(self) -> None:
        """Where some take over and some forget, one takes the key and nobody takes it away."""
        for _ in range(3):
            row = self._row.beside()
            row.claim("dead", lease=MOMENT)
            row.let_pass(MOMENT)
            claims = [partial(row.claim, f"racer-{number}") for number in range(6)]
            race: list[Callable[[], Claim | bool]] = [*claims, *[row.elsewhere().forget] * 6]
            answers = self._race(race)
            seen = sorted(one[:2] for one in answers if not isinstance(one, bool))
            # Forgotten before the takeover, which is then the first attempt, or not at all.
            attempt = 2 - answers.count(True)
            wanted = [("acquired", attempt)] + [("busy", attempt)] * 5
            expect(attempt > 0 and seen == wanted, f"one must take over, as {attempt}, got {seen}")

    def _expect_one(self, row: Row, attempt: int) -> None:
        """Claim from many threads and two handles at once."""
        __tracebackhide__ = True
        handles = (row, row.elsewhere())

        def claim(number: int) -> Claim:
            return handles[number % 2].claim(f"racer-{number}", fingerprint=f"{number:064x}")

        claims = self._race([partial(claim, number) for number in range(_RACERS)])
        states = [claim.state for claim in claims]
        wanted = ["acquired"] + ["busy"] * (_RACERS - 1)
        expect(sorted(states) == wanted, f"one of {_RACERS} claims must be acquired, got {states}")
        seen = {claim[1:3] for claim in claims}
        holder = (attempt, f"{states.index('acquired'):064x}")
        expect(seen == {holder}, f"all must see attempt and fingerprint of the holder, got {seen}")

    def _contend(self, *, forgets: bool) -> list[int]:
        """Let many own a key in turns, through two handles, and return their attempts."""
        row = self._row
        handles = (row, row.elsewhere())
        owners: list[str] = []
        working = [f"worker-{number}" for number in range(_WORKERS)]

        def work(token: str) -> list[int]:
            attempts: list[int] = []
            try:
                for number in range(_ROUNDS):
                    mine, other = handles if number % 2 else handles[::-1]
                    attempts.append(mine.take(token).attempt)
                    owners.append(token)
                    pause()
                    if not forgets:
                        other.expect(token, "acquired", attempts[-1])
                    expect(owners == [token], f"the key had {len(owners)} owners at a time")
                    owners.remove(token)
                    settle = other.complete if forgets and number % 2 else other.release
                    expect(settle(token), "somebody took the key from its owner")
            finally:
                working.remove(token)
            return attempts

        def forget() -> list[int]:
            while working:
                row.forget()
                pause()
            return []

        racers: list[Callable[[], list[int]]] = [partial(work, token) for token in working]
        results = self._race([*racers, *[forget] * 2 * forgets])
        return [attempt for attempts in results for attempt in attempts]
