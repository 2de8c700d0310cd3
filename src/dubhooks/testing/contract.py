"""The contract of a store, as a test class: every store must pass all of it."""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING

from ._contract_case import MOMENT, OTHER, build_key, expect
from ._store_forgetting import StoreForgetting

if TYPE_CHECKING:
    from ._contract_case import Row

__all__ = ["StoreContract"]

_TEN_YEARS = 315_360_000
_LONGEST = 200
_EVERY_CHARACTER = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-:"
# Each pair is one that some engine takes for the same key: it ignores case, compares numbers or
# patterns, or cuts the end off.
_PAIRS = (
    ("evt_aB", "evt_Ab"),
    ("1", "1.0"),
    ("1e3", "1000"),
    ("007", "7"),
    ("a_c", "abc"),
    ("a", "a:a"),
    ("null", "NULL"),
    ("x" * 150 + "1", "x" * 150 + "2"),
)


class StoreContract(StoreForgetting):
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

    # -- one delivery after the other -------------------------------------------------------------

    def test_methods_are_all_sync_or_all_async(self) -> None:
        """The four methods are plain, or all four are coroutines."""
        store, names = self._handles.open(), ("claim", "complete", "release", "forget")
        missing = [name for name in names if not hasattr(store, name)]
        expect(not missing, f"the store has no method {' and no '.join(missing)}")
        kinds = {inspect.iscoroutinefunction(getattr(store, name)) for name in names}
        expect(len(kinds) == 1, f"{', '.join(names)} must all be coroutines or all not")

    def test_absent_key_is_acquired(self) -> None:
        """The first claim of a key is acquired and is attempt 1."""
        row = self._row()
        row.expect("one", "acquired", 1)

    def test_held_key_is_busy_for_another_token(self) -> None:
        """A held key is busy for others, who learn how long the lease still is."""
        row = self._row()
        row.claim("one", lease=60.0)
        busy = row.expect("two", "busy", 1)
        expect(busy.retry_after < 60.001, f"retry_after {busy.retry_after} is beyond the lease")

    def test_own_token_acquires_again(self) -> None:
        """A claim whose reply was lost can be made again: acquired, still the same attempt."""
        row = self._row()
        row.claim("one")
        row.expect("one", "acquired", 1)
        row.expect("two", "busy", 1)

    def test_renewal_extends_lease_and_retention(self) -> None:
        """A claim by the own token starts a new lease, and a new retention."""
        row = self._row()
        row.claim("one", lease=MOMENT, retention=2 * MOMENT)
        row.claim("one", lease=600.0, retention=900.0)
        row.let_pass(2 * MOMENT)
        busy = row.expect("two", "busy", 1)
        expect(500 < busy.retry_after < 600.001, f"the new lease of 600 s is over in {busy}")

    def test_own_token_acquires_again_after_its_lease(self) -> None:
        """A claim that nobody took over is renewed as the same attempt."""
        row = self._row()
        row.claim("one", lease=MOMENT)
        row.let_pass(MOMENT)
        row.expect("one", "acquired", 1)
        row.expect("two", "busy", 1)

    def test_lease_over_is_taken_over(self) -> None:
        """When the lease is over another token acquires the key, as the next attempt."""
        row = self._row()
        row.claim("one", lease=MOMENT)
        taken = row.take("two", lease=MOMENT)
        expect(taken.attempt == 2, f"the first takeover is attempt 2, not {taken.attempt}")
        taken = row.take("three")
        expect(taken.attempt == 3, f"the second takeover is attempt 3, not {taken.attempt}")

    def test_lease_is_not_taken_over_early(self) -> None:
        """Nobody acquires a held key before its lease, nor before the announced moment."""
        row = self._row()
        announced: list[tuple[float, float]] = []
        begin = time.monotonic()
        row.claim("one", lease=2 * MOMENT)
        while True:
            asked = time.monotonic()
            claim = row.claim("two")
            if claim.state == "acquired":
                break
            announced.append((asked + claim.retry_after, claim.retry_after))
            time.sleep(MOMENT / 20)
        # A server's clock may run at a slightly different rate.
        now = time.monotonic() + 0.02
        expect(now - begin >= 2 * MOMENT, f"taken over after {now - begin:.3f} s")
        early = [after for moment, after in announced if moment > now]
        expect(not early, f"taken over before the retry_after of {early} s had passed")
        afters = [after for _, after in announced]
        expect(afters == sorted(afters, reverse=True), f"retry_after grew: {afters}")

    def test_owner_whose_lease_is_over_still_completes(self) -> None:
        """A slow owner that nobody took over completes its claim."""
        row = self._row()
        row.claim("one", lease=MOMENT)
        row.let_pass(MOMENT)
        expect(row.complete("one"), "nobody took over, and complete was refused")
        row.expect("two", "done", 1)

    def test_zombie_changes_nothing(self) -> None:
        """An owner that was taken over neither completes nor releases the new owner's claim."""
        row = self._row()
        row.claim("one", lease=MOMENT)
        row.take("two")
        expect(not row.complete("one"), "the old owner completed after a takeover")
        row.expect("three", "busy", 2)
        expect(not row.release("one"), "the old owner released after a takeover")
        row.expect("three", "busy", 2)
        row.expect("one", "busy", 2)
        expect(row.complete("two"), "the new owner could not complete")

    # -- done -------------------------------------------------------------------------------------

    def test_completed_key_is_done_for_everyone(self) -> None:
        """After completion every claim says done, the owner's too."""
        row = self._row()
        row.claim("one")
        expect(row.complete("one"), "the owner could not complete")
        row.expect("two", "done", 1)
        row.expect("one", "done", 1)

    def test_done_outlives_the_lease(self) -> None:
        """A key completed by its second owner says so, and when its lease is over, too."""
        row = self._row()
        row.claim("one")
        row.release("one")
        row.claim("two", lease=MOMENT)
        row.complete("two")
        row.let_pass(MOMENT)
        row.expect("three", "done", 2)

    def test_done_key_has_no_owner(self) -> None:
        """Nobody holds a done key: it is neither completed again nor released, and stays done."""
        row = self._row()
        row.claim("one")
        row.complete("one")
        for token in ("one", "two"):
            expect(not row.complete(token), "a done key was completed again")
            expect(not row.release(token), "a done key was released")
        row.expect("two", "done", 1)

    def test_only_the_owner_completes(self) -> None:
        """Another token's completion is refused and changes nothing."""
        row = self._row()
        row.claim("one")
        for token in ("two", "", "ONE"):
            expect(not row.complete(token), f"{token!r} completed a claim of 'one'")
        row.expect("two", "busy", 1)

    def test_absent_key_is_neither_completed_nor_released(self) -> None:
        """Completing or releasing an absent key is refused and leaves it absent."""
        row = self._row()
        expect(not row.complete(), "an absent key was completed")
        expect(not row.release(), "an absent key was released")
        row.expect("two", "acquired", 1)

    # -- released ---------------------------------------------------------------------------------

    def test_released_key_is_acquired(self) -> None:
        """After a release anyone acquires the key at once, as the next attempt."""
        row = self._row()
        for attempt, token in enumerate(("one", "two", "two", "three"), start=1):
            row.expect(token, "acquired", attempt)
            expect(row.release(token), "the owner could not release")

    def test_only_the_owner_releases(self) -> None:
        """Another token's release is refused and changes nothing."""
        row = self._row()
        row.claim("one")
        for token in ("two", "", "ONE"):
            expect(not row.release(token), f"{token!r} released a claim of 'one'")
        row.expect("two", "busy", 1)

    def test_free_key_is_neither_completed_nor_released(self) -> None:
        """A released key has no owner: not even the last one completes or releases it."""
        row = self._row()
        row.claim("one")
        row.release("one")
        expect(not row.complete("one"), "a free key was completed")
        expect(not row.release("one"), "a free key was released again")
        row.expect("two", "acquired", 2)

    # -- retention --------------------------------------------------------------------------------

    def test_done_is_forgotten_after_its_retention(self) -> None:
        """A done key counts as absent after the retention: attempt 1, a new fingerprint."""
        row = self._row()
        row.claim("one")
        row.complete("one", retention=MOMENT)
        again = row.take("two", fingerprint=OTHER)
        expect(again[1:3] == (1, OTHER), f"after the retention everything starts anew: {again}")

    def test_retention_of_done_counts_from_its_completion(self) -> None:
        """The retention given to complete replaces the claim's, longer or shorter."""
        longer, deadline = self._row(), time.monotonic() + self.patience
        while not self._complete_in_time(longer):
            expect(time.monotonic() < deadline, "the store is too slow to complete a claim")
            longer = longer.beside()
        shorter = longer.beside()
        shorter.claim(retention=600.0)
        shorter.complete(retention=MOMENT)
        shorter.let_pass(MOMENT)
        longer.expect("two", "done", 1)
        shorter.expect("two", "acquired", 1)

    def _complete_in_time(self, row: Row) -> bool:
        """Complete a claim within its retention, unless the store stalls for that long."""
        begin = time.monotonic()
        row.claim(retention=MOMENT)
        is_done = row.complete(retention=600.0)
        is_late = time.monotonic() - begin > MOMENT
        expect(is_done or is_late, "a claim was forgotten too early")
        return is_done

    def test_claim_is_forgotten_after_its_retention(self) -> None:
        """A held key counts as absent after the retention, even during its lease."""
        row = self._row()
        row.claim("one", retention=MOMENT)
        row.let_pass(MOMENT)
        expect(not row.complete("one"), "a forgotten key was completed")
        expect(not row.release("one"), "a forgotten key was released")
        row.expect("two", "acquired", 1, fingerprint=OTHER, holder=OTHER)
        expect(not row.complete("one"), "the forgotten owner completed")

    def test_free_key_is_forgotten_after_its_retention(self) -> None:
        """A released key counts as absent after the retention."""
        row = self._row()
        row.claim("one", retention=MOMENT)
        row.release("one")
        row.let_pass(MOMENT)
        again = row.claim("two", fingerprint=OTHER)
        expect(again[:3] == ("acquired", 1, OTHER), f"everything starts anew: {again}")

    def test_fingerprint_is_the_holders(self) -> None:
        """Whoever acquires a key brings its own fingerprint; busy and done tell the holder's."""
        row = self._row()
        theirs = {"fingerprint": OTHER, "holder": OTHER}
        row.claim("one")
        row.expect("two", "busy", 1, fingerprint=OTHER)
        row.expect("one", "acquired", 1, **theirs)
        row.expect("two", "busy", 1, holder=OTHER)
        row.release("one")
        row.expect("two", "acquired", 2)
        row.expect("two", "acquired", 2, lease=MOMENT)
        row.let_pass(MOMENT)
        row.expect("three", "acquired", 3, **theirs)
        row.expect("four", "busy", 3, holder=OTHER)
        row.complete("three")
        row.expect("four", "done", 3, holder=OTHER)

    def test_durations_from_tiny_to_huge(self) -> None:
        """Leases and retentions from 50 ms to ten years work, and so do whole numbers."""
        tiny = self._row()
        huge, whole = tiny.beside(), tiny.beside()
        tiny.claim(lease=0.05)
        expect(tiny.take("two").attempt == 2, "no takeover of a tiny lease")
        tiny.complete("two", retention=0.05)
        expect(tiny.take("one").attempt == 1, "a tiny retention was kept")
        huge.claim(lease=_TEN_YEARS, retention=_TEN_YEARS)
        busy = huge.expect("two", "busy", 1)
        expect(abs(_TEN_YEARS - busy.retry_after) < 600, f"ten years shrank to {busy}")
        huge.complete(retention=_TEN_YEARS)
        huge.expect("two", "done", 1)
        whole.claim(lease=60, retention=3600)
        whole.complete(retention=3600)
        whole.expect("two", "done", 1)

    # -- keys -------------------------------------------------------------------------------------

    def test_similar_keys_are_different(self) -> None:
        """Keys that differ only a little, by case for example, are different keys."""
        row = self._row()
        for pair in _PAIRS:
            prefix = build_key("")
            for name, token in zip(pair, ("one", "two"), strict=True):
                similar = row.beside(f"{prefix}:{name}")
                similar.expect(token, "acquired", 1)
                expect(similar.complete(token), f"{similar.key!r} could not be completed")

    def test_every_key_is_kept_whole(self) -> None:
        """Keys have letters, digits and ``_ . - :``, and as many as 200 characters."""
        row, salt = self._row(), build_key("")[-16:]
        for key in (salt + _EVERY_CHARACTER, ("k" * _LONGEST + salt)[-_LONGEST:], f"{salt}.-_:"):
            whole = row.beside(key)
            whole.expect("one", "acquired", 1)
            expect(whole.complete(), f"{key!r} could not be completed")
            whole.expect("two", "done", 1)
