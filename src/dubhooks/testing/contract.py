"""The contract of a store, as a test class: every store must pass all of it."""

from __future__ import annotations

import inspect
import time

from ._contract_case import MOMENT, OTHER, build_key, expect
from ._store_races import StoreRaces

__all__ = ["StoreContract"]

_TEN_YEARS = 315_360_000
_LONGEST = 200
_EVERY_CHARACTER = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-:"
_SIMILAR = ("evt_aB", "evt_Ab", "a_c", "abc", "a", "a:a", "x" * 150 + "1", "x" * 150 + "2")
"""Keys of which some engine takes two for the same: it ignores case, or takes a key for a pattern
or a prefix, or cuts the end off."""


class StoreContract(StoreRaces):
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
        row = self._row
        row.expect("one", "acquired", 1, lease=60.0)
        busy = row.expect("two", "busy", 1)
        expect(busy.retry_after < 60.001, f"retry_after {busy.retry_after} is beyond the lease")

    def test_own_token_acquires_again(self) -> None:
        """A claim that nobody took over is renewed as the same attempt, even after its lease."""
        row = self._row
        row.claim("one")
        row.expect("one", "acquired", 1, lease=MOMENT)
        row.expect("two", "busy", 1)
        row.let_pass(MOMENT)
        row.expect("one", "acquired", 1)
        row.expect("two", "busy", 1)

    def test_renewal_extends_lease_and_retention(self) -> None:
        """A claim by the own token starts a new lease, and a new retention."""
        row = self._row
        row.claim("one", lease=MOMENT, retention=2 * MOMENT)
        row.claim("one", lease=600.0, retention=900.0)
        row.let_pass(2 * MOMENT)
        busy = row.expect("two", "busy", 1)
        expect(500 < busy.retry_after < 600.001, f"the new lease of 600 s is over in {busy}")
        expect(not row.forget(), "a key was forgotten while its new lease runs")
        expect(row.complete("one"), "forget took the key from its owner")

    def test_lease_is_not_taken_over_early(self) -> None:
        """Nobody acquires a held key before its lease, nor before the announced moment."""
        row, announced = self._row, list[float]()
        begin = asked = time.monotonic()
        row.claim("one", lease=2 * MOMENT)
        while (claim := row.claim("two")).state != "acquired":
            announced.append(asked + claim.retry_after)
            time.sleep(MOMENT / 20)
            asked = time.monotonic()
        # A server's clock may run at a slightly different rate.
        now = time.monotonic() + 0.02
        expect(now - begin >= 2 * MOMENT, f"taken over after {now - begin:.3f} s")
        early = max(announced, default=now) - now
        expect(early <= 0, f"taken over {early:.3f} s before a retry_after had passed")

    def test_lease_over_is_taken_over(self) -> None:
        """After the lease another token acquires the key, and the old owner has lost it."""
        row = self._row
        row.claim("one", lease=MOMENT)
        taken = row.take("two", lease=MOMENT)
        expect(taken.attempt == 2, f"the first takeover is attempt 2, not {taken.attempt}")
        taken = row.take("three")
        expect(taken.attempt == 3, f"the second takeover is attempt 3, not {taken.attempt}")
        for zombie in ("one", "two"):
            expect(not row.complete(zombie), "an old owner completed after a takeover")
            expect(not row.release(zombie), "an old owner released after a takeover")
            row.expect(zombie, "busy", 3)
        expect(row.complete("three"), "the new owner could not complete")

    def test_only_the_owner_completes_or_releases(self) -> None:
        """What another token tries is refused and changes nothing."""
        row = self._row
        row.claim("one")
        for token in ("two", "", "ONE"):
            expect(not row.complete(token), f"{token!r} completed a claim of 'one'")
            expect(not row.release(token), f"{token!r} released a claim of 'one'")
        row.expect("two", "busy", 1)

    # -- done, free, absent -----------------------------------------------------------------------

    def test_completed_key_is_done(self) -> None:
        """An owner completes even after its lease; then the key is done for all, and nobody's."""
        row = self._row
        row.claim("one")
        row.release("one")
        row.claim("two", lease=MOMENT)
        row.let_pass(MOMENT)
        expect(row.complete("two"), "nobody took over, and complete was refused")
        for token in ("two", "three", "two"):
            row.expect(token, "done", 2)
            expect(not row.complete(token), "a done key was completed again")
            expect(not row.release(token), "a done key was released")

    def test_released_key_is_acquired(self) -> None:
        """A released key has no owner, and anyone acquires it at once, as the next attempt."""
        row = self._row
        for attempt, token in enumerate(("one", "two", "two", "three"), start=1):
            row.expect(token, "acquired", attempt)
            expect(row.release(token), "the owner could not release")
            expect(not row.complete(token), "a free key was completed")
            expect(not row.release(token), "a free key was released again")

    def test_absent_key_stays_absent(self) -> None:
        """Where nothing is, nothing is completed, released or forgotten, nor what is beside it."""
        row = self._row
        neighbour = row.beside()
        neighbour.claim()
        neighbour.complete()
        expect(not row.complete(), "an absent key was completed")
        expect(not row.release(), "an absent key was released")
        expect(not row.forget(), "an absent key was forgotten")
        row.expect("two", "acquired", 1)
        neighbour.expect("two", "done", 1)

    def test_fingerprint_is_the_holders(self) -> None:
        """Whoever acquires a key brings its own fingerprint; busy and done tell the holder's."""
        row = self._row
        theirs = {"fingerprint": OTHER, "holder": OTHER}
        row.claim("one")
        row.expect("two", "busy", 1, fingerprint=OTHER)
        row.expect("one", "acquired", 1, **theirs)
        row.expect("two", "busy", 1, holder=OTHER)
        row.release("one")
        row.expect("two", "acquired", 2, lease=MOMENT)
        row.let_pass(MOMENT)
        row.expect("three", "acquired", 3, **theirs)
        row.expect("four", "busy", 3, holder=OTHER)
        row.complete("three")
        row.expect("four", "done", 3, holder=OTHER)

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
        row = self._row
        other = row.elsewhere()
        row.claim("one")
        row.release("one")
        row.claim("two")
        for handle in (row, other):
            expect(not handle.forget(), "a key was forgotten while its lease runs")
        row.expect("three", "busy", 2)
        expect(row.complete("two"), "forget took the key from its owner")
        row.expect("three", "done", 2)
        expect(other.forget(), "another handle could not forget")
        row.expect("three", "acquired", 1)

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
        row = self._row
        row.claim(lease=_TEN_YEARS, retention=_TEN_YEARS)
        busy = row.expect("two", "busy", 1)
        expect(abs(_TEN_YEARS - busy.retry_after) < 600, f"ten years shrank to {busy}")
        row.complete(retention=_TEN_YEARS)
        row.expect("two", "done", 1)

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
