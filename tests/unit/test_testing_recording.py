"""RecordingStore: a store like any other, and what its records tell about an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dubhooks import Claim, ConfigurationError, Reject, RetryLater, Webhooks
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
    """A handled delivery and its duplicate are one completion, and every call is kept."""
    store = RecordingStore()
    hooks = receiver(store)
    assert [deliver(hooks, SALE.to_json()) for _ in range(2)] == ["handled", "duplicate"]
    store.assert_completed_once(SALE)
    assert [call.method for call in store.calls] == ["claim", "complete", "claim"]
    assert {call.key for call in store.calls} == {f"default:{SALE.id}"}
    first, second, third = store.calls
    assert first.token == second.token != third.token
    assert isinstance(third.answer, Claim)
    assert third.answer.state == "done"


def test_calls_of_one_event() -> None:
    """Events are told apart, and their namespace does not matter; an odd id is found."""
    store, other = RecordingStore(), make_event(SaleCreated, id="evt: ü")
    deliver(receiver(store, namespace="shop"), SALE.to_json())
    deliver(receiver(store, namespace="club"), other.to_json())
    assert [call.key for call in store.calls_of(SALE)] == [f"shop:{SALE.id}"] * 2
    assert len(store.calls_of(other)) == 2
    store.assert_completed_once(SALE)
    store.assert_completed_once(other)


def test_a_retry_after_a_failure_counts_once() -> None:
    """Releases before the one completion are no second run; a rejection completes, too."""
    store = RecordingStore()
    hooks = receiver(store, RetryLater(after=1), Reject())
    assert [deliver(hooks, SALE.to_json()) for _ in range(2)] == ["retry", "rejected"]
    store.assert_completed_once(SALE)


def test_not_completed() -> None:
    """What was not completed once is told with its calls and with the keys that there are."""
    store, other = RecordingStore(), make_event(SaleCreated)
    assert fault_of(store).endswith("never claimed (keys in this store: none)")
    deliver(receiver(store), other.to_json())
    assert f"never claimed (keys in this store: default:{other.id})" in fault_of(store)
    deliver(receiver(store, RetryLater(after=1)), SALE.to_json())
    assert "ran to its end 0 times, and should once: acquired, release" in fault_of(store)


def test_the_same_thing_under_another_id_did_not_run() -> None:
    """An event that was done under another event id is completed, but its handler did not run."""
    store, again = RecordingStore(), make_event(CommissionCreated)
    hooks = Webhooks(SECRET, store=store)
    hooks.on(CommissionCreated, dedupe="natural")(lambda _: None)
    assert deliver(hooks, again.to_json()) == "handled"
    assert deliver(hooks, changed(again, id=SALE.id)) == "duplicate"
    assert "ran to its end 0 times, and should once: acquired, complete" in fault_of(store)
    store.assert_completed_once(again)


def test_a_run_that_lost_its_lease_is_a_second_run() -> None:
    """Two deliveries that both ran to their end are two runs, though only one completed."""
    store, key = RecordingStore(), f"default:{SALE.id}"
    store.claim(key, "slow", fingerprint="f", lease=1e-9, retention=60.0)
    store.claim(key, "next", **LEASE)
    assert not store.complete(key, "slow", retention=60.0)
    assert store.complete(key, "next", retention=60.0)
    assert "2 times, and should once: acquired, acquired, complete refused" in fault_of(store)


@pytest.mark.parametrize("use", [RecordingStore.calls_of, RecordingStore.assert_completed_once])
def test_only_events_are_looked_up(use: Callable[[RecordingStore, Any], object]) -> None:
    """A body or an id instead of the event is refused with what is wanted."""
    with pytest.raises(ConfigurationError, match="an event is wanted here, not bytes"):
        use(RecordingStore(), SALE.to_json())
