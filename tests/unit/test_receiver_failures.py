"""The replies when a store, a handler or an observer fails, or a handler asks for something."""

from typing import Any

import pytest

from dubhooks import (
    ConfigurationError,
    DeliveryRecord,
    MemoryStore,
    Reject,
    Reply,
    RetryLater,
    Webhooks,
)
from dubhooks.errors import BodyTooSlow
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import (
    SECRET,
    Outage,
    ThreadStore,
    World,
    check_record,
    claim_elsewhere,
    errors,
    key_of,
    reply,
    sale,
    signed,
    state_of,
)

Log = pytest.LogCaptureFixture

pytestmark = pytest.mark.usefixtures("discreet")


class TestStoreFails:
    """The store does not do its part."""

    def test_claim_fails(self, world: World, discreet: Log) -> None:
        """Without a claim the handler does not run and Dub is asked to come again."""
        hooks = world.receiver()
        hooks.on(SaleCreated)(world.answering())
        world.store.fails["claim"] = Outage()
        event = sale()
        answer = world.send(hooks, signed(event))
        assert answer == reply(503, "unavailable", event.id, Retry_After="30")
        assert world.runs == 0
        assert errors(discreet) == [
            "the store did not answer a claim, so the handler does not run: Outage"
        ]
        check_record(world.records[0], answer, event_name="sale.created", attempt=1)
        del world.store.fails["claim"]
        assert world.send(hooks, signed(event)).outcome == "handled"

    def test_complete_fails(self, world: World, discreet: Log) -> None:
        """What a handler did is a success, even if that cannot be noted."""
        hooks = world.receiver()
        hooks.on(SaleCreated)(world.answering())
        world.store.fails["complete"] = Outage()
        event = sale()
        assert world.send(hooks, signed(event)) == reply(200, "handled", event.id)
        [message] = errors(discreet)
        assert "could not be completed" in message
        assert message.endswith(": Outage")

    def test_lease_was_lost(self, world: World, discreet: Log) -> None:
        """A handler that outlives its lease is a success, and somebody is told."""
        hooks = world.receiver(lease=0.01)

        event = sale()

        def slow(_: Any) -> None:
            while state_of(world.store, key_of(event)) == "busy":
                pass
            claim_elsewhere(world, event)

        hooks.on(SaleCreated)(slow)
        assert world.send(hooks, signed(event)) == reply(200, "handled", event.id)
        assert "use a lease longer than the slowest handler" in errors(discreet)[0]

    def test_release_fails(self, world: World, discreet: Log) -> None:
        """A claim that cannot be released waits for its lease, and the handler's error stands."""
        hooks = world.receiver()
        hooks.on(SaleCreated)(world.answering(ValueError("the handler's own")))
        world.store.fails["release"] = Outage()
        event = sale()
        with pytest.raises(ValueError, match="the handler's own"):
            world.send(hooks, signed(event))
        assert "could not be released" in errors(discreet)[0]
        assert state_of(world.store, key_of(event)) == "busy"

    def test_a_server_that_cannot_be_used(self, discreet: Log) -> None:
        """The log says what to look at, and nothing of the driver's message."""
        store = ThreadStore()
        store.fails["claim"] = ConnectionRefusedError("redis://:marker@host")
        hooks = Webhooks(SECRET, store=store)
        hooks.on(SaleCreated)(lambda _: None)
        assert hooks.handle(*signed(sale())).outcome == "unavailable"
        [message] = errors(discreet)
        assert "ConnectionRefusedError: see that the store's server runs" in message
        assert "marker" not in message

    def test_our_own_errors_are_told_in_full(self, discreet: Log) -> None:
        """A message of this library holds nothing private, so it is logged as it is."""
        store = ThreadStore()
        store.fails["claim"] = ConfigurationError("run the migration")
        hooks = Webhooks(SECRET, store=store)
        hooks.on(SaleCreated)(lambda _: None)
        assert hooks.handle(*signed(sale())).outcome == "unavailable"
        assert errors(discreet)[0].endswith(": run the migration")


class TestHandlerAsks:
    """What a handler raises."""

    @pytest.mark.parametrize(
        ("after", "headers"),
        [
            (None, {}),
            (300, {"Retry_After": "300"}),
            (0.2, {"Retry_After": "1"}),
            (0, {"Retry_After": "0"}),
        ],
    )
    def test_retry_later(self, any_world: World, after: Any, headers: dict[str, str]) -> None:
        """``RetryLater`` is answered 503 with its seconds, and the event runs when it comes."""
        hooks = any_world.receiver()
        hooks.on(SaleCreated)(any_world.answering(RetryLater(after), None))
        event = sale()
        answer = any_world.send(hooks, signed(event))
        assert answer == reply(503, "retry", event.id, **headers)
        check_record(any_world.records[0], answer, event_name="sale.created", attempt=1)
        assert any_world.send(hooks, signed(event)).outcome == "handled"

    def test_reject(self, world: World) -> None:
        """``Reject`` is answered 489 with the header that stops the queue, and is final."""
        hooks = world.receiver()
        hooks.on(SaleCreated)(world.answering(Reject()))
        event = sale()
        answer = world.send(hooks, signed(event))
        assert answer == reply(489, "rejected", event.id, Upstash_NonRetryable_Error="true")
        check_record(world.records[0], answer, event_name="sale.created", attempt=1)
        assert world.send(hooks, signed(event)).outcome == "duplicate"
        assert world.runs == 1

    def test_raised(self, world: World, discreet: Log) -> None:
        """What a handler raises reaches the caller as it is, observed, and the event runs again."""
        hooks = world.receiver()
        error = ValueError(f"no such {SECRET}")
        hooks.on(SaleCreated)(world.answering(error, None))
        event = sale()
        with pytest.raises(ValueError, match="no such") as caught:
            world.send(hooks, signed(event))
        assert caught.value is error
        check_record(
            world.records[0],
            Reply(500, {}, b"", "failed", event.id),
            event_name="sale.created",
            attempt=1,
        )
        assert not discreet.records
        assert world.send(hooks, signed(event)).outcome == "handled"

    def test_a_foreign_code_is_not_recorded(self, any_world: World) -> None:
        """The ``code`` of an error that is not ours may be anything, so nobody is told."""
        hooks = any_world.receiver()
        error = ValueError("refused")
        error.code = SECRET  # type: ignore[attr-defined]
        hooks.on(SaleCreated)(any_world.answering(error))
        with pytest.raises(ValueError, match="refused"):
            any_world.send(hooks, signed(sale()))
        assert any_world.records[0].error_code is None

    def test_our_code_is_recorded(self, any_world: World) -> None:
        """An error of this library that a handler raises is recorded by its code."""
        hooks = any_world.receiver()
        hooks.on(SaleCreated)(any_world.answering(BodyTooSlow("x")))
        with pytest.raises(BodyTooSlow):
            any_world.send(hooks, signed(sale()))
        assert any_world.records[0].error_code == "body_too_slow"


class TestObservers:
    """Watching does not change the answer."""

    def test_an_observer_fails(self, any_world: World, discreet: Log) -> None:
        """An observer's error is logged by its type, and the others are told all the same."""
        told: list[DeliveryRecord] = []

        def fails(_: DeliveryRecord) -> None:
            raise ValueError(SECRET)

        hooks = any_world.receiver(observers=(observer for observer in (fails, told.append)))
        hooks.on(SaleCreated)(any_world.answering())
        assert any_world.send(hooks, signed(sale())).status == 200
        assert len(told) == 1
        assert errors(discreet) == ["an observer failed: ValueError"]

    def test_an_observer_stops_the_process(self) -> None:
        """What tells the process to stop is passed on."""

        def stops(_: DeliveryRecord) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Webhooks(SECRET, observers=[stops]).handle(*signed(sale()))


def test_nobody_is_named_by_repr() -> None:
    """Neither a receiver nor a delivery shows a secret or a person."""
    hooks = Webhooks(SECRET, store=MemoryStore(), namespace="shop")
    delivery = hooks.admit(*signed(sale(id="evt_1")))
    assert repr(delivery) == "<Delivery of SaleCreated(id='evt_1', event='sale.created')>"
    assert repr(hooks).startswith("<Webhooks namespace='shop' store=<")
    assert "marker" not in repr(hooks)
