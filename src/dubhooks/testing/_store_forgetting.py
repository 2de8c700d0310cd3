"""The part of the store contract in which keys are forgotten."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from ._contract_case import MOMENT, OTHER, expect, pause
from ._store_races import StoreRaces

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..idempotency import Claim

__all__ = ["StoreForgetting"]


class StoreForgetting(StoreRaces):
    """What ``forget`` deletes, and what it must not delete."""

    def test_done_key_is_forgotten(self) -> None:
        """A done key is deleted, once, and then claimed as if it had never been there."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one")
        self._release(store, key, "one")
        self._claim(store, key, "two")
        self._complete(store, key, "two")
        expect(self._forget(store, key), "a done key was not forgotten")
        expect(not self._forget(store, key), "a key was forgotten twice")
        self._expect_claim(store, key, "one", "acquired", 1, fingerprint=OTHER, holder=OTHER)
        self._expect_claim(store, key, "two", "busy", 1, holder=OTHER)

    def test_free_key_is_forgotten(self) -> None:
        """A released key is deleted: the next claim is attempt 1 again."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one")
        self._release(store, key, "one")
        expect(self._forget(store, key), "a released key was not forgotten")
        expect(not self._forget(store, key), "a key was forgotten twice")
        self._expect_claim(store, key, "two", "acquired", 1)

    def test_key_whose_lease_is_over_is_forgotten(self) -> None:
        """A key whose owner let the lease end is deleted, and that owner has lost it."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one", lease=MOMENT)
        self._let_pass(store, MOMENT)
        expect(self._forget(store, key), "a key whose lease is over was not forgotten")
        expect(not self._complete(store, key, "one"), "a forgotten key was completed")
        expect(not self._release(store, key, "one"), "a forgotten key was released")
        self._expect_claim(store, key, "two", "acquired", 1)
        expect(not self._complete(store, key, "one"), "the forgotten owner completed")
        self._expect_claim(store, key, "one", "busy", 1)

    def test_held_key_is_not_forgotten(self) -> None:
        """While a lease runs nothing is deleted, and its owner completes."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one")
        self._release(store, key, "one")
        self._claim(store, key, "two")
        expect(not self._forget(store, key), "a key was forgotten while its lease runs")
        self._expect_claim(store, key, "three", "busy", 2)
        expect(self._complete(store, key, "two"), "forget took the key from its owner")
        self._expect_claim(store, key, "three", "done", 2)

    def test_renewed_key_is_not_forgotten(self) -> None:
        """A lease that was renewed runs on: its first length does not count."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one", lease=MOMENT)
        self._claim(store, key, "one", lease=600.0)
        self._let_pass(store, MOMENT)
        expect(not self._forget(store, key), "a key was forgotten while its new lease runs")
        expect(self._complete(store, key, "one"), "forget took the key from its owner")

    def test_absent_key_is_not_forgotten(self) -> None:
        """Where nothing is, nothing is deleted, and the key stays absent."""
        store, key, neighbour = self._store(), self._key(), self._key()
        self._claim(store, neighbour)
        self._complete(store, neighbour)
        expect(not self._forget(store, key), "an absent key was forgotten")
        self._expect_claim(store, key, "one", "acquired", 1)
        self._expect_claim(store, neighbour, "one", "done", 1)

    def test_key_older_than_its_retention_is_not_forgotten(self) -> None:
        """A row older than its retention counts as absent, whatever its state was."""
        store = self._store()
        done, free, held, ended = (self._key() for _ in range(4))
        self._claim(store, done)
        self._complete(store, done, retention=MOMENT)
        for key, lease in ((free, 600.0), (held, 600.0), (ended, MOMENT / 2)):
            self._claim(store, key, lease=lease, retention=MOMENT)
        self._release(store, free)
        self._let_pass(store, MOMENT)
        for key in (done, free, held, ended):
            expect(not self._forget(store, key), "a key was forgotten after its retention")
            self._expect_claim(store, key, "two", "acquired", 1)

    def test_another_handle_forgets(self) -> None:
        """What one handle completed another one forgets, and not what the first still holds."""
        store, other = self._store(), self._store()
        done, held = self._key(), self._key()
        for key in (done, held):
            self._claim(store, key)
        self._complete(store, done)
        expect(self._forget(other, done), "another handle could not forget")
        expect(not self._forget(other, held), "another handle forgot while a lease runs")
        self._expect_claim(store, done, "two", "acquired", 1)
        self._expect_claim(store, held, "two", "busy", 1)

    # -- at the same time -----------------------------------------------------------------------

    def test_one_of_many_forgets_deletes(self) -> None:
        """Of many calls for one done key at the same time one says that it deleted the row."""
        store, other = self._store(), self._store()
        for _ in range(3):
            key = self._key()
            self._claim(store, key)
            self._complete(store, key)
            told = self._race([partial(self._forget, each, key) for each in (store, other) * 4])
            expect(sum(told) == 1, f"one of 8 must forget, got {told}")
            self._expect_claim(store, key, "two", "acquired", 1)

    def test_takeovers_and_forgets(self) -> None:
        """Where some take over and some forget, one takes the key and nobody takes it away."""
        store, other = self._store(), self._store()

        def race(key: str, number: int) -> Claim | bool:
            if number % 2:
                return self._claim(store, key, f"racer-{number}")
            return self._forget(other, key)

        keys = [self._key() for _ in range(3)]
        for key in keys:
            self._claim(store, key, "dead", lease=MOMENT)
        self._let_pass(store, MOMENT)
        for key in keys:
            answers = self._race([partial(race, key, number) for number in range(12)])
            claims = [answer for answer in answers if not isinstance(answer, bool)]
            states = sorted(claim.state for claim in claims)
            expect(states == ["acquired"] + ["busy"] * 5, f"one must take over, got {states}")
            # Forgotten before the takeover, which is then the first attempt, or not at all.
            forgets = answers.count(True)
            expect(forgets < 2, f"a key was forgotten {forgets} times")
            attempt, seen = 2 - forgets, {claim.attempt for claim in claims}
            expect(seen == {attempt}, f"all must see attempt {attempt}, got {seen}")

    def test_one_owner_at_a_time_while_others_forget(self) -> None:
        """Forgetting takes no key from its owner, whoever claims, completes and releases it."""
        store, other, key, rounds = self._store(), self._store(), self._key(), 4
        seconds = self.patience / 2
        deadline = time.monotonic() + seconds
        running = [f"worker-{number}" for number in range(4)]
        owners: list[str] = []
        most: set[int] = set()
        settled: set[bool] = set()

        def work(token: str) -> int:
            runs = 0
            while runs < rounds and time.monotonic() < deadline:
                if self._claim(store, key, token).state == "acquired":
                    owners.append(token)
                    pause()
                    most.add(len(owners))
                    owners.remove(token)
                    settle = self._complete if runs % 2 else self._release
                    settled.add(settle(store, key, token))
                    runs += 1
                pause()
            running.remove(token)
            return runs

        def forget() -> int:
            while running and time.monotonic() < deadline:
                self._forget(other, key)
                pause()
            return rounds

        workers: list[Callable[[], int]] = [partial(work, token) for token in running]
        runs = self._race([*workers, forget, forget])
        expect(settled == {True}, "forget took the key from its owner")
        expect(most == {1}, f"the key had {max(most, default=0)} owners at the same time")
        expect(runs == [rounds] * len(runs), f"a done key was not forgotten in {seconds} s")
