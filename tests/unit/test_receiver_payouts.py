"""Payouts: a reply below 400 marks one as paid, so only naming the event takes one."""

import json
from typing import Any

import pytest

from dubhooks import MemoryStore, Postbacks, Reject, Webhooks
from dubhooks._body import Request
from dubhooks.receiver import pipeline_of
from dubhooks.receiver._registry import is_payout
from dubhooks.receiver._route import plan_route
from dubhooks.testing import make_event, make_unknown_event
from dubhooks.webhooks import LinkClicked, LinkCreated, PayoutConfirmed, SaleCreated, UnknownEvent
from tests.support.receiving import SECRET, changed, key_of, reply, sale, signed, state_of

Log = pytest.LogCaptureFixture

PAYOUTS: dict[str, Any] = {
    "payout.confirmed": make_event(PayoutConfirmed),
    "external_payout.confirmed": make_event(PayoutConfirmed, event="external_payout.confirmed"),
    "a new name": make_unknown_event("partner.PAYOUT_settled"),
    "another new name": make_unknown_event("internal_payouts", "text"),
    "payout data": make_unknown_event("money.out", {"id": "po_1"}),
    "payout data in a model": make_event(LinkCreated, data__id="po_1"),
    "a list": make_unknown_event("payouts.listed", [1]),
}
OTHERS: dict[str, Any] = {
    "not a payout id": make_unknown_event("new.event", {"id": "cm_1"}),
    "upper case": make_unknown_event("new.event", {"id": "PO_1"}),
    "no text": make_unknown_event("new.event", {"id": 5}),
    "in a list": make_unknown_event("new.event", {"id": ["po_1"]}),
    "another key": make_unknown_event("new.event", {"ids": "po_1", "payout": 1}),
    "text": make_unknown_event("new.event", "po_1"),
    "a list": make_unknown_event("new.event", [{"id": "po_1"}]),
    "null": make_unknown_event("new.event", None),
    "a sale": sale(),
}


@pytest.mark.parametrize("event", PAYOUTS.values(), ids=PAYOUTS.keys())
def test_telling_takes_nothing(event: Any) -> None:
    """``on_unhandled`` is told each time, and a handler that is deployed later gets it."""
    store, told = MemoryStore(), list[Any]()
    hooks = Webhooks(SECRET, store=store)
    hooks.on_unhandled(told.append)
    assert [hooks.handle(*signed(event)).status for _ in range(2)] == [501, 501]
    assert told == [event, event]
    assert state_of(store, key_of(event)) == "free"
    deployed, taken = Webhooks(SECRET, store=store), list[Any]()
    deployed.on(event.event if isinstance(event, UnknownEvent) else type(event))(taken.append)
    assert deployed.handle(*signed(event)).outcome == "handled"
    assert deployed.handle(*signed(event)).outcome == "duplicate"
    assert taken == [event]


@pytest.mark.parametrize("event", OTHERS.values(), ids=OTHERS.keys())
def test_what_is_none(event: Any) -> None:
    """What only resembles a payout is ignored like any event."""
    assert not is_payout(event)
    assert Webhooks(SECRET).handle(*signed(event)).outcome == "ignored"


def test_a_rejected_one_under_another_id() -> None:
    """Dub's own job can send the same payout with a new event id: its natural key is free, too."""
    hooks, runs = Webhooks(SECRET, store=MemoryStore()), list[Any]()

    @hooks.on(PayoutConfirmed, dedupe="natural")
    def handler(event: PayoutConfirmed) -> None:
        runs.append(event.id)
        if len(runs) < 3:
            raise Reject

    event = make_event(PayoutConfirmed, id="evt_1")
    bodies = [
        event.to_json(),
        changed(event, id="evt_2"),
        event.to_json(),
        changed(event, id="evt_3"),
    ]
    replies = [hooks.handle(*signed(body)) for body in bodies]
    assert [one.status for one in replies] == [489, 489, 200, 200]
    assert replies[3].outcome == "duplicate"
    assert runs == ["evt_1", "evt_2", "evt_1"]


def test_a_postback() -> None:
    """A partner's receiver has no payout event, so one of that name is unknown but not ignored."""
    event = make_event(PayoutConfirmed)
    hooks = Postbacks(SECRET)
    assert hooks.handle(*signed(event)) == reply(501, "unhandled_payout", event.id)
    taken: list[Any] = []
    hooks = Postbacks(SECRET)
    hooks.on("payout.confirmed")(taken.append)
    assert hooks.handle(*signed(event)).outcome == "handled"
    assert json.loads(taken[0].to_json()) == json.loads(event.to_json())


class TestRoute:
    """Handlers of an adapter's own routes, which fall back to those of ``on``."""

    def run(self, hooks: Webhooks, event: Any, *takes: Any, status: int = 200) -> Any:
        """Deliver to a route for these events, which returns ``own`` with this status."""
        pipeline = pipeline_of(hooks)
        route = plan_route(hooks, takes).add_route(
            self.run, is_async=False, status_of=lambda _: status
        )
        delivery: Any = pipeline.open(Request(*signed(event)))
        return pipeline.run(delivery, pipeline.find(delivery, route, lambda: "own"))

    @pytest.mark.parametrize("event", PAYOUTS.values(), ids=PAYOUTS.keys())
    def test_a_catch_all_does_not_take_it(self, event: Any) -> None:
        """A route without a class does not get a payout; the receiver's own handler does."""
        hooks = Webhooks(SECRET)
        result = self.run(hooks, event)
        assert (result.reply.status, result.response) == (501, None)
        hooks, taken = Webhooks(SECRET), list[Any]()
        hooks.on(event.event if isinstance(event, UnknownEvent) else type(event))(taken.append)
        assert self.run(hooks, event).reply.outcome == "handled"
        assert taken == [event]

    @pytest.mark.parametrize("name", ["payout.confirmed", "external_payout.confirmed"])
    def test_naming_it_takes_it(self, name: str) -> None:
        """A route for ``PayoutConfirmed`` gets it under both names, once."""
        hooks = Webhooks(SECRET, store=MemoryStore())
        results = [self.run(hooks, PAYOUTS[name], PayoutConfirmed) for _ in range(2)]
        assert [result.reply.outcome for result in results] == ["handled", "duplicate"]
        assert [result.response for result in results] == ["own", None]

    def test_not_its_event(self) -> None:
        """Another event goes to the handlers of ``on``, then to ``on_unhandled``, else nowhere."""
        told: list[Any] = []
        hooks = Webhooks(SECRET)
        assert self.run(hooks, sale(), LinkClicked).reply.outcome == "ignored"
        hooks = Webhooks(SECRET)
        hooks.on_unhandled(told.append)
        assert self.run(hooks, sale(), LinkClicked).reply.outcome == "ignored"
        hooks = Webhooks(SECRET)
        hooks.on(SaleCreated)(told.append)
        result = self.run(hooks, sale(), LinkClicked)
        assert (result.reply.outcome, result.response) == ("handled", None)
        assert len(told) == 2

    def test_turned_away(self, discreet: Log) -> None:
        """What may go nowhere else is ignored, or 501 for a payout, and told once."""
        hooks = Webhooks(SECRET)
        pipeline = pipeline_of(hooks)
        route = plan_route(hooks, (LinkClicked,)).add_route(
            self.run, is_async=False, status_of=lambda _: 200
        )
        for event, status in ((sale(), 200), (sale(), 200), (PAYOUTS["payout.confirmed"], 501)):
            delivery: Any = pipeline.open(Request(*signed(event)))
            assert pipeline.turn_away(delivery, route).status == status
        messages = [it.getMessage() for it in discreet.records if it.levelname == "WARNING"]
        assert [message[:20] for message in messages] == [
            "sale.created came to",
            "payout.confirmed cam",
        ]
        assert "which does not take it" in messages[0]


@pytest.mark.parametrize(("amount", "errors"), [(500, 0), (501, 1)])
@pytest.mark.parametrize("name", ["payout.confirmed", "payout.sent"])
def test_the_same_payout_under_another_amount(
    name: str, amount: int, errors: int, caplog: Log
) -> None:
    """It is a duplicate by its natural key, and somebody should look which amount was paid."""
    hooks, ran = Webhooks(SECRET, store=MemoryStore()), list[Any]()
    take: Any = PayoutConfirmed if name == "payout.confirmed" else name
    hooks.on(take, dedupe="natural")(ran.append)
    value = json.loads(make_event(PayoutConfirmed, event="payout.confirmed").to_json())
    value["event"] = name
    for event_id, cents in (("evt_1", 500), ("evt_2", amount)):
        value["id"], value["data"]["amount"] = event_id, cents
        outcome = hooks.handle(*signed(json.dumps(value).encode())).outcome
    assert (outcome, len(ran)) == ("duplicate", 1)
    lines = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert len(lines) == errors
    assert all("with another amount" in line and "501" not in line for line in lines)
