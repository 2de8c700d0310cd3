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
        row = self._row()
        row.claim("one")
        row.release("one")
        row.claim("two")
        row.complete("two")
        expect(row.forget(), "a done key was not forgotten")
        expect(not row.forget(), "a key was forgotten twice")
        row.expect("one", "acquired", 1, fingerprint=OTHER, holder=OTHER)
        row.expect("two", "busy", 1, holder=OTHER)

    def test_free_key_is_forgotten(self) -> None:
        """A released key is deleted: the next claim is attempt 1 again."""
        row = self._row()
        row.claim("one")
        row.release("one")
        expect(row.forget(), "a released key was not forgotten")
        expect(not row.forget(), "a key was forgotten twice")
        row.expect("two", "acquired", 1)

    def test_key_whose_lease_is_over_is_forgotten(self) -> None:
        """A key whose owner let the lease end is deleted, and that owner has lost it."""
        row = self._row()
        row.claim("one", lease=MOMENT)
        row.let_pass(MOMENT)
        expect(row.forget(), "a key whose lease is over was not forgotten")
        expect(not row.complete("one"), "a forgotten key was completed")
        expect(not row.release("one"), "a forgotten key was released")
        row.expect("two", "acquired", 1)
        expect(not row.complete("one"), "the forgotten owner completed")
        row.expect("one", "busy", 1)

    def test_held_key_is_not_forgotten(self) -> None:
        """While a lease runs nothing is deleted, and its owner completes."""
        row = self._row()
        row.claim("one")
        row.release("one")
        row.claim("two")
        expect(not row.forget(), "a key was forgotten while its lease runs")
        row.expect("three", "busy", 2)
        expect(row.complete("two"), "forget took the key from its owner")
        row.expect("three", "done", 2)

    def test_renewed_key_is_not_forgotten(self) -> None:
        """A lease that was renewed runs on: its first length does not count."""
        row = self._row()
        row.claim("one", lease=MOMENT)
        row.claim("one", lease=600.0)
        row.let_pass(MOMENT)
        expect(not row.forget(), "a key was forgotten while its new lease runs")
        expect(row.complete("one"), "forget took the key from its owner")

    def test_absent_key_is_not_forgotten(self) -> None:
        """Where nothing is, nothing is deleted, and the key stays absent."""
        row = self._row()
        neighbour = row.beside()
        neighbour.claim()
        neighbour.complete()
        expect(not row.forget(), "an absent key was forgotten")
        row.expect("one", "acquired", 1)
        neighbour.expect("one", "done", 1)

    def test_key_older_than_its_retention_is_not_forgotten(self) -> None:
        """A row older than its retention counts as absent, whatever its state was."""
        done = self._row()
        free, held, ended = (done.beside() for _ in range(3))
        done.claim()
        done.complete(retention=MOMENT)
        for row, lease in ((free, 600.0), (held, 600.0), (ended, MOMENT / 2)):
            row.claim(lease=lease, retention=MOMENT)
        free.release()
        done.let_pass(MOMENT)
        for row in (done, free, held, ended):
            expect(not row.forget(), "a key was forgotten after its retention")
            row.expect("two", "acquired", 1)

    def test_another_handle_forgets(self) -> None:
        """What one handle completed another one forgets, and not what the first still holds."""
        done, held = self._row(), self._row()
        for row in (done, held):
            row.claim()
        done.complete()
        expect(done.elsewhere().forget(), "another handle could not forget")
        expect(not held.elsewhere().forget(), "another handle forgot while a lease runs")
        done.expect("two", "acquired", 1)
        held.expect("two", "busy", 1)

    # -- at the same time -----------------------------------------------------------------------

    def test_one_of_many_forgets_deletes(self) -> None:
        """Of many calls for one done key at the same time one says that it deleted the row."""
        for _ in range(3):
            row = self._row()
            row.claim()
            row.complete()
            told = self._race([row.forget, row.elsewhere().forget] * 4)
            expect(sum(told) == 1, f"one of 8 must forget, got {told}")
            row.expect("two", "acquired", 1)

    def test_takeovers_and_forgets(self) -> None:
        """Where some take over and some forget, one takes the key and nobody takes it away."""
        for _ in range(3):
            row = self._row()
            row.claim("dead", lease=MOMENT)
            row.let_pass(MOMENT)
            claims = [partial(row.claim, f"racer-{number}") for number in range(6)]
            race: list[Callable[[], Claim | bool]] = [*claims, *[row.elsewhere().forget] * 6]
            answers = self._race(race)
            states = sorted(each.state for each in answers if not isinstance(each, bool))
            expect(states == ["acquired"] + ["busy"] * 5, f"one must take over, got {states}")
            # Forgotten before the takeover, which is then the first attempt, or not at all.
            forgets = answers.count(True)
            expect(forgets < 2, f"a key was forgotten {forgets} times")
            attempt, seen = 2 - forgets, {e.attempt for e in answers if not isinstance(e, bool)}
            expect(seen == {attempt}, f"all must see attempt {attempt}, got {seen}")

    def test_one_owner_at_a_time_while_others_forget(self) -> None:
        """Forgetting takes no key from its owner, whoever claims, completes and releases it."""
        row, rounds = self._row(), 4
        other = row.elsewhere()
        seconds = self.patience / 2
        deadline = time.monotonic() + seconds
        running = [f"worker-{number}" for number in range(4)]
        owners: list[str] = []
        most: set[int] = set()
        settled: set[bool] = set()

        def work(token: str) -> int:
            runs = 0
            while runs < rounds and time.monotonic() < deadline:
                if row.claim(token).state == "acquired":
                    owners.append(token)
                    pause()
                    most.add(len(owners))
                    owners.remove(token)
                    settle = row.complete if runs % 2 else row.release
                    settled.add(settle(token))
                    runs += 1
                pause()
            running.remove(token)
            return runs

        def forget() -> int:
            while running and time.monotonic() < deadline:
                other.forget()
                pause()
            return rounds

        workers: list[Callable[[], int]] = [partial(work, token) for token in running]
        runs = self._race([*workers, forget, forget])
        expect(settled == {True}, "forget took the key from its owner")
        expect(most == {1}, f"the key had {max(most, default=0)} owners at the same time")
        expect(runs == [rounds] * len(runs), f"a done key was not forgotten in {seconds} s")
