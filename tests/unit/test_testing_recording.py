"""RecordingStore: a store like any other, and what its records tell about an event."""

from __future__ import annotations

from typing import Any

from dubhooks import Claim, Reject, RetryLater, Webhooks
from dubhooks.testing import RecordingStore, StoreContract, make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import SECRET

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


def test_a_handled_event_and_its_duplicate() -> None:
    """They are one completion, and every call is kept."""
    store = RecordingStore()
    hooks = receiver(store)
    assert [deliver(hooks, SALE.to_json()) for _ in range(2)] == ["handled", "duplicate"]
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


def test_a_retry_after_a_failure() -> None:
    """A failure is a release; a rejection completes, too."""
    store = RecordingStore()
    hooks = receiver(store, RetryLater(after=1), Reject())
    assert [deliver(hooks, SALE.to_json()) for _ in range(2)] == ["retry", "rejected"]
    calls = store.calls_of(SALE)
    assert [call.method for call in calls] == ["claim", "release", "claim", "complete"]
    assert hooks.forget(SALE)
    assert store.calls_of(SALE)[-1].method == "forget"
