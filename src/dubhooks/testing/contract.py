"""The contract of a store, as a test class: every store must pass all of it."""

from __future__ import annotations

import inspect
import time

from ._contract_case import MOMENT, OTHER, expect
from ._store_forgetting import StoreForgetting

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
        store, names = self._open(), ("claim", "complete", "release", "forget")
        missing = [name for name in names if not hasattr(store, name)]
        expect(not missing, f"the store has no method {' and no '.join(missing)}")
        kinds = {inspect.iscoroutinefunction(getattr(store, name)) for name in names}
        expect(len(kinds) == 1, f"{', '.join(names)} must all be coroutines or all not")

    def test_absent_key_is_acquired(self) -> None:
        """The first claim of a key is acquired and is attempt 1."""
        store, key = self._store(), self._key()
        self._expect_claim(store, key, "one", "acquired", 1)

    def test_held_key_is_busy_for_another_token(self) -> None:
        """A held key is busy for others, who learn how long the lease still is."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one", lease=60.0)
        busy = self._expect_claim(store, key, "two", "busy", 1)
        expect(busy.retry_after < 60.001, f"retry_after {busy.retry_after} is beyond the lease")

    def test_own_token_acquires_again(self) -> None:
        """A claim whose reply was lost can be made again: acquired, still the same attempt."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one")
        self._expect_claim(store, key, "one", "acquired", 1)
        self._expect_claim(store, key, "two", "busy", 1)

    def test_renewal_extends_the_lease(self) -> None:
        """A claim by the own token starts a new lease."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one", lease=MOMENT)
        self._claim(store, key, "one", lease=600.0)
        self._let_pass(store, MOMENT)
        busy = self._expect_claim(store, key, "two", "busy", 1)
        expect(500 < busy.retry_after < 600.001, f"the new lease of 600 s is over in {busy}")

    def test_renewal_extends_the_retention(self) -> None:
        """A claim by the own token starts a new retention."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one", retention=MOMENT)
        self._claim(store, key, "one", retention=600.0)
        self._let_pass(store, MOMENT)
        self._expect_claim(store, key, "two", "busy", 1)

    def test_own_token_acquires_again_after_its_lease(self) -> None:
        """A claim that nobody took over is renewed as the same attempt."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one", lease=MOMENT)
        self._let_pass(store, MOMENT)
        self._expect_claim(store, key, "one", "acquired", 1)
        self._expect_claim(store, key, "two", "busy", 1)

    def test_lease_over_is_taken_over(self) -> None:
        """When the lease is over another token acquires the key, as the next attempt."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one", lease=MOMENT)
        taken = self._until_acquired(store, key, "two", lease=MOMENT)
        expect(taken.attempt == 2, f"the first takeover is attempt 2, not {taken.attempt}")
        taken = self._until_acquired(store, key, "three")
        expect(taken.attempt == 3, f"the second takeover is attempt 3, not {taken.attempt}")

    def test_lease_is_not_taken_over_early(self) -> None:
        """Nobody acquires a held key before its lease, nor before the announced moment."""
        store, key = self._store(), self._key()
        announced: list[tuple[float, float]] = []
        begin = time.monotonic()
        self._claim(store, key, "one", lease=2 * MOMENT)
        while True:
            asked = time.monotonic()
            claim = self._claim(store, key, "two")
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
        store, key = self._store(), self._key()
        self._claim(store, key, "one", lease=MOMENT)
        self._let_pass(store, MOMENT)
        expect(self._complete(store, key, "one"), "nobody took over, and complete was refused")
        self._expect_claim(store, key, "two", "done", 1)

    def test_zombie_changes_nothing(self) -> None:
        """An owner that was taken over neither completes nor releases the new owner's claim."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one", lease=MOMENT)
        self._until_acquired(store, key, "two")
        expect(not self._complete(store, key, "one"), "the old owner completed after a takeover")
        self._expect_claim(store, key, "three", "busy", 2)
        expect(not self._release(store, key, "one"), "the old owner released after a takeover")
        self._expect_claim(store, key, "three", "busy", 2)
        self._expect_claim(store, key, "one", "busy", 2)
        expect(self._complete(store, key, "two"), "the new owner could not complete")

    # -- done -------------------------------------------------------------------------------------

    def test_completed_key_is_done_for_everyone(self) -> None:
        """After completion every claim says done, the owner's too."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one")
        expect(self._complete(store, key, "one"), "the owner could not complete")
        self._expect_claim(store, key, "two", "done", 1)
        self._expect_claim(store, key, "one", "done", 1)

    def test_done_outlives_the_lease(self) -> None:
        """A completed key stays done when the lease it was claimed with is over."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one", lease=MOMENT)
        self._complete(store, key, "one")
        self._let_pass(store, MOMENT)
        self._expect_claim(store, key, "two", "done", 1)

    def test_done_keeps_its_attempt(self) -> None:
        """A key completed by its second owner says so."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one")
        self._release(store, key, "one")
        self._claim(store, key, "two")
        self._complete(store, key, "two")
        self._expect_claim(store, key, "three", "done", 2)

    def test_completing_twice(self) -> None:
        """The second completion is refused, because nobody holds a done key, and it stays done."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one")
        self._complete(store, key, "one")
        expect(not self._complete(store, key, "one"), "a done key was completed again")
        self._expect_claim(store, key, "two", "done", 1)

    def test_release_after_complete(self) -> None:
        """A done key cannot be released, by anyone."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one")
        self._complete(store, key, "one")
        for token in ("one", "two"):
            expect(not self._release(store, key, token), "a done key was released")
        self._expect_claim(store, key, "two", "done", 1)

    def test_only_the_owner_completes(self) -> None:
        """Another token's completion is refused and changes nothing."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one")
        for token in ("two", "", "ONE"):
            expect(not self._complete(store, key, token), f"{token!r} completed a claim of 'one'")
        self._expect_claim(store, key, "two", "busy", 1)

    def test_absent_key_is_neither_completed_nor_released(self) -> None:
        """Completing or releasing an absent key is refused and leaves it absent."""
        store, key = self._store(), self._key()
        expect(not self._complete(store, key), "an absent key was completed")
        expect(not self._release(store, key), "an absent key was released")
        self._expect_claim(store, key, "two", "acquired", 1)

    # -- released ---------------------------------------------------------------------------------

    def test_released_key_is_acquired(self) -> None:
        """After a release anyone acquires the key at once, as the next attempt."""
        store, key = self._store(), self._key()
        for attempt, token in enumerate(("one", "two", "two", "three"), start=1):
            self._expect_claim(store, key, token, "acquired", attempt)
            expect(self._release(store, key, token), "the owner could not release")

    def test_only_the_owner_releases(self) -> None:
        """Another token's release is refused and changes nothing."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one")
        for token in ("two", "", "ONE"):
            expect(not self._release(store, key, token), f"{token!r} released a claim of 'one'")
        self._expect_claim(store, key, "two", "busy", 1)

    def test_free_key_is_neither_completed_nor_released(self) -> None:
        """A released key has no owner: not even the last one completes or releases it."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one")
        self._release(store, key, "one")
        expect(not self._complete(store, key, "one"), "a free key was completed")
        expect(not self._release(store, key, "one"), "a free key was released again")
        self._expect_claim(store, key, "two", "acquired", 2)

    # -- retention --------------------------------------------------------------------------------

    def test_done_is_forgotten_after_its_retention(self) -> None:
        """A done key counts as absent after the retention: attempt 1, a new fingerprint."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one")
        self._complete(store, key, "one", retention=MOMENT)
        again = self._until_acquired(store, key, "two", fingerprint=OTHER)
        expect(again[1:3] == (1, OTHER), f"after the retention everything starts anew: {again}")

    def test_retention_of_done_counts_from_its_completion(self) -> None:
        """The retention given to complete replaces the claim's, longer or shorter."""
        store, shorter = self._store(), self._key()

        def complete_in_time() -> str | None:
            key, begin = self._key(), time.monotonic()
            self._claim(store, key, retention=MOMENT)
            if self._complete(store, key, retention=600.0):
                return key
            expect(time.monotonic() - begin > MOMENT, "a claim was forgotten too early")
            return None

        longer = self._until(complete_in_time, "completing within the retention")
        self._claim(store, shorter, retention=600.0)
        self._complete(store, shorter, retention=MOMENT)
        self._let_pass(store, MOMENT)
        self._expect_claim(store, longer, "two", "done", 1)
        self._until_acquired(store, shorter, "two")

    def test_claim_is_forgotten_after_its_retention(self) -> None:
        """A held key counts as absent after the retention, even during its lease."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one", retention=MOMENT)
        again = self._until_acquired(store, key, "two", fingerprint=OTHER)
        expect(again[1:3] == (1, OTHER), f"after the retention everything starts anew: {again}")
        expect(not self._complete(store, key, "one"), "the forgotten owner completed")

    def test_forgotten_claim_has_no_owner(self) -> None:
        """After its retention a held key is neither completed nor released."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one", retention=MOMENT)
        self._let_pass(store, MOMENT)
        expect(not self._complete(store, key, "one"), "a forgotten key was completed")
        expect(not self._release(store, key, "one"), "a forgotten key was released")
        self._expect_claim(store, key, "two", "acquired", 1)

    def test_free_key_is_forgotten_after_its_retention(self) -> None:
        """A released key counts as absent after the retention."""
        store, key = self._store(), self._key()
        self._claim(store, key, "one", retention=MOMENT)
        self._release(store, key, "one")
        self._let_pass(store, MOMENT)
        again = self._claim(store, key, "two", fingerprint=OTHER)
        expect(again[:3] == ("acquired", 1, OTHER), f"everything starts anew: {again}")

    def test_fingerprint_is_the_holders(self) -> None:
        """Whoever acquires a key brings its own fingerprint; busy and done tell the holder's."""
        store, key = self._store(), self._key()
        theirs = {"fingerprint": OTHER, "holder": OTHER}
        self._claim(store, key, "one")
        self._expect_claim(store, key, "two", "busy", 1, fingerprint=OTHER)
        self._expect_claim(store, key, "one", "acquired", 1, **theirs)
        self._expect_claim(store, key, "two", "busy", 1, holder=OTHER)
        self._release(store, key, "one")
        self._expect_claim(store, key, "two", "acquired", 2)
        self._expect_claim(store, key, "two", "acquired", 2, lease=MOMENT)
        self._let_pass(store, MOMENT)
        self._expect_claim(store, key, "three", "acquired", 3, **theirs)
        self._expect_claim(store, key, "four", "busy", 3, holder=OTHER)
        self._complete(store, key, "three")
        self._expect_claim(store, key, "four", "done", 3, holder=OTHER)

    def test_durations_from_tiny_to_huge(self) -> None:
        """Leases and retentions from 50 ms to ten years work, and so do whole numbers."""
        store = self._store()
        tiny, huge, whole = self._key(), self._key(), self._key()
        self._claim(store, tiny, lease=0.05)
        expect(self._until_acquired(store, tiny, "two").attempt == 2, "no takeover of a tiny lease")
        self._complete(store, tiny, "two", retention=0.05)
        expect(self._until_acquired(store, tiny, "one").attempt == 1, "a tiny retention was kept")
        self._claim(store, huge, lease=_TEN_YEARS, retention=_TEN_YEARS)
        busy = self._expect_claim(store, huge, "two", "busy", 1)
        expect(abs(_TEN_YEARS - busy.retry_after) < 600, f"ten years shrank to {busy}")
        self._complete(store, huge, retention=_TEN_YEARS)
        self._expect_claim(store, huge, "two", "done", 1)
        self._claim(store, whole, lease=60, retention=3600)
        self._complete(store, whole, retention=3600)
        self._expect_claim(store, whole, "two", "done", 1)

    # -- keys -------------------------------------------------------------------------------------

    def test_similar_keys_are_different(self) -> None:
        """Keys that differ only a little, by case for example, are different keys."""
        store = self._store()
        for name, similar in _PAIRS:
            prefix = self._key("")
            for key, token in ((f"{prefix}:{name}", "one"), (f"{prefix}:{similar}", "two")):
                self._expect_claim(store, key, token, "acquired", 1)
                expect(self._complete(store, key, token), f"{key!r} could not be completed")

    def test_every_key_is_kept_whole(self) -> None:
        """Keys have letters, digits and ``_ . - :``, and as many as 200 characters."""
        store, salt = self._store(), self._key("")[-16:]
        for key in (salt + _EVERY_CHARACTER, ("k" * _LONGEST + salt)[-_LONGEST:], f"{salt}.-_:"):
            self._expect_claim(store, key, "one", "acquired", 1)
            expect(self._complete(store, key), f"{key!r} could not be completed")
            self._expect_claim(store, key, "two", "done", 1)
