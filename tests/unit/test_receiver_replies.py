"""The replies to deliveries that became an event, in every way to deliver and store claims."""

from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import pytest

from dubhooks import Claim, Reject, Reply, Webhooks
from dubhooks.testing import make_event, make_unknown_event
from dubhooks.webhooks import LinkClicked, SaleCreated, WebhookEvent
from tests.support.receiving import (
    SECRET,
    ThreadStore,
    World,
    changed,
    check_record,
    claim_elsewhere,
    errors,
    key_of,
    reply,
    rows_of,
    sale,
    signed,
    state_of,
)

Log = pytest.LogCaptureFixture

pytestmark = pytest.mark.usefixtures("discreet")


def named(name: str) -> WebhookEvent:
    """Return an event that nobody takes: one of the two that the tests below name."""
    return make_event(LinkClicked) if name == "link.clicked" else make_unknown_event(name)


class TestHandled:
    """The handler ran."""

    def test_handled(self, any_world: World, discreet: Log) -> None:
        """A handled delivery is answered 200, observed once and logged not at all."""
        hooks = any_world.receiver()
        hooks.on(SaleCreated)(any_world.answering())
        event = sale()
        answer = any_world.send(hooks, signed(event))
        assert answer == reply(200, "handled", event.id)
        assert any_world.seen == [event]
        [record] = any_world.records
        check_record(record, answer, event_name="sale.created", attempt=1)
        assert not discreet.records

    @pytest.mark.parametrize("status", [201, 202, 299])
    def test_own_success(self, any_world: World, status: int) -> None:
        """A success status that the handler returns is the answer's."""
        hooks = any_world.receiver()
        hooks.on(SaleCreated)(any_world.answering(SimpleNamespace(status_code=status)))
        event = sale()
        answer = any_world.send(hooks, signed(event))
        assert answer == reply(status, "handled", event.id)
        assert any_world.records[0].status == status

    @pytest.mark.parametrize(
        "result",
        [
            SimpleNamespace(status=1),
            SimpleNamespace(status_code="500 Internal Server Error"),
            SimpleNamespace(status_code=True),
            SimpleNamespace(status_code=7),
            SimpleNamespace(status_code=600),
            SimpleNamespace(status_code=204),
            SimpleNamespace(status_code=205),
            "text",
            500,
            False,
            ("bank is down", "503"),
            (503,),
            ("a", 1, 2, 503),
            Reply(200, {}, b"", "duplicate"),
        ],
        ids=repr,
    )
    def test_results_that_are_no_status(self, any_world: World, result: object) -> None:
        """A result that holds no HTTP status with a body to it is answered 200."""
        hooks = any_world.receiver()
        hooks.on(SaleCreated)(any_world.answering(result))
        event = sale()
        assert any_world.send(hooks, signed(event)) == reply(200, "handled", event.id)

    @pytest.mark.parametrize("status", [400, 404, 500, 503])
    def test_own_failure_releases(self, world: World, status: int) -> None:
        """A failure status that the handler returns is the answer's, and the event runs again."""
        hooks = world.receiver()
        hooks.on(SaleCreated)(world.answering(SimpleNamespace(status_code=status), None))
        event = sale()
        first, second = (world.send(hooks, signed(event)) for _ in range(2))
        assert first == reply(status, "failed", event.id)
        assert second == reply(200, "handled", event.id)
        assert [record.attempt for record in world.records] == [1, 2]

    @pytest.mark.parametrize("result", [("down", 503), ("down", HTTPStatus(503), {})], ids=repr)
    def test_own_failure_as_flask_has_it(self, world: World, result: object) -> None:
        """A body and a status, with or without headers, is a failure too: never a success."""
        hooks = world.receiver()
        hooks.on(SaleCreated)(world.answering(result))
        event = sale()
        assert world.send(hooks, signed(event)) == reply(503, "failed", event.id)
        assert state_of(world.store, key_of(event)) == "free"

    def test_own_reply_that_failed(self, world: World) -> None:
        """A failed reply of another receiver, returned by the handler, is not a success."""
        hooks = world.receiver()
        hooks.on(SaleCreated)(world.answering(Reply(503, {}, b"", "unavailable")))
        event = sale()
        assert world.send(hooks, signed(event)) == reply(503, "failed", event.id)
        assert state_of(world.store, key_of(event)) == "free"

    @pytest.mark.parametrize("status", [100, 300, 302, 304, 308, 399])
    def test_redirect_is_a_failure(self, world: World, status: int, discreet: Log) -> None:
        """A redirect, which Dub takes as success and its queue does not, is replaced by 500."""
        hooks = world.receiver()
        hooks.on(SaleCreated)(world.answering(SimpleNamespace(status_code=status), None))
        event = sale()
        assert world.send(hooks, signed(event)) == reply(500, "failed", event.id)
        [message] = errors(discreet)
        assert f"the handler answered {status}" in message
        assert world.send(hooks, signed(event)).outcome == "handled"


class TestNotRunAgain:
    """Duplicates, other workers and other bodies."""

    def test_duplicate(self, world: World) -> None:
        """A delivery of an event that is done is answered 200 and not run."""
        hooks = world.receiver()
        hooks.on(SaleCreated)(world.answering())
        event = sale()
        answers = [world.send(hooks, signed(event)) for _ in range(3)]
        assert answers[1:] == [reply(200, "duplicate", event.id)] * 2
        assert world.runs == 1
        check_record(world.records[2], answers[2], event_name="sale.created", attempt=1)

    def test_without_a_store_everything_runs(self) -> None:
        """Without a store nothing is deduplicated."""
        hooks = Webhooks(SECRET)
        runs: list[Any] = []
        hooks.on(SaleCreated)(runs.append)
        request = signed(sale())
        assert [hooks.handle(*request).outcome for _ in range(2)] == ["handled", "handled"]
        assert len(runs) == 2

    def test_busy(self, world: World) -> None:
        """A delivery that another worker holds is answered 409 with the rest of its lease."""
        hooks = world.receiver()
        hooks.on(SaleCreated)(world.answering())
        event = sale()
        claim_elsewhere(world, event, lease=45.2)
        answer = world.send(hooks, signed(event))
        assert answer == reply(409, "busy", event.id, Retry_After=answer.headers["Retry-After"])
        assert answer.headers["Retry-After"] in ("45", "46")
        assert world.runs == 0
        check_record(world.records[0], answer, event_name="sale.created", attempt=1)

    def test_busy_never_says_at_once(self) -> None:
        """A lease that is nearly over is still worth a second of waiting."""

        class AlwaysBusy(ThreadStore):
            def claim(self, *_: Any, fingerprint: str, **__: Any) -> Claim:
                return Claim("busy", 1, fingerprint, 0.0)

        hooks = Webhooks(SECRET, store=AlwaysBusy())
        hooks.on(SaleCreated)(lambda _: None)
        assert hooks.handle(*signed(sale())).headers["Retry-After"] == "1"

    @pytest.mark.parametrize("state", ["done", "busy", "free"])
    def test_conflict(self, world: World, state: str, discreet: Log) -> None:
        """The same id with another body is answered 422, never run, and changes no claim."""
        hooks = world.receiver()
        hooks.on(SaleCreated)(world.answering())
        event = sale()
        token = claim_elsewhere(world, event)
        if state == "done":
            rows_of(world.store).complete(key_of(event), token, retention=3600)
        elif state == "free":
            rows_of(world.store).release(key_of(event), token)
        answer = world.send(hooks, signed(changed(event, extra=1)))
        assert answer == reply(422, "conflict", event.id)
        assert world.runs == 0
        [message] = errors(discreet)
        assert event.id in message
        assert "another body" in message
        check_record(
            world.records[0], answer, event_name="sale.created", attempt=1 + (state == "free")
        )
        after = {"done": "duplicate", "busy": "busy", "free": "handled"}[state]
        assert world.send(hooks, signed(event)).outcome == after


class TestIgnored:
    """Nobody takes the event; see the tests of payouts for those that must not be ignored."""

    @pytest.mark.parametrize("name", ["link.clicked", "link.renamed"])
    def test_ignored(self, any_world: World, name: str, discreet: Log) -> None:
        """A known or unknown event without a handler is answered 200 and claims nothing."""
        hooks = any_world.receiver()
        hooks.on(SaleCreated)(any_world.answering())
        event = named(name)
        answer = any_world.send(hooks, signed(event))
        assert answer == reply(200, "ignored", event.id)
        check_record(any_world.records[0], answer, event_name=name)
        assert any_world.runs == 0
        assert not discreet.records
        if any_world.store:
            assert rows_of(any_world.store).calls == []

    @pytest.mark.parametrize("name", ["link.clicked", "link.renamed"])
    def test_on_unhandled_is_told_once(self, world: World, name: str) -> None:
        """What nobody takes is told to ``on_unhandled``, once per event, and stays ignored."""
        hooks = world.receiver()
        hooks.on_unhandled(world.answering(SimpleNamespace(status_code=202)))
        event = named(name)
        answers = [world.send(hooks, signed(event)) for _ in range(2)]
        assert answers == [reply(200, "ignored", event.id), reply(200, "duplicate", event.id)]
        assert world.seen == [event]

    def test_on_unhandled_keeps_nothing_from_a_handler(self, world: World) -> None:
        """Telling is not handling: a handler that comes later or elsewhere still gets the event."""
        hooks = world.receiver()
        hooks.on_unhandled(world.answering())
        event = sale()
        assert world.send(hooks, signed(event)).outcome == "ignored"
        elsewhere = Webhooks(SECRET, store=world.store)
        elsewhere.on(SaleCreated)(world.answering())
        assert world.send(elsewhere, signed(event)).outcome == "handled"
        assert world.send(hooks, signed(event)).outcome == "duplicate"
        assert world.runs == 2

    def test_on_unhandled_that_fails_is_told_again(self, world: World) -> None:
        """An event whose telling failed is told again."""
        hooks = world.receiver()
        hooks.on_unhandled(world.answering(ValueError("x"), SimpleNamespace(status_code=500), None))
        event = make_event(LinkClicked)
        with pytest.raises(ValueError, match="x"):
            world.send(hooks, signed(event))
        assert world.send(hooks, signed(event)) == reply(500, "failed", event.id)
        assert world.send(hooks, signed(event)) == reply(200, "ignored", event.id)

    def test_on_unhandled_can_reject(self, world: World) -> None:
        """``on_unhandled`` can stop the retries of an event that is no payout."""
        hooks = world.receiver()
        hooks.on_unhandled(world.answering(Reject()))
        event = make_unknown_event("link.renamed")
        assert world.send(hooks, signed(event)).status == 489
