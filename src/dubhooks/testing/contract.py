"""The contract of a store, as a test class: every store must pass all of it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from functools import partial

from ..idempotency import Claim
from ._contract_case import MOMENT, OTHER, RACERS, Row, StoreCase, build_key, expect, pause

__all__ = ["StoreContract"]

_TEN_YEARS = 315_360_000
_LONGEST = 200
_WORKERS, _ROUNDS = 6, 4
_EVERY_CHARACTER = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-:"
_SIMILAR = ("evt_aB", "evt_Ab", "a_c", "abc", "a", "a:a", "x" * 150 + "1", "x" * 150 + "2")
"""Keys of which some engine takes two for the same: it ignores case, or takes a key for a pattern
or a prefix, or cuts the end off."""


class StoreContract(StoreCase):
    """Inherit from it and return your store; pytest does the rest.

    For example::

        class TestMyStore(StoreContract):
            def make_store(self) -> MyStore:
                return MyStore("a place that is the same for the whole test")

    The store may be a :class:`~dubhooks.idempotency.Store` or an
    :class:`~dubhooks.idempotency.AsyncStore`.  Coroutines, ``async def
    make_store`` too, run on one event loop for each test.  Either kind is
    called from many threads at once.

    Tests of time wait until the store's own clock is there, so a slow machine
    makes them slow, not wrong.  It takes some five seconds on a fast store.
    """

    def test_methods_are_all_sync_or_all_async(self) -> None:
        """The four methods are plain, or all four are coroutines."""
        store, names = self._handles.open(), ("claim", "complete", "release", "forget")
        missing = [name for name in names if not hasattr(store, name)]
        expect(not missing, f"the store has no method {' and no '.join(missing)}")
        kinds = {inspect.iscoroutinefunction(getattr(store, name)) for name in names}
        expect(len(kinds) == 1, f"{', '.join(names)} must all be coroutines or all not")

    # -- held -------------------------------------------------------------------------------------

    def test_held_key_is_busy_for_others(self) -> None:
        """The first claim is acquired, and others learn how long its lease still is."""
        self._row.expect("one", "acquired", 1, lease=60.0)
        busy = self._row.expect("two", "busy", 1)
        expect(busy.retry_after < 60.001, f"retry_after {busy.retry_after} is beyond the lease")

    def test_own_token_acquires_again(self) -> None:
        """A claim that nobody took over is renewed as the same attempt, even after its lease."""
        self._row.claim("one")
        self._row.expect("one", "acquired", 1, lease=MOMENT)
        self._row.expect("two", "busy", 1)
        self._row.let_pass(MOMENT)
        self._row.expect("one", "acquired", 1)
        self._row.expect("two", "busy", 1)

    def test_renewal_extends_lease_and_retention(self) -> None:
        """A claim by the own token starts a new lease, and a new retention."""
        self._row.claim("one", lease=MOMENT, retention=2 * MOMENT)
        self._row.claim("one", lease=600.0, retention=900.0)
        self._row.let_pass(2 * MOMENT)
        busy = self._row.expect("two", "busy", 1)
        expect(500 < busy.retry_after < 600.001, f"the new lease of 600 s is over in {busy}")
        expect(not self._row.forget(), "a key was forgotten while its new lease runs")
        expect(self._row.complete("one"), "forget took the key from its owner")

    def test_lease_is_not_taken_over_early(self) -> None:
        """Nobody acquires a held key before its lease, nor before the announced moment."""
        row, begin = self._row, time.monotonic()
        row.claim("one", lease=2 * MOMENT)
        asked = time.monotonic()
        busy = row.claim("two")
        row.take("two")
        # A server's clock may run at a slightly different rate.
        now = time.monotonic() + 0.02
        expect(now - begin >= 2 * MOMENT, f"taken over after {now - begin:.3f} s")
        early = asked + busy.retry_after - now
        expect(early <= 0, f"taken over {early:.3f} s before its retry_after had passed")

    def test_lease_over_is_taken_over(self) -> None:
        """After the lease another token acquires the key, and the old owner has lost it."""
        self._row.claim("one", lease=MOMENT)
        taken = self._row.take("two", lease=MOMENT)
        expect(taken.attempt == 2, f"the first takeover is attempt 2, not {taken.attempt}")
        taken = self._row.take("three")
        expect(taken.attempt == 3, f"the second takeover is attempt 3, not {taken.attempt}")
        for zombie in ("one", "two"):
            expect(not self._row.complete(zombie), "an old owner completed after a takeover")
            expect(not self._row.release(zombie), "an old owner released after a takeover")
            self._row.expect(zombie, "busy", 3)
        expect(self._row.complete("three"), "the new owner could not complete")

    def test_only_the_owner_completes_or_releases(self) -> None:
        """What another token tries is refused and changes nothing."""
        self._row.claim("one")
        for token in ("two", "", "ONE"):
            expect(not self._row.complete(token), f"{token!r} completed a claim of 'one'")
            expect(not self._row.release(token), f"{token!r} released a claim of 'one'")
        self._row.expect("two", "busy", 1)

    # -- done, free, absent -----------------------------------------------------------------------

    def test_completed_key_is_done(self) -> None:
        """An owner completes even after its lease; then the key is done for all, and nobody's."""
        self._row.claim("one")
        self._row.release("one")
        self._row.claim("two", lease=MOMENT)
        self._row.let_pass(MOMENT)
        expect(self._row.complete("two"), "nobody took over, and complete was refused")
        for token in ("two", "three", "two"):
            self._row.expect(token, "done", 2)
            expect(not self._row.complete(token), "a done key was completed again")
            expect(not self._row.release(token), "a done key was released")

    def test_released_key_is_acquired(self) -> None:
        """A released key has no owner, and anyone acquires it at once, as the next attempt."""
        for attempt, token in enumerate(("one", "two", "two", "three"), start=1):
            self._row.expect(token, "acquired", attempt)
            expect(self._row.release(token), "the owner could not release")
            expect(not self._row.complete(token), "a free key was completed")
            expect(not self._row.release(token), "a free key was released again")

    def test_absent_key_stays_absent(self) -> None:
        """Where nothing is, nothing is completed, released or forgotten, nor what is beside it."""
        neighbour = self._row.beside()
        neighbour.claim()
        neighbour.complete()
        expect(not self._row.complete(), "an absent key was completed")
        expect(not self._row.release(), "an absent key was released")
        expect(not self._row.forget(), "an absent key was forgotten")
        self._row.expect("two", "acquired", 1)
        neighbour.expect("two", "done", 1)

    def test_fingerprint_is_the_holders(self) -> None:
        """Whoever acquires a key brings its own fingerprint; busy and done tell the holder's."""
        theirs = {"fingerprint": OTHER, "holder": OTHER}
        self._row.claim("one")
        self._row.expect("two", "busy", 1, fingerprint=OTHER)
        self._row.expect("one", "acquired", 1, **theirs)
        self._row.expect("two", "busy", 1, holder=OTHER)
        self._row.release("one")
        self._row.expect("two", "acquired", 2, lease=MOMENT)
        self._row.let_pass(MOMENT)
        self._row.expect("three", "acquired", 3, **theirs)
        self._row.expect("four", "busy", 3, holder=OTHER)
        self._row.complete("three")
        self._row.expect("four", "done", 3, holder=OTHER)

    # -- forgotten --------------------------------------------------------------------------------

    def test_key_that_nobody_holds_is_forgotten(self) -> None:
        """A done, a free and an abandoned key are deleted once, as if they had never been there."""
        done, free, ended = (self._row.beside() for _ in range(3))
        for row in (done, free, ended):
            row.claim("one")
            row.release("one")
        done.claim("two")
        done.complete("two")
        ended.claim("two", lease=MOMENT)
        ended.let_pass(MOMENT)
        for row in (done, free, ended):
            expect(row.forget(), "a key that nobody holds was not forgotten")
            expect(not row.forget(), "a key was forgotten twice")
            expect(not row.complete("two"), "a forgotten key was completed")
            row.expect("one", "acquired", 1, fingerprint=OTHER, holder=OTHER)
            expect(not row.complete("two"), "the forgotten owner completed")

    def test_held_key_is_not_forgotten(self) -> None:
        """While a lease runs no handle deletes anything; when the key is done, any does."""
        other = self._row.elsewhere()
        self._row.claim("one")
        self._row.release("one")
        self._row.claim("two")
        for handle in (self._row, other):
            expect(not handle.forget(), "a key was forgotten while its lease runs")
        self._row.expect("three", "busy", 2)
        expect(self._row.complete("two"), "forget took the key from its owner")
        self._row.expect("three", "done", 2)
        expect(other.forget(), "another handle could not forget")
        self._row.expect("three", "acquired", 1)

    def test_key_is_absent_after_its_retention(self) -> None:
        """Whatever its state was, a key older than its retention counts as absent."""
        done, free, ended, held, late = (self._row.beside() for _ in range(5))
        done.claim()
        done.complete(retention=MOMENT)
        for row, lease in ((free, 600.0), (ended, MOMENT / 2), (held, 600.0), (late, 600.0)):
            row.claim(lease=lease, retention=MOMENT)
        free.release()
        done.let_pass(MOMENT)
        expect(not late.complete(), "a claim was completed after its retention")
        expect(not late.release(), "a claim was released after its retention")
        for row in (done, free, ended, held, late):
            expect(not row.forget(), "a key was forgotten after its retention")
            row.expect("two", "acquired", 1, fingerprint=OTHER, holder=OTHER)
            expect(not row.complete("one"), "an owner completed after its retention")

    def test_retention_of_done_counts_from_its_completion(self) -> None:
        """The retention given to complete replaces the claim's."""
        row, deadline = self._row, time.monotonic() + self.patience
        row.claim(retention=MOMENT)
        while not row.complete(retention=600.0):  # a slow store has forgotten the claim
            expect(time.monotonic() < deadline, "the store is too slow to complete a claim")
            row = row.beside()
            row.claim(retention=MOMENT)
        row.let_pass(MOMENT)
        row.expect("two", "done", 1)

    def test_ten_years(self) -> None:
        """Leases and retentions may be very long, and whole numbers."""
        self._row.claim(lease=_TEN_YEARS, retention=_TEN_YEARS)
        busy = self._row.expect("two", "busy", 1)
        expect(abs(_TEN_YEARS - busy.retry_after) < 600, f"ten years shrank to {busy}")
        self._row.complete(retention=_TEN_YEARS)
        self._row.expect("two", "done", 1)

    def test_every_key_is_a_key_of_its_own(self) -> None:
        """Keys have letters, digits and ``_ . - :``, and as many as 200 characters."""
        prefix, salt = build_key(""), build_key("")[-16:]
        keys = [f"{prefix}:{name}" for name in _SIMILAR]
        keys += [salt + _EVERY_CHARACTER, ("k" * _LONGEST + salt)[-_LONGEST:], f"{salt}.-_:"]
        rows = [self._row.beside(key) for key in keys]
        for row in rows:
            row.expect("one", "acquired", 1)
            expect(row.complete(), f"{row.key!r} could not be completed")
        for row in rows:
            row.expect("two", "done", 1)

    # -- many at once -----------------------------------------------------------------------------

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
            owner = [state for state, _ in seen].index("acquired")
            expect(row.complete(f"racer-{owner}"), "somebody took the key from its owner")

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
