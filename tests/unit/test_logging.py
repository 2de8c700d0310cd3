"""What is logged: nothing is lost silently, nothing fills the disk, every line names its receiver.

The fixture ``discreet`` checks of every line that it does, and that it names nobody.
"""

import logging
from functools import partial
from typing import Any

import pytest

from dubhooks import DeliveryRecord, MemoryStore, Postbacks, Reject, RetryLater, Webhooks
from dubhooks._body import Request
from dubhooks.errors import BodyTooSlow, MethodNotAllowed
from dubhooks.receiver import _reporting
from dubhooks.receiver._route import plan_route
from dubhooks.reply import build_reply
from dubhooks.testing import make_event, make_unknown_event
from dubhooks.webhooks import LeadCreated, LinkClicked, PayoutConfirmed, SaleCreated
from tests.support.receiving import SECRET, InlineStore, errors, sale, signed, unfit

Log = pytest.LogCaptureFixture

pytestmark = pytest.mark.usefixtures("discreet")


def warnings(log: Log) -> list[str]:
    """Return the messages logged at WARNING."""
    return [record.getMessage() for record in log.records if record.levelno == logging.WARNING]


class Clock:
    """The monotonic clock of the reports, which stands still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(_reporting, "monotonic", lambda: self.now)


class TestIgnored:
    """Events that nobody takes."""

    def test_once_for_each_name(self, discreet: Log) -> None:
        """The first one of each name is told, and only once for each receiver."""
        for _ in range(2):
            discreet.clear()
            hooks = Webhooks(SECRET)
            hooks.on(SaleCreated)(lambda _: None)
            for _ in range(3):
                hooks.handle(*signed(make_event(LinkClicked)))
                hooks.handle(*signed(make_unknown_event("link.renamed")))
                hooks.handle(*signed(make_event(PayoutConfirmed)))
            assert warnings(discreet) == [
                "no handler for link.clicked: ignored",
                "no handler for link.renamed: ignored",
            ]

    def test_no_handler_at_all(self, discreet: Log) -> None:
        """A receiver whose handlers were never imported says that, once."""
        hooks = Webhooks(SECRET)
        for event in (sale(), make_event(LinkClicked), sale()):
            assert hooks.handle(*signed(event)).outcome == "ignored"
        assert warnings(discreet) == [
            "no handler is registered: every event is ignored; is the module imported?"
        ]

    def test_the_wrong_route(self, discreet: Log) -> None:
        """Two routes for one webhook: which one got the event, and which one takes it."""
        hooks = Webhooks(SECRET)
        pipeline = hooks._pipeline

        def take_sale(_: Any) -> None: ...

        def take_lead(_: Any) -> None: ...

        sales, leads = (
            plan_route(hooks, (cls,)).add_route(it, is_async=False, status_of=lambda _: 200)
            for cls, it in ((SaleCreated, take_sale), (LeadCreated, take_lead))
        )
        for _ in range(2):
            for route in (sales, None):
                delivery: Any = pipeline.open(Request(*signed(make_event(LeadCreated))))
                handler = pipeline.find(delivery, route, lambda: None)
                assert pipeline.run(delivery, handler).reply.outcome == "ignored"
        first, second = warnings(discreet)
        assert first.startswith(
            f"lead.created came to the route {sales.name}, which does not take it, while the "
            f"route {leads.name} does"
        )
        assert second.startswith("lead.created came to a route of the handlers of on()")


class TestPayouts:
    """The line that says how to take a payout."""

    @pytest.mark.parametrize(
        ("event", "how"),
        [
            (make_event(PayoutConfirmed), "@hooks.on(PayoutConfirmed)"),
            (
                make_unknown_event("payout.external_confirmed"),
                '@hooks.on("payout.external_confirmed")',
            ),
            (make_unknown_event("money.out", {"id": "po_1"}), '@hooks.on("money.out")'),
        ],
        ids=["known", "by name", "by its data"],
    )
    def test_how_to_take_it(self, event: Any, how: str, discreet: Log) -> None:
        """The ERROR says exactly what to write, and that works."""
        assert Webhooks(SECRET).handle(*signed(event)).status == 501
        [message] = errors(discreet)
        assert f"register one with {how}, because Dub marks the payout as failed" in message
        assert event.id in message
        hooks = Webhooks(SECRET)
        eval(how[1:], {"hooks": hooks, "PayoutConfirmed": PayoutConfirmed})(lambda _: None)
        assert hooks.handle(*signed(event)).outcome == "handled"


class TestDeliveries:
    """One line for each delivery."""

    def test_a_line_for_each(self, discreet: Log) -> None:
        """Outcome, name, id and seconds, at INFO, with family and namespace beside."""
        hooks = Webhooks(SECRET, store=MemoryStore(), namespace="shop")
        hooks.on(SaleCreated)(lambda _: None)
        event = sale()
        for outcome in ("handled", "duplicate"):
            discreet.clear()
            hooks.handle(*signed(event))
            [record] = discreet.records
            assert record.levelno == logging.INFO
            assert record.getMessage().startswith(f"{outcome} 'sale.created' '{event.id}' in 0.")
            assert vars(record)["namespace"] == "shop"
            assert vars(record)["family"] == "webhook"
        discreet.clear()
        Postbacks(SECRET.replace("wh", "pb")).handle(b"x", {})
        assert vars(discreet.records[0])["family"] == "postback"

    @pytest.mark.parametrize(
        ("error", "level", "outcome"),
        [
            (RetryLater(5, reason="the bank is closed"), logging.INFO, "retry"),
            (Reject("the bank is closed"), logging.WARNING, "rejected"),
        ],
    )
    def test_the_reason(self, error: Exception, level: int, outcome: str, discreet: Log) -> None:
        """Why a handler asked for it later, or rejected it, is in the log and not in the reply."""
        hooks = Webhooks(SECRET)

        @hooks.on(SaleCreated)
        def handler(_: Any) -> None:
            raise error

        reply = hooks.handle(*signed(sale()))
        [record] = discreet.records
        assert record.levelno == level
        assert record.getMessage().startswith(outcome)
        assert record.getMessage().endswith(": the bank is closed")
        assert b"bank" not in reply.body


class TestRefusals:
    """Requests that are not from Dub, or seem not to be."""

    def test_a_flood(self, discreet: Log, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first one is told, and from then on one line a minute with the count."""
        clock = Clock(monkeypatch)
        hooks = Webhooks(SECRET)

        def send(count: int) -> None:
            for _ in range(count):
                hooks.handle(b"{}", {})

        send(1)
        assert warnings(discreet)[0].startswith("refused a delivery (signature_missing): there is")
        send(1000)
        clock.now += 59.9
        send(1)
        assert len(warnings(discreet)) == 1
        clock.now += 0.2
        send(1)
        hooks._pipeline.refuse(BodyTooSlow("too slow"))
        clock.now += 61
        hooks._pipeline.refuse(BodyTooSlow("too slow"))
        _, second, third = warnings(discreet)
        assert second.endswith("(requests since the last such line: 1002)")
        assert third == (
            "refused a delivery (body_too_slow): too slow (requests since the last such line: 2)"
        )

    def test_what_dub_has_signed(self, discreet: Log) -> None:
        """What Dub itself sent is told each time, whatever else comes."""
        hooks = Webhooks(SECRET)
        for _ in range(3):
            hooks.handle(b"{}", {})
            hooks.handle(*signed(b"[]"))
        assert [message[:38] for message in warnings(discreet)] == [
            "refused a delivery (signature_missing)",
            *["refused a delivery (invalid_envelope):"] * 3,
        ]

    def test_another_method(self, discreet: Log) -> None:
        """Anybody may send a GET, and many monitors do: that is an INFO."""
        Webhooks(SECRET)._pipeline.refuse(MethodNotAllowed("a delivery is a POST"))
        [record] = discreet.records
        assert record.levelno == logging.INFO
        assert record.getMessage() == "refused a request (method_not_allowed): a delivery is a POST"

    @pytest.mark.parametrize("is_kept", [False, True])
    def test_an_invalid_event(self, is_kept: bool, discreet: Log) -> None:
        """The ERROR names the fields, and says whether the delivery was kept."""

        class Letters:
            def keep(self, body: object, headers: object, error: object) -> None: ...

        hooks = Webhooks(SECRET, dead_letters=Letters() if is_kept else None)
        event = sale()
        hooks.handle(*signed(unfit(event)))
        [message] = errors(discreet)
        what = "kept a dead letter" if is_kept else "refused a delivery"
        assert message.startswith(f"{what} of event '{event.id}': a sale.created event does not")
        assert "data.sale.amount" in message


class TestSecrets:
    """A callable that has no secret."""

    def test_a_flood(self, discreet: Log, monkeypatch: pytest.MonkeyPatch) -> None:
        """Anybody can send a request then, so there is one ERROR a minute."""
        clock = Clock(monkeypatch)
        hooks = Webhooks(lambda: "")
        for _ in range(100):
            assert hooks.handle(b"{}", {}).status == 503
        clock.now += 61
        hooks.handle(b"{}", {})
        first, second = errors(discreet)
        assert first == (
            "there is no usable secret, so nothing can be verified: the signing secret is empty: "
            "set DUB_WEBHOOK_SECRET (or DUB_POSTBACK_SECRET) (requests since the last such line: 1)"
        )
        assert second.endswith("(requests since the last such line: 100)")

    def test_what_it_raised(self, discreet: Log) -> None:
        """Its message may hold anything, so only its class is told."""

        def load() -> str:
            raise ConnectionError(f"https://vault/{SECRET}")

        reply = Webhooks(load).handle(*signed(sale()))
        assert reply == build_reply("unavailable")
        assert "verified: ConnectionError (requests" in errors(discreet)[0]


def test_an_observer_fails(discreet: Log) -> None:
    """Its error is logged with its name and traceback, and the others are told all the same."""

    def watch(_: str, __: DeliveryRecord) -> None:
        raise ValueError("no disk")

    told: list[DeliveryRecord] = []
    hooks = Webhooks(SECRET, observers=(one for one in (partial(watch, "x"), told.append)))
    hooks.on(SaleCreated)(lambda _: None)
    assert hooks.handle(*signed(sale())).status == 200
    assert len(told) == 1
    [record] = [it for it in discreet.records if it.levelno == logging.ERROR]
    assert record.getMessage() == "the observer test_an_observer_fails.<locals>.watch failed"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "no disk"


def test_an_observer_stops_the_process() -> None:
    """What tells the process to stop is passed on."""

    def stops(_: DeliveryRecord) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Webhooks(SECRET, observers=[stops]).handle(*signed(sale()))


class TestRecords:
    """What observers are given."""

    def test_which_handler(self) -> None:
        """The handler that ran, or would have; none when a delivery is refused."""
        records: list[DeliveryRecord] = []
        hooks = Webhooks(SECRET, store=InlineStore(), namespace="shop", observers=[records.append])

        @hooks.on(SaleCreated)
        def record_sale(_: Any) -> None: ...

        for request in [signed(sale(id="evt_1"))] * 2 + [(b"{}", {})]:
            hooks.handle(*request)
        first, second, third = records
        assert (first.namespace, str(first.handler)[-11:]) == ("shop", "record_sale")
        assert (second.outcome, second.handler) == ("duplicate", first.handler)
        assert (third.outcome, third.event_name, third.handler) == ("unauthorized", None, None)

    @pytest.mark.parametrize("code", ["body_too_slow", None])
    def test_the_code_of_an_error(self, code: str | None) -> None:
        """The ``code`` of an error that is not ours may be anything, so nobody is told."""
        records: list[DeliveryRecord] = []
        hooks = Webhooks(SECRET, observers=[records.append])
        error: Any = BodyTooSlow("refused") if code else ValueError("refused")
        if code is None:
            error.code = SECRET

        @hooks.on(SaleCreated)
        def handler(_: Any) -> None:
            raise error

        with pytest.raises(type(error), match="refused"):
            hooks.handle(*signed(sale()))
        assert records[0].error_code == code
