"""RecordingStore: a store like any other, and what its records tell about an event."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from dubhooks import ConfigurationError, Reject, RetryLater, Webhooks
from dubhooks.testing import RecordingStore, StoreContract, make_event, signed_request
from dubhooks.webhooks import CommissionCreated, SaleCreated
from tests.support.receiving import SECRET, changed

SALE = make_event(SaleCreated)
LEASE: dict[str, Any] = {"fingerprint": "f", "lease": 60.0, "retention": 3600.0}


class TestRecordingStore(StoreContract):
    """It keeps what every store promises."""

    _shared = RecordingStore()

    def make_store(self) -> RecordingStore:
        """Return the one store of this process."""
        return self._shared


def deliver(hooks: Webhooks, body: bytes) -> str:
    """Deliver a body and return its outcome."""
    return hooks.handle(*signed_request(body, SECRET)).outcome


def receiver(store: RecordingStore, *answers: Exception | None, **settings: Any) -> Webhooks:
    """Return a receiver of sales whose handler raises these in turn, the last one for ever."""
    hooks = Webhooks(SECRET, store=store, **settings)
    left = list(answers)

    @hooks.on(SaleCreated)
    def sale(_: SaleCreated) -> None:
        answer = left.pop(0) if len(left) > 1 else (left or [None])[0]
        if answer is not None:
            raise answer

    return hooks


def fault_of(store: RecordingStore) -> str:
    """Return what the assertion says about the sale, without the id."""
    with pytest.raises(AssertionError) as failed:
        store.assert_completed_once(SALE)
    event_id, _, fault = str(failed.value).partition(" ")
    assert event_id == SALE.id
    return fault


def test_a_handled_event_is_completed_once() -> None:
    """A handled delivery and its duplicate are one completion, and every call is on record."""
    store = RecordingStore()
    hooks = receiver(store)
    assert [deliver(hooks, SALE.to_json()) for _ in range(2)] == ["handled", "duplicate"]
    store.assert_completed_once(SALE)
    assert [record.what for record in store.records] == ["acquired", "completed", "done"]
    assert store.keys == [f"default:{SALE.id}"]
    first, second, third = store.records
    assert first.token == second.token != third.token


def test_records_of_one_event() -> None:
    """Events are told apart, and their namespace does not matter."""
    store, other = RecordingStore(), make_event(SaleCreated)
    deliver(receiver(store, namespace="shop"), SALE.to_json())
    deliver(receiver(store, namespace="club"), other.to_json())
    assert [record.key for record in store.records_of(SALE)] == [f"shop:{SALE.id}"] * 2
    assert store.count("completed") == 2
    assert store.count("completed", other) == 1
    assert store.count("released", other) == 0
    assert store.keys == [f"shop:{SALE.id}", f"club:{other.id}"]
    store.assert_completed_once(SALE)


def test_an_odd_id_is_found() -> None:
    """An id that is hashed in its key is found all the same."""
    store, odd = RecordingStore(), make_event(SaleCreated, id="evt: ü")
    deliver(receiver(store), odd.to_json())
    store.assert_completed_once(odd)


def test_a_retry_after_a_failure_counts_once() -> None:
    """Releases before the one completion are no second run."""
    store = RecordingStore()
    hooks = receiver(store, RetryLater(after=1), None)
    assert [deliver(hooks, SALE.to_json()) for _ in range(2)] == ["retry", "handled"]
    assert store.count("released", SALE) == 1
    store.assert_completed_once(SALE)


def test_a_rejected_event_is_completed() -> None:
    """A store cannot tell a rejection from success, as its documentation says."""
    store = RecordingStore()
    assert deliver(receiver(store, Reject()), SALE.to_json()) == "rejected"
    store.assert_completed_once(SALE)


def test_nothing_was_claimed() -> None:
    """A store that no receiver used says so."""
    assert "nor was any: does the receiver have this store?" in fault_of(RecordingStore())


def test_another_event_was_claimed() -> None:
    """The keys that were claimed are named."""
    store, other = RecordingStore(), make_event(SaleCreated)
    deliver(receiver(store), other.to_json())
    assert f"was not claimed, only default:{other.id}" in fault_of(store)


def test_a_failed_event_is_not_completed() -> None:
    """A handler that failed each time left the event free."""
    store = RecordingStore()
    deliver(receiver(store, RetryLater(after=1)), SALE.to_json())
    assert "its handler raised or answered outside 2xx" in fault_of(store)
    assert fault_of(store).endswith("(store: acquired, released)")


def test_a_handler_that_runs_is_not_completed() -> None:
    """A claim that is still held is neither."""
    store = RecordingStore()
    store.claim(f"default:{SALE.id}", "one", **LEASE)
    store.claim(f"default:{SALE.id}", "two", **LEASE)
    assert "still running" in fault_of(store)
    assert fault_of(store).endswith("(store: acquired, busy)")


def test_the_same_thing_under_another_id_did_not_run() -> None:
    """An event that was done under another event id is completed, but its handler did not run."""
    store, again = RecordingStore(), make_event(CommissionCreated)
    hooks = Webhooks(SECRET, store=store)
    hooks.on(CommissionCreated, dedupe="natural")(lambda _: None)
    assert deliver(hooks, again.to_json()) == "handled"
    assert deliver(hooks, changed(again, id=SALE.id)) == "duplicate"
    assert store.count("completed", SALE) == 1
    assert "was done before under another event id" in fault_of(store)
    store.assert_completed_once(again)


def test_a_run_that_lost_its_lease_is_a_second_run() -> None:
    """Two deliveries that both ran to their end are two runs, though only one completed."""
    store, key = RecordingStore(), f"default:{SALE.id}"
    store.claim(key, "slow", fingerprint="f", lease=1e-9, retention=60.0)
    store.claim(key, "next", **LEASE)
    assert not store.complete(key, "slow", retention=60.0)
    assert "its lease was over before its handler was" in fault_of(store)
    assert store.complete(key, "next", retention=60.0)
    assert "ran 2 times" in fault_of(store)
    assert not store.release(key, "slow")
    assert store.count("not_released", SALE) == 1


def test_a_forgotten_event_is_not_done() -> None:
    """An event that was forgotten is not done, and a second run stays a second run."""
    store, key = RecordingStore(), f"default:{SALE.id}"
    hooks = receiver(store)
    assert not store.forget(key)
    deliver(hooks, SALE.to_json())
    store.assert_completed_once(SALE)
    assert store.forget(key)
    assert "was forgotten, so it runs when it comes again" in fault_of(store)
    assert deliver(hooks, SALE.to_json()) == "handled"
    assert "ran 2 times: it was forgotten in between" in fault_of(store)
    assert (store.count("forgotten", SALE), store.count("not_forgotten", SALE)) == (1, 1)


def test_namespaces_run_an_event_each() -> None:
    """Two receivers with namespaces of their own both run an event, which is twice."""
    store = RecordingStore()
    for namespace in ("shop", "club"):
        deliver(receiver(store, namespace=namespace), SALE.to_json())
    assert "ran 2 times" in fault_of(store)


def test_many_threads_are_all_recorded() -> None:
    """Deliveries at the same time leave whole records and one completion."""
    store = RecordingStore()
    hooks = receiver(store)
    start = threading.Barrier(8)
    outcomes: list[str] = []

    def work() -> None:
        start.wait()
        outcomes.append(deliver(hooks, SALE.to_json()))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("handled") == 1
    store.assert_completed_once(SALE)
    claims = [one for one in store.records if one.what in ("acquired", "done", "busy")]
    assert len({claim.token for claim in claims}) == len(claims) == 8


@pytest.mark.parametrize("use", [RecordingStore.records_of, RecordingStore.assert_completed_once])
def test_only_events_are_looked_up(use: Callable[[RecordingStore, Any], object]) -> None:
    """A body or an id instead of the event is refused with what is wanted."""
    with pytest.raises(ConfigurationError, match="an event is wanted here, not bytes"):
        use(RecordingStore(), SALE.to_json())
