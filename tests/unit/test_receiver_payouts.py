"""Payouts: an answer below 400 marks one as paid, so only naming the event takes one."""

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from dubhooks import (
    Claim,
    DeadLetterDirectory,
    MemoryStore,
    Postbacks,
    Reject,
    RetryLater,
    Webhooks,
)
from dubhooks.reply import DeliveryRecord
from dubhooks.testing import make_event, make_unknown_event, signed_request
from dubhooks.webhooks import LinkClicked, PayoutConfirmed, SaleCreated
from tests.support.receiving import (
    SECRET,
    InlineStore,
    Outage,
    World,
    changed,
    check_record,
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

EXTERNAL = {"id": "po_1", "mode": "external", "amount": 100}
PAYOUTS: dict[str, Any] = {
    "payout.confirmed": make_event(PayoutConfirmed).to_json(),
    "external_payout.confirmed": make_event(
        PayoutConfirmed, event="external_payout.confirmed"
    ).to_json(),
    "unknown payout name": changed(make_event(PayoutConfirmed), event="partner.PAYOUT_settled"),
    "unknown name, payout data": changed(
        make_unknown_event("new.event"), event="money.out", data=EXTERNAL
    ),
    "unknown name, list": changed(
        make_unknown_event("new.event"), event="payouts.listed", data=[1]
    ),
}
NOT_PAYOUTS = {
    "not external": changed(make_unknown_event("new.event"), data=EXTERNAL | {"mode": "internal"}),
    "not a payout id": changed(make_unknown_event("new.event"), data=EXTERNAL | {"id": "cm_1"}),
    "list": changed(make_unknown_event("new.event"), data=[EXTERNAL]),
    "null": changed(make_unknown_event("new.event"), data=None),
}


@pytest.fixture(params=PAYOUTS.values(), ids=PAYOUTS.keys())
def payout(request: pytest.FixtureRequest) -> bytes:
    """Return every body that an answer may mark as paid, in turn."""
    return request.param


def id_in(body: bytes) -> str:
    """Return the id of the event in ``body``."""
    return json.loads(body)["id"]


class TestNobodyTakesIt:
    """No handler names the event."""

    def test_unhandled(self, any_world: World, payout: bytes, discreet: Log) -> None:
        """A payout without a handler is answered 501, logged, and nothing is claimed."""
        hooks = any_world.receiver()
        hooks.on(SaleCreated)(any_world.answering())
        answer = any_world.send(hooks, signed(payout))
        assert answer == reply(501, "unhandled_payout", id_in(payout))
        assert any_world.runs == 0
        [message] = errors(discreet)
        assert id_in(payout) in message
        assert "register one for PayoutConfirmed" in message
        check_record(any_world.records[0], answer, event_name=json.loads(payout)["event"])
        if any_world.store:
            assert rows_of(any_world.store).calls == []

    @pytest.mark.parametrize("body", NOT_PAYOUTS.values(), ids=NOT_PAYOUTS.keys())
    def test_not_a_payout(self, body: bytes) -> None:
        """What only resembles a payout is ignored like any unknown event."""
        assert Webhooks(SECRET).handle(*signed(body)).outcome == "ignored"

    @pytest.mark.parametrize(
        "result",
        [None, SimpleNamespace(status_code=200), SimpleNamespace(status_code=202), Reject()],
        ids=repr,
    )
    def test_telling_takes_nothing(
        self, world: World, payout: bytes, result: Any, discreet: Log
    ) -> None:
        """``on_unhandled`` is told, but neither settles a payout nor makes it a duplicate."""
        hooks = world.receiver()
        hooks.on_unhandled(world.answering(result))
        answers = [world.send(hooks, signed(payout)) for _ in range(2)]
        assert answers == [reply(501, "unhandled_payout", id_in(payout))] * 2
        assert world.runs == 2
        assert len(errors(discreet)) == 2
        assert [record.attempt for record in world.records] == [1, 2]
        assert world.records[0].status == 501

    @pytest.mark.parametrize("name", ["payout.confirmed", "external_payout.confirmed"])
    def test_a_later_handler_gets_it(self, world: World, name: str) -> None:
        """A payout that was only told about runs once a handler is deployed for it."""
        hooks = world.receiver()
        hooks.on_unhandled(world.answering())
        store, request = world.store, signed(PAYOUTS[name])
        assert world.send(hooks, request).status == 501
        deployed = world.receiver(store=store)
        deployed.on(PayoutConfirmed)(world.answering())
        assert world.send(deployed, request).outcome == "handled"

    @pytest.mark.parametrize(
        "result",
        [SimpleNamespace(status_code=302), SimpleNamespace(status_code=404), RetryLater(5)],
        ids=repr,
    )
    def test_telling_fails(self, world: World, payout: bytes, result: Any) -> None:
        """Whatever telling about a payout comes to, the answer stays 501 and it comes again."""
        hooks = world.receiver()
        hooks.on_unhandled(world.answering(result))
        answers = [world.send(hooks, signed(payout)) for _ in range(2)]
        assert answers == [reply(501, "unhandled_payout", id_in(payout))] * 2
        assert world.runs == 2

    def test_telling_raises(self, world: World, payout: bytes, caplog: Log) -> None:
        """An error in ``on_unhandled`` is logged, and the payout stays."""
        hooks = world.receiver()
        hooks.on_unhandled(world.answering(ValueError("told in vain")))
        for _ in range(2):
            assert world.send(hooks, signed(payout)).status == 501
        assert "told in vain" in caplog.text
        assert state_of(world.store, f"default:{id_in(payout)}:unhandled") == "free"

    def test_telling_is_stopped(self, world: World, payout: bytes) -> None:
        """What tells the process to stop is passed on."""
        hooks = world.receiver()
        hooks.on_unhandled(world.answering(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            world.send(hooks, signed(payout))
        assert state_of(world.store, f"default:{id_in(payout)}:unhandled") == "free"


class TestSomebodyTakesIt:
    """A handler names the event."""

    @pytest.mark.parametrize("name", ["payout.confirmed", "external_payout.confirmed"])
    def test_the_class_takes_both_names(self, name: str) -> None:
        """The class takes the event under both of its names."""
        hooks = Webhooks(SECRET, store=MemoryStore())
        taken: list[Any] = []
        hooks.on(PayoutConfirmed)(taken.append)
        event = make_event(PayoutConfirmed, event=name)
        assert hooks.handle(*signed(event)).status == 200
        assert taken == [event]

    def test_a_rejection_stands(self, world: World) -> None:
        """A payout that was rejected is rejected again, not acknowledged, and its handler not run.

        When the first answer is lost, the next one decides (spec: what Dub does with the answer).
        """
        hooks = world.receiver()
        hooks.on(PayoutConfirmed)(world.answering(Reject()))
        event = make_event(PayoutConfirmed)
        answers = [world.send(hooks, signed(event)) for _ in range(3)]
        expected = reply(489, "rejected", event.id, **{"Upstash-NonRetryable-Error": "true"})
        assert answers == [expected] * 3
        assert world.runs == 1

    def test_a_rejection_stands_under_another_id(self, world: World) -> None:
        """Dub's own job can send the same payout with a new event id."""
        hooks = world.receiver()
        hooks.on(PayoutConfirmed, dedupe="natural")(world.answering(Reject()))
        event = make_event(PayoutConfirmed)
        again = changed(event, id="evt_again")
        bodies = [event.to_json(), again, again, event.to_json()]
        assert [world.send(hooks, signed(body)).status for body in bodies] == [489] * 4
        assert world.runs == 1

    def test_what_was_taken_is_a_duplicate(self, world: World) -> None:
        """A payout that was taken over is acknowledged again, under either of its ids."""
        hooks = world.receiver()
        hooks.on(PayoutConfirmed, dedupe="natural")(world.answering())
        event = make_event(PayoutConfirmed)
        again = changed(event, id="evt_again")
        bodies = [event.to_json(), event.to_json(), again, again]
        outcomes = [world.send(hooks, signed(body)).outcome for body in bodies]
        assert outcomes == ["handled", "duplicate", "duplicate", "duplicate"]
        assert world.runs == 1

    def test_a_rejected_sale_is_a_duplicate(self, world: World) -> None:
        """What is no payout is acknowledged when it comes again, as its retries are over."""
        hooks = world.receiver()
        hooks.on(SaleCreated)(world.answering(Reject()))
        event = sale()
        outcomes = [world.send(hooks, signed(event)).outcome for _ in range(2)]
        assert outcomes == ["rejected", "duplicate"]

    def test_a_rejection_that_cannot_be_noted(self, discreet: Log) -> None:
        """The payout is not done then: it is asked about again, and never acknowledged."""

        class Forgetful(InlineStore):
            def claim(self, key: str, token: str, **arguments: Any) -> Claim:
                if self.full and key.endswith(":rejected"):
                    raise Outage
                return super().claim(key, token, **arguments)

            full = True

        store, runs = Forgetful(), []
        hooks = Webhooks(SECRET, store=store)

        @hooks.on(PayoutConfirmed)
        def handler(event: PayoutConfirmed) -> None:
            runs.append(event)
            raise Reject

        request = signed(make_event(PayoutConfirmed))
        assert [hooks.handle(*request).status for _ in range(2)] == [489, 489]
        assert len(runs) == 2
        assert "could not be noted" in discreet.text
        store.full = False
        assert [hooks.handle(*request).status for _ in range(2)] == [489, 489]
        assert len(runs) == 3
        store.full = True
        assert hooks.handle(*request).status == 503

    def test_two_duplicates_at_once(self) -> None:
        """While one asks whether a payout was rejected, the other comes again later."""
        store = MemoryStore()
        hooks = Webhooks(SECRET, store=store)
        hooks.on(PayoutConfirmed)(lambda _: None)
        event = make_event(PayoutConfirmed)
        assert hooks.handle(*signed(event)).outcome == "handled"
        store.claim(f"{key_of(event)}:rejected", "another", fingerprint="", lease=60, retention=60)
        answer = hooks.handle(*signed(event))
        assert (answer.status, answer.outcome) == (409, "busy")


class TestInvalidPayout:
    """A payout that does not fit its model."""

    BODIES = (
        changed(make_event(PayoutConfirmed), data={"id": "po_1"}),
        changed(make_event(PayoutConfirmed, event="external_payout.confirmed"), data=None),
        changed(sale(), data={"id": "po_1", "mode": "external"}),
    )

    @pytest.mark.parametrize("body", BODIES, ids=["payout", "external_payout", "by data"])
    def test_kept_and_still_unpaid(self, any_world: World, body: bytes, tmp_path: Any) -> None:
        """An invalid payout is kept as a dead letter and answered 501 all the same."""
        hooks = any_world.receiver(dead_letters=DeadLetterDirectory(tmp_path))
        hooks.on(PayoutConfirmed)(any_world.answering())
        answer = any_world.send(hooks, signed(body))
        assert answer == reply(501, "invalid", id_in(body), "invalid_event")
        [letter] = tmp_path.glob("*.body")
        assert letter.read_bytes() == body

    @pytest.mark.parametrize("body", BODIES, ids=["payout", "external_payout", "by data"])
    def test_refused(self, any_world: World, body: bytes) -> None:
        """Without dead letters an invalid payout is refused like any invalid event."""
        hooks = any_world.receiver()
        assert any_world.send(hooks, signed(body)) == reply(
            422, "invalid", id_in(body), "invalid_event"
        )


class TestRoute:
    """Handlers of an adapter's own routes."""

    def job(self, hooks: Webhooks, body: bytes, *events: type[Any], ran: list[int]) -> Any:
        """Return the delivery in ``body`` and its job for a route with these classes."""
        delivery = hooks.admit(*signed(body))
        return delivery, hooks.route(
            delivery,  # type: ignore[arg-type]
            lambda: ran.append(1),
            is_async=False,
            events=events,
            status_of=lambda _: 200,
        )

    def test_a_catch_all_does_not_take_it(self, payout: bytes, discreet: Log) -> None:
        """A route without a class does not get a payout, and it is answered 501."""
        ran: list[int] = []
        hooks = Webhooks(SECRET, store=MemoryStore())
        delivery, job = self.job(hooks, payout, ran=ran)
        assert job is None
        served = hooks.run(delivery, job)
        assert served.reply.status == 501
        assert served.response is None
        assert not ran
        assert discreet.records[0].levelno == logging.ERROR

    @pytest.mark.parametrize("name", ["payout.confirmed", "external_payout.confirmed"])
    def test_naming_it_takes_it(self, name: str) -> None:
        """A route for ``PayoutConfirmed`` gets it under both names."""
        ran: list[int] = []
        hooks = Webhooks(SECRET, store=MemoryStore())
        delivery, job = self.job(hooks, PAYOUTS[name], PayoutConfirmed, ran=ran)
        assert hooks.run(delivery, job).reply.outcome == "handled"
        assert hooks.run(delivery, job).reply.outcome == "duplicate"
        assert ran == [1]

    @pytest.mark.parametrize("events", [(), (SaleCreated,), (LinkClicked, SaleCreated)])
    def test_other_events(self, events: tuple[type[Any], ...]) -> None:
        """A route gets the events of its classes, and without a class every other event."""
        ran: list[int] = []
        hooks = Webhooks(SECRET)
        delivery, job = self.job(hooks, sale().to_json(), *events, ran=ran)
        assert hooks.run(delivery, job).reply.outcome == "handled"
        assert ran == [1]

    def test_not_its_event(self) -> None:
        """A route is not called for another event, which is ignored."""
        ran: list[int] = []
        hooks = Webhooks(SECRET)
        delivery, job = self.job(hooks, sale().to_json(), LinkClicked, ran=ran)
        assert job is None
        assert hooks.run(delivery, job).reply.outcome == "ignored"

    def test_a_response_that_cannot_be_judged(self) -> None:
        """When a framework cannot make a response of a result, the event runs again."""

        def unusable(_: Any) -> int:
            raise TypeError("not a response")

        records: list[DeliveryRecord] = []
        hooks = Webhooks(SECRET, store=MemoryStore(), observers=[records.append])
        event = sale()
        delivery = hooks.admit(*signed(event))
        job = hooks.route(
            delivery,  # type: ignore[arg-type]
            object,
            is_async=False,
            events=(),
            status_of=unusable,
        )
        for _ in range(2):
            with pytest.raises(TypeError, match="not a response"):
                hooks.run(delivery, job)  # type: ignore[arg-type]
        assert [(record.outcome, record.attempt) for record in records] == [
            ("failed", 1),
            ("failed", 2),
        ]

    def test_own_response(self) -> None:
        """The handler's own response is handed back, whatever its status, but not a redirect."""
        hooks = Webhooks(SECRET)
        delivery = hooks.admit(*signed(sale()))

        def serve(status: int) -> Any:
            job = hooks.route(
                delivery,  # type: ignore[arg-type]
                lambda: "own",
                is_async=False,
                events=(),
                status_of=lambda _: status,
            )
            return hooks.run(delivery, job)  # type: ignore[arg-type]

        assert [serve(status).response for status in (200, 204, 302, 500)] == [
            "own",
            "own",
            None,
            "own",
        ]
        assert [serve(status).reply.status for status in (200, 204, 302, 500)] == [
            200,
            204,
            500,
            500,
        ]


def test_postbacks_of_payouts() -> None:
    """A partner's receiver has no payout event, so one of that name is unknown but not ignored."""
    hooks = Postbacks(SECRET)
    event = make_event(PayoutConfirmed)
    answer = hooks.handle(*signed_request(event, SECRET))
    assert (answer.status, answer.event_id) == (501, event.id)
