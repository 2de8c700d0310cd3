"""The contract itself: a store with a defect must fail it, and say why."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from dubhooks import MemoryStore
from dubhooks.idempotency._keys import list_keys_of
from dubhooks.testing import StoreContract, contract
from dubhooks.testing._contract_case import MOMENT
from tests.support.stores.broken_stores import (
    Changed,
    claim,
    complete,
    forget,
    make_broken,
    release,
)


def failure_of(store: Any, test: str, error: type[BaseException] = AssertionError) -> str:
    """Run one test of the contract on ``store`` and return what it complains of."""

    class Contract(StoreContract):
        patience = 1.0

        def make_store(self) -> Any:
            return store

    instance = Contract()
    try:
        with pytest.raises(error) as caught:
            getattr(instance, f"test_{test}")()
    finally:
        instance.teardown_method()
    return str(caught.value)


@pytest.mark.parametrize(
    ("defect", "test", "complaint"),
    [
        ("ignores tokens", "only_the_owner_completes", "'two' completed a claim of 'one'"),
        ("ignores tokens", "only_the_owner_releases", "'two' released a claim of 'one'"),
        ("ignores tokens", "zombie_changes_nothing", "the old owner completed after a takeover"),
        ("refuses renewal", "own_token_acquires_again", "'busy'"),
        ("refuses renewal", "renewals_keep_the_key", "the owner could not renew its claim"),
        ("never takes over", "lease_over_is_taken_over", "did not happen in 1.0 s"),
        ("never takes over", "held_key_is_busy_for_another_token", "is beyond the lease"),
        ("takes over early", "lease_is_not_taken_over_early", "taken over after"),
        ("keeps for ever", "done_is_forgotten_after_its_retention", "did not happen in 1.0 s"),
        ("keeps for ever", "claim_is_forgotten_after_its_retention", "a forgotten key was"),
        ("keeps for ever", "free_key_is_forgotten_after_its_retention", "everything starts anew"),
        ("ignores case", "similar_keys_are_different", "'acquired'"),
        ("cuts keys", "every_key_is_kept_whole", "could not be completed"),
        ("tells the new fingerprint", "fingerprint_is_the_holders", "('busy', 1, 'aaaa"),
        ("tells the new fingerprint", "one_of_many_claims_is_acquired", "fingerprint of the"),
        ("keeps the first fingerprint", "fingerprint_is_the_holders", "('acquired', 1, 'bbbb"),
        ("keeps the first fingerprint", "one_of_many_takeovers_is_acquired", "fingerprint of"),
        ("has no forget", "methods_are_all_sync_or_all_async", "the store has no method forget"),
        ("forgets during a lease", "held_key_is_not_forgotten", "while its lease runs"),
        ("forgets during a lease", "renewed_key_is_not_forgotten", "while its new lease runs"),
        ("says true for nothing", "absent_key_is_not_forgotten", "an absent key was forgotten"),
        ("says true for nothing", "one_of_many_forgets_deletes", "one of 8 must forget"),
        ("forgets nothing", "done_key_is_forgotten", "a done key was not forgotten"),
        ("forgets nothing", "free_key_is_forgotten", "a released key was not forgotten"),
        ("forgets nothing", "key_whose_lease_is_over_is_forgotten", "was not forgotten"),
        ("forgets in words only", "done_key_is_forgotten", "a key was forgotten twice"),
        ("frees instead of forgetting", "another_handle_forgets", "('acquired', 1, "),
        ("looks, then forgets", "one_owner_at_a_time_while_others_forget", "took the key from"),
        ("counts no attempts", "lease_over_is_taken_over", "the first takeover is attempt 2"),
        ("counts no attempts", "one_owner_at_a_time", "attempts must grow by 1"),
        ("frees instead of completing", "done_key_has_no_owner", "'done'"),
        ("looks, then leaps", "one_of_many_claims_is_acquired", "one of 16 claims must be"),
        ("half async", "methods_are_all_sync_or_all_async", "must all be coroutines or all not"),
    ],
)
def test_defect_is_found(defect: str, test: str, complaint: str) -> None:
    """A store with a defect fails the test of it, with a message that names it."""
    assert complaint in failure_of(make_broken(defect), test)


def claiming(**changes: Any) -> Any:
    """Return a ``claim`` that changes what a right one returns."""
    return lambda *call, **rest: claim(*call, **rest)._replace(**changes)


@pytest.mark.parametrize(
    ("method", "wrong", "test", "complaint"),
    [
        (
            *("claim", lambda *call, **rest: tuple(claim(*call, **rest))),
            *("absent_key_is_acquired", "a dubhooks.idempotency.Claim is wanted"),
        ),
        ("claim", claiming(state="mine"), "absent_key_is_acquired", "no such state"),
        ("claim", claiming(attempt=1.0), "absent_key_is_acquired", "attempt must be an int"),
        ("claim", claiming(fingerprint=b"a"), "absent_key_is_acquired", "must be a str"),
        ("claim", claiming(retry_after=1.0), "absent_key_is_acquired", "must be 0 unless busy"),
        (
            *("claim", claiming(retry_after=0.0)),
            *("held_key_is_busy_for_another_token", "of a busy key must be positive"),
        ),
        (
            *("complete", lambda *call, **rest: int(complete(*call, **rest))),
            *("done_key_has_no_owner", "complete returned 1: True or False is wanted"),
        ),
        (
            *("release", lambda *call: None if release(*call) else False),
            *("released_key_is_acquired", "release returned None"),
        ),
        (
            *("forget", lambda *call: int(forget(*call))),
            *("done_key_is_forgotten", "forget returned 1: True or False is wanted"),
        ),
    ],
)
def test_wrong_answer_is_found(method: str, wrong: Any, test: str, complaint: str) -> None:
    """A store that returns what the protocol does not allow is told what is wanted."""
    assert complaint in failure_of(Changed(**{method: wrong}), test)


def test_slow_store_is_no_defect() -> None:
    """A store that stalls once for longer than a retention makes the contract wait, not fail."""
    stalls = [2 * MOMENT]

    def stall(*call: Any, **rest: Any) -> Any:
        time.sleep(stalls.pop() if stalls else 0.0)
        return complete(*call, **rest)

    class Contract(StoreContract):
        def make_store(self) -> Any:
            return self.__dict__.setdefault("store", Changed(complete=stall))

    instance = Contract()
    instance.test_retention_of_done_counts_from_its_completion()
    instance.teardown_method()
    assert not stalls


def test_error_in_a_thread_fails_the_test() -> None:
    """What a store raises in a thread of the contract is raised by the test."""
    complaint = failure_of(make_broken("fails in threads"), "many_keys_at_once", RuntimeError)
    assert complaint == "made in another thread"


@pytest.mark.parametrize("defect", ["hangs in threads", "hangs on its loop"])
def test_hanging_store_fails_the_test(defect: str) -> None:
    """A store that does not return fails the test when the patience is over."""
    begin = time.monotonic()
    complaint = failure_of(make_broken(defect), "many_keys_at_once", TimeoutError)
    assert complaint == "the store did not return in time"
    assert time.monotonic() - begin < 15


def test_contract_without_a_store() -> None:
    """A contract that makes no store says what to override."""
    instance = StoreContract()
    with pytest.raises(NotImplementedError, match=r"override make_store\(\)"):
        instance.test_absent_key_is_acquired()
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
    store = MemoryStore()

    class Contract(StoreContract):
        def make_store(self) -> Any:
            return store

        def leave_thread(self) -> None:
            left.append(threading.get_ident())

        def close_store(self, store: object) -> None:
            closed.append(store)

    instance = Contract()
    instance.test_many_keys_at_once()
    instance.test_handles_share_their_storage()
    instance.teardown_method()
    assert len(left) == 8
    assert threading.get_ident() not in left
    assert closed == [store]
