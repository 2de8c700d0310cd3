"""What the tests of all stores share."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from time import sleep
from typing import Any

from dubhooks.idempotency import Claim
from tests.support.fake_clock import FakeClock

FINGERPRINT = "f" * 64
ONE = "one"


def claim(store: Any, key: str = "k", token: str = ONE, **changes: Any) -> Claim:
    """Claim with durations that no test waits for."""
    durations = {"lease": 60.0, "retention": 3600.0, **changes}
    claimed: Claim = store.claim(key, token, fingerprint=FINGERPRINT, **durations)
    return claimed


def check_clock_set_back_and_forth(store: Any, clock: FakeClock) -> None:
    """Check that a server's clock set back delays a takeover by one lease at most."""
    claim(store, lease=5.0, retention=86_400.0)
    claim(store, "done")
    store.complete("done", "one", retention=7200.0)
    clock.set("-3600")
    assert not store.forget("k"), "a key was forgotten while its lease may run"
    assert claim(store, token="two").retry_after < 5.1
    assert claim(store, "done", "two").state == "done"
    clock.set("+0")
    assert claim(store, token="two", retention=86_400.0)[:2] == ("acquired", 2)
    assert not store.complete("k", "one", retention=60.0), "the old owner completed"
    clock.set("+3600")
    assert claim(store, "done", "two").state == "done"
    assert claim(store, token="three")[:2] == ("acquired", 3)


def check_purge_while_claiming(
    store: Any, leave_thread: Callable[[], object] | None = None
) -> None:
    """Check that purges never delete a row that a claim has just taken."""
    stop, deleted = threading.Event(), []

    def purge() -> None:
        while not stop.is_set():
            deleted.append(store.purge())
        if leave_thread is not None:
            leave_thread()

    thread = threading.Thread(target=purge)
    thread.start()
    try:
        for number in range(150):
            key = f"again-{number % 3}"
            # It may be purged before MySQL's second statement reads it: busy, come again.
            claim(store, key, f"t{number}", retention=0.002)
            sleep(0.003)  # the retention is over: a purge and the next claim race for the row
            assert claim(store, key, f"u{number}", retention=60.0).state == "acquired"
            assert store.complete(key, f"u{number}", retention=0.001)
            sleep(0.002)
    finally:
        stop.set()
        thread.join()
    assert sum(deleted) > 0


def check_fork_after_use(store: Any) -> None:
    """Check that children of a process that has claimed share no connection with it."""
    claim(store, "parent")
    children = []
    for number in range(3):
        child = os.fork()
        if child == 0:
            os._exit(_claims_in_a_child(store, number))
        children.append(child)
    for number in range(50):
        assert claim(store, f"parent-{number}").state == "acquired"
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0, 0, 0]
    assert claim(store, "parent", "two").state == "busy"
    assert store.complete("parent", "one", retention=60.0)
    assert store.forget("parent")


def _claims_in_a_child(store: Any, number: int) -> int:
    try:
        for each in range(50):
            claimed = claim(store, f"child-{number}-{each}")
            if claimed.state != "acquired" or claimed.fingerprint != FINGERPRINT:
                return 2
        if store.forget("parent"):
            return 4
        return 0 if claim(store, "parent", "child").state == "busy" else 3
    except Exception:  # noqa: BLE001 - a child only says that it failed
        return 1
