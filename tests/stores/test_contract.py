"""The contract itself: a store with a defect must fail it, and say why."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from dubhooks.idempotency._keys import list_keys_of
from dubhooks.testing import StoreContract, contract
from tests.support.stores import broken_stores as broken
from tests.support.stores.broken_stores import Model


def failure_of(store: Model, test: str, error: type[BaseException] = AssertionError) -> str:
    """Run one test of the contract on ``store`` and return what it complains of."""

    class Contract(StoreContract):
        patience = 1.0

        def make_store(self) -> Model:
            return store

    instance = Contract()
    try:
        with pytest.raises(error) as caught:
            getattr(instance, f"test_{test}")()
    finally:
        instance.teardown_method()
    return str(caught.value)


@pytest.mark.parametrize(
    ("store", "test", "complaint"),
    [
        (
            "IgnoresTokens",
            "only_the_owner_completes_or_releases",
            "'two' completed a claim of 'one'",
        ),
        ("IgnoresTokens", "lease_over_is_taken_over", "an old owner completed after a takeover"),
        ("RefusesRenewal", "own_token_acquires_again", "'busy'"),
        ("RefusesRenewal", "completed_key_is_done", "complete was refused"),
        ("RefusesRenewal", "one_owner_at_a_time", "'busy'"),
        ("NeverTakesOver", "lease_over_is_taken_over", "did not happen in 1.0 s"),
        ("NeverTakesOver", "held_key_is_busy_for_others", "is beyond the lease"),
        ("TakesOverEarly", "lease_is_not_taken_over_early", "taken over after"),
        ("KeepsForEver", "key_is_absent_after_its_retention", "completed after its retention"),
        ("IgnoresCase", "every_key_is_a_key_of_its_own", "'acquired'"),
        ("CutsKeys", "every_key_is_a_key_of_its_own", "could not be completed"),
        ("TakesTheNewFingerprint", "fingerprint_is_the_holders", "('busy', 1, 'aaaa"),
        ("TakesTheNewFingerprint", "one_of_many_claims_is_acquired", "fingerprint of the holder"),
        ("KeepsTheFirstFingerprint", "fingerprint_is_the_holders", "('acquired', 1, 'bbbb"),
        ("KeepsTheFirstFingerprint", "one_of_many_claims_is_acquired", "fingerprint of the holder"),
        ("HasNoForget", "methods_are_all_sync_or_all_async", "the store has no method forget"),
        ("ForgetsDuringALease", "held_key_is_not_forgotten", "while its lease runs"),
        ("ForgetsDuringALease", "renewal_extends_lease_and_retention", "while its new lease runs"),
        (
            "ForgetsDuringALease",
            "key_is_absent_after_its_retention",
            "forgotten after its retention",
        ),
        ("SaysTrueForNothing", "absent_key_stays_absent", "an absent key was forgotten"),
        ("SaysTrueForNothing", "key_that_nobody_holds_is_forgotten", "a key was forgotten twice"),
        ("SaysTrueForNothing", "one_of_many_forgets_deletes", "one of 8 must forget"),
        ("ForgetsNothing", "key_that_nobody_holds_is_forgotten", "was not forgotten"),
        ("ForgetsInWordsOnly", "key_that_nobody_holds_is_forgotten", "a key was forgotten twice"),
        ("FreesInsteadOfForgetting", "one_of_many_forgets_deletes", "one of 8 must forget"),
        ("FreesInsteadOfForgetting", "held_key_is_not_forgotten", "('acquired', 1, "),
        ("LooksThenForgets", "takeovers_and_forgets", "one must take over"),
        ("CountsNoAttempts", "lease_over_is_taken_over", "the first takeover is attempt 2, not 1"),
        ("CountsNoAttempts", "one_owner_at_a_time", "attempts must grow by 1"),
        ("ForgetsDone", "completed_key_is_done", "'done'"),
        ("LooksThenLeaps", "one_of_many_claims_is_acquired", "one of 16 claims must be acquired"),
        ("HalfAsync", "methods_are_all_sync_or_all_async", "must all be coroutines or all not"),
    ],
)
def test_defect_is_found(store: str, test: str, complaint: str) -> None:
    """A store with a defect fails the test of it, with a message that names it."""
    assert complaint in failure_of(getattr(broken, store)(), test)


@pytest.mark.parametrize(
    ("changes", "test", "complaint"),
    [
        ({"claim": tuple}, "held_key_is_busy_for_others", "a dubhooks.idempotency.Claim is wanted"),
        ({"claim": {"state": "mine"}}, "held_key_is_busy_for_others", "no such state"),
        ({"claim": {"attempt": 1.0}}, "held_key_is_busy_for_others", "an int and a str are wanted"),
        ({"claim": {"fingerprint": b"a"}}, "held_key_is_busy_for_others", "a str are wanted"),
        ({"claim": {"retry_after": 1.0}}, "released_key_is_acquired", "and else 0"),
        ({"claim": {"retry_after": 0.0}}, "held_key_is_busy_for_others", "positive when busy"),
        ({"complete": 1}, "completed_key_is_done", "complete returned 1: True or False is wanted"),
        ({"release": None}, "released_key_is_acquired", "release returned None"),
        ({"forget": 1}, "held_key_is_not_forgotten", "forget returned 1: True or False is wanted"),
    ],
)
def test_wrong_answer_is_found(changes: dict[str, Any], test: str, complaint: str) -> None:
    """A store that returns what the protocol does not allow is told what is wanted."""
    assert complaint in failure_of(broken.Changes(**changes), test)


def test_slow_store_is_no_defect() -> None:
    """A store that stalls makes the contract wait, not fail."""

    class Contract(StoreContract):
        def make_store(self) -> Model:
            return self.__dict__.setdefault("store", broken.SlowAtFirst())  # type: ignore[no-any-return]

    instance = Contract()
    instance.test_retention_of_done_counts_from_its_completion()
    instance.teardown_method()
    assert instance.__dict__["store"].stalls == 0


def test_error_in_a_thread_fails_the_test() -> None:
    """What a store raises in a thread of the contract is raised by the test."""
    complaint = failure_of(broken.RaisesInThreads(), "many_keys_at_once", RuntimeError)
    assert complaint == "made in another thread"


@pytest.mark.parametrize("store", [broken.HangsInThreads, broken.HangsOnItsLoop])
def test_hanging_store_fails_the_test(store: type[Model]) -> None:
    """A store that does not return fails the test when the patience is over."""
    begin = time.monotonic()
    complaint = failure_of(store(), "many_keys_at_once", TimeoutError)
    assert complaint == "the store did not return in time"
    assert time.monotonic() - begin < 15


def test_contract_without_a_store() -> None:
    """A contract that makes no store says what to override."""
    instance = StoreContract()
    with pytest.raises(NotImplementedError, match=r"override make_store\(\)"):
        instance.test_released_key_is_acquired()
    instance.teardown_method()


def test_contract_covers_every_key() -> None:
    """The longest keys that dubhooks makes, and every character in them, are in the contract."""
    longest = "n" * 64
    ids = ["i" * 120, "i" * 121, "évén:ement\0", "A.b_c-9"]
    keys = [key for one in ids for key in list_keys_of(longest, "postback", one)]
    assert max(map(len, keys)) <= contract._LONGEST
    assert set("".join(keys)) <= set(contract._EVERY_CHARACTER)
    assert len(set(keys)) == len(keys)


def test_threads_are_left_one_by_one() -> None:
    """``leave_thread`` runs in every thread of the contract, and handles are closed once."""
    left: list[int] = []
    closed: list[object] = []
    store = Model()

    class Contract(StoreContract):
        def make_store(self) -> Model:
            return store

        def leave_thread(self) -> None:
            left.append(threading.get_ident())

        def close_store(self, store: object) -> None:
            closed.append(store)

    instance = Contract()
    instance.test_many_keys_at_once()
    instance.test_held_key_is_not_forgotten()
    instance.teardown_method()
    assert len(left) == 8
    assert threading.get_ident() not in left
    assert closed == [store]
