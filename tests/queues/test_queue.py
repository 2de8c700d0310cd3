"""What a queue refuses, what intake answers, and what a worker does with each ending."""

import asyncio
import base64
import json
import logging
import threading
import time
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import dubhooks.queues._work as work_module
from dubhooks import (
    ConfigurationError,
    DeadLetterDirectory,
    DeliveryRecord,
    GivenUp,
    MemoryStore,
    Postbacks,
    Reject,
    RetryLater,
    UnknownEvent,
    Webhooks,
    postbacks,
)
from dubhooks.health import FailureWatch
from dubhooks.queues import Queue
from dubhooks.testing import HeldQueue, RecordingStore, make_event, signed_request
from dubhooks.testing import make_unknown_event as make_unknown
from dubhooks.webhooks import LeadCreated, PayoutConfirmed, SaleCreated
from tests.support.receiving import AsyncMemoryStore, Outage, ThreadStore, claim_elsewhere, errors

SECRET = "whsec_marker0123456789abcdef"
Log = pytest.LogCaptureFixture
Handler = Callable[[SaleCreated], Any]


def ignore(_: Any) -> None:
    """Handle an event by doing nothing."""


class Shop:
    """A receiver with a queue, and what was seen in it."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.letters = path / "letters"
        self.records: list[DeliveryRecord] = []
        self.queue = settings.pop("queue", None) or HeldQueue(**settings.pop("common", {}))
        self.store = settings.setdefault("store", ThreadStore())
        settings.setdefault("dead_letters", DeadLetterDirectory(self.letters))
        self.hooks = Webhooks(SECRET, observers=[self.records.append], **settings)

    def take(self, handler: Handler) -> None:
        """Let ``handler`` take sales from the queue."""
        self.hooks.on(SaleCreated, queue=self.queue)(handler)

    def deliver(self, event: Any) -> str:
        """Deliver an event and return the outcome, and the status."""
        reply = self.hooks.handle(*signed_request(event, SECRET))
        return f"{reply.outcome} {reply.status}"

    def list_letters(self) -> list[bytes]:
        """Return the bodies of the dead letters."""
        return [path.read_bytes() for path in sorted(self.letters.glob("*.body"))]

    def waits(self) -> list[float]:
        """Return how long each held message is to wait."""
        return [message.after for message in self.queue.messages]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop whose handlers wait in a queue."""
    return Shop(tmp_path)


def age(queue: HeldQueue, seconds: float) -> None:
    """Make every held message older."""
    for at, message in enumerate(queue.messages):
        content = json.loads(message.text)
        content["received_at"] -= seconds
        queue.messages[at] = message._replace(text=json.dumps(content))


# -- registration -----------------------------------------------------------------------------


def test_a_queue_needs_store_and_dead_letters(tmp_path: Path) -> None:
    """The worker claims, and in the end keeps: without either an event could be lost."""
    letters = DeadLetterDirectory(tmp_path)
    halves: list[dict[str, Any]] = [{"store": MemoryStore()}, {"dead_letters": letters}]
    for settings in halves:
        hooks = Webhooks(SECRET, **settings)
        with pytest.raises(ConfigurationError, match=r"without store= and dead_letters="):
            hooks.on(SaleCreated, queue=HeldQueue())


class EngineQueue(HeldQueue):
    """A queue whose messages leave the process."""

    in_memory = False


@pytest.mark.parametrize("store", [MemoryStore(), RecordingStore()])
def test_memory_does_not_reach_workers(store: Any, tmp_path: Path) -> None:
    """A MemoryStore is each worker's own, so it would not stop a second run."""
    hooks = Webhooks(SECRET, store=store, dead_letters=DeadLetterDirectory(tmp_path))
    with pytest.raises(ConfigurationError, match=r"EngineQueue.*MemoryStore"):
        hooks.on(SaleCreated, queue=EngineQueue())
    hooks.on(SaleCreated, queue=HeldQueue())(ignore)


def test_async_stores_are_refused(tmp_path: Path) -> None:
    """A worker has no event loop that lasts."""
    hooks = Webhooks(SECRET, store=AsyncMemoryStore(), dead_letters=DeadLetterDirectory(tmp_path))
    with pytest.raises(ConfigurationError, match="the sync store of the same engine"):
        hooks.on(SaleCreated, queue=HeldQueue())


def test_retries_end_within_the_retention(tmp_path: Path) -> None:
    """Else an event could be forgotten while it is still tried."""
    shop = Shop(tmp_path, retention=timedelta(days=2), max_age=None)
    with pytest.raises(ConfigurationError, match="retention is shorter than retry_for"):
        shop.hooks.on(SaleCreated, queue=shop.queue)
    shop.hooks.on(SaleCreated, queue=HeldQueue(retry_for=timedelta(days=2)))(ignore)


@pytest.mark.parametrize("takes", [PayoutConfirmed, "payout.external_confirmed"])
def test_payouts_are_queued_on_purpose(shop: Shop, takes: Any) -> None:
    """Dub marks a payout as paid with the 202, so somebody has to say that this is meant."""
    with pytest.raises(ConfigurationError, match="paid_when_queued=True"):
        shop.hooks.on(takes, queue=shop.queue)
    with pytest.raises(ConfigurationError, match="may lose events"):
        shop.hooks.on(takes, queue=HeldQueue(may_lose_events=True), paid_when_queued=True)
    with pytest.raises(ConfigurationError, match="needs queue="):
        shop.hooks.on(takes, paid_when_queued=True)
    shop.hooks.on(takes, queue=shop.queue, paid_when_queued=True)(lambda _: None)


def test_one_receiver_a_namespace(shop: Shop, tmp_path: Path) -> None:
    """A message names its receiver, so a queue knows one of each name."""
    shop.take(ignore)
    same = Webhooks("other", store=shop.store, dead_letters=DeadLetterDirectory(tmp_path))
    with pytest.raises(ConfigurationError, match="second receiver of webhook:default"):
        same.on(LeadCreated, queue=shop.queue)
    named = Shop(tmp_path, queue=shop.queue, namespace="b")
    named.take(ignore)
    partner = Postbacks("pbsec_1", store=shop.store, dead_letters=DeadLetterDirectory(tmp_path))
    partner.on(postbacks.SaleCreated, queue=shop.queue)(ignore)
    shop.hooks.on(LeadCreated, queue=shop.queue)(ignore)


@pytest.mark.parametrize("queue", ["celery", HeldQueue, object(), True])
def test_something_else_is_no_queue(shop: Shop, queue: Any) -> None:
    """A name, a class or another object gets a sentence."""
    with pytest.raises(ConfigurationError, match="queue"):
        shop.hooks.on(SaleCreated, queue=queue)


@pytest.mark.parametrize("retry_for", [timedelta(0), -1, "3 days", None])
def test_retry_for_is_a_duration(retry_for: Any) -> None:
    """Nothing is retried for a length of time that is none."""
    with pytest.raises(ConfigurationError, match="retry_for"):
        HeldQueue(retry_for=retry_for)


# -- intake -----------------------------------------------------------------------------------


def test_intake_answers_when_the_queue_holds_it(shop: Shop) -> None:
    """The answer is 202, again and again; the store is not asked, and the handler waits."""
    seen: list[SaleCreated] = []
    shop.take(seen.append)
    event = make_event(SaleCreated)
    shop.store.fails["claim"] = Outage()
    assert [shop.deliver(event), shop.deliver(event)] == ["queued 202"] * 2
    assert (shop.store.calls, seen, shop.waits()) == ([], [], [0.0, 0.0])
    assert [record.queued_seconds for record in shop.records] == [None, None]
    shop.store.fails.clear()
    assert shop.queue.run() == 2
    assert seen == [event]
    assert [record.outcome for record in shop.records[2:]] == ["handled", "duplicate"]
    for record in shop.records[2:]:
        assert 0 <= (record.queued_seconds or -1) < 60


def test_queued_seconds_end_when_the_work_begins(shop: Shop) -> None:
    """The time in the queue does not include the time that the handler takes."""
    began: list[float] = []

    def handle(_event: SaleCreated) -> None:
        began.append(time.time() - received)
        time.sleep(0.2)  # what must not be counted

    shop.take(handle)
    received = time.time()
    assert shop.deliver(make_event(SaleCreated)) == "queued 202"
    shop.queue.run()
    assert 0 <= (shop.records[-1].queued_seconds or -1) <= began[0]


async def ahandle(shop: Shop, event: Any) -> str:
    """Deliver on an event loop."""
    reply = await shop.hooks.ahandle(*signed_request(event, SECRET))
    return f"{reply.outcome} {reply.status}"


def test_intake_on_an_event_loop(shop: Shop) -> None:
    """The same, with the put in a thread; an async handler runs in the worker."""
    seen: list[SaleCreated] = []

    @shop.hooks.on(SaleCreated, queue=shop.queue)
    async def record(event: SaleCreated) -> None:
        await asyncio.sleep(0)
        seen.append(event)

    event = make_event(SaleCreated)
    assert asyncio.run(ahandle(shop, event)) == "queued 202"
    assert (shop.queue.run(), seen) == (1, [event])


def test_put_goes_on_when_the_client_has_gone(tmp_path: Path) -> None:
    """A put that has begun goes on when its request is cancelled."""
    begun, may_end = threading.Event(), threading.Event()

    class SlowQueue(HeldQueue):
        def put(self, message: str, after: float = 0.0) -> None:
            begun.set()
            assert may_end.wait(30)
            super().put(message, after)

    shop = Shop(tmp_path, queue=SlowQueue())
    shop.take(ignore)

    async def leave() -> None:
        request = asyncio.ensure_future(ahandle(shop, make_event(SaleCreated)))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert shop.queue.messages == []
        may_end.set()
        while not shop.queue.messages:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(leave(), 30))


class BrokenQueue(HeldQueue):
    """A queue whose engine is away, or set up so that it loses events."""

    error: Exception = ConnectionError("amqp://shop:password@broker")
    is_unusable = False
    checks = 0

    def put(self, message: str, after: float = 0.0) -> None:  # noqa: ARG002
        """Fail."""
        raise self.error

    def check(self) -> None:
        """Count, and refuse."""
        self.checks += 1
        if self.is_unusable:
            raise ConfigurationError("set confirm_publish")


def test_queue_in_trouble_is_503(tmp_path: Path, caplog: Log) -> None:
    """Dub sends it again; what the engine said may hold a password and is not logged."""
    shop = Shop(tmp_path, queue=BrokenQueue())
    shop.take(ignore)
    reply = shop.hooks.handle(*signed_request(make_event(SaleCreated), SECRET))
    assert (reply.outcome, reply.status, reply.headers["Retry-After"]) == ("unavailable", 503, "30")
    [line] = errors(caplog)
    assert "ConnectionError" in line
    assert "password" not in caplog.text


def test_engine_that_loses_is_refused_before_the_first_202(tmp_path: Path, caplog: Log) -> None:
    """Settings are checked by warm_up or the first put, until they are right, and then no more."""
    queue = BrokenQueue()
    queue.is_unusable = True
    shop = Shop(tmp_path, queue=queue)
    shop.take(ignore)
    with pytest.raises(ConfigurationError, match="set confirm_publish"):
        shop.hooks.warm_up()
    assert shop.deliver(make_event(SaleCreated)) == "unavailable 503"
    assert "set confirm_publish" in errors(caplog)[0]
    queue.is_unusable = False
    shop.hooks.warm_up()
    shop.hooks.warm_up()
    assert queue.checks == 3


def test_payout_under_another_name_is_not_queued(shop: Shop) -> None:
    """Its id says that it may be a payout, and nobody has taken it for one."""
    seen: list[UnknownEvent] = []
    shop.hooks.on("transfer.completed", queue=shop.queue)(seen.append)
    assert shop.deliver(make_unknown("transfer.completed", {"id": "po_1"})) == (
        "unhandled_payout 501"
    )
    assert shop.deliver(make_unknown("transfer.completed", {"id": "tr_1"})) == "queued 202"
    assert (shop.queue.run(), len(seen)) == (1, 1)


def test_all_else_is_as_without_a_queue(shop: Shop) -> None:
    """No handler, no signature, no event: nothing is queued."""
    shop.take(ignore)
    assert shop.deliver(make_event(LeadCreated)) == "ignored 200"
    assert shop.deliver(make_event(PayoutConfirmed)) == "unhandled_payout 501"
    assert shop.hooks.handle(b"{}", {}).status == 401
    assert shop.deliver(b"{}") == "malformed 400"
    assert shop.queue.messages == []


def test_message_shows_nothing_but_the_event(shop: Shop) -> None:
    """Engines log their messages: in clear is only what identifies the event."""
    shop.take(ignore)
    event = make_event(SaleCreated)
    body, headers = signed_request(event, SECRET)
    shop.hooks.handle(body, headers)
    [(text, after)] = shop.queue.messages
    content = json.loads(text)
    assert (content.pop("v"), content.pop("receiver"), after) == (1, "webhook:default", 0.0)
    assert (content.pop("event"), content.pop("id")) == ("sale.created", event.id)
    assert abs(content.pop("received_at") - time.time()) < 60
    delivery = zlib.decompress(base64.b64decode(content.pop("delivery")))
    assert delivery == headers["Dub-Signature"].encode() + b"\n" + body
    assert content == {}
    assert text.isascii()


# -- the worker: what became of a message -------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "outcome", "waits"),
    [
        (None, "handled", []),
        (ValueError("odd"), "failed", [10.0]),
        (RetryLater(after=300), "retry", [300.0]),
        (RetryLater(after=timedelta(hours=3)), "retry", [900.0]),
        (RetryLater(), "retry", [10.0]),
        (Reject(reason="gone"), "rejected", []),
    ],
)
def test_endings(shop: Shop, raised: Exception | None, outcome: str, waits: list[float]) -> None:
    """Done, or put again after the delay of the attempt or of the handler; never dropped."""

    def handler(_: SaleCreated) -> None:
        if raised is not None:
            raise raised

    shop.take(handler)
    shop.deliver(make_event(SaleCreated))
    shop.queue.run()
    assert shop.records[-1].outcome == outcome
    assert shop.waits() == waits


def test_own_status_counts(shop: Shop) -> None:
    """A handler that returns 500 has failed, as it has without a queue."""
    shop.take(lambda _: ("no", 500))
    shop.deliver(make_event(SaleCreated))
    shop.queue.run()
    assert shop.waits() == [10.0]


def test_delays_grow_to_a_quarter_of_an_hour(shop: Shop, caplog: Log) -> None:
    """10, 20, 40 seconds and so on, 900 at most, counted by the claim."""

    def fail(_: SaleCreated) -> None:
        raise ValueError("odd")

    shop.take(fail)
    shop.deliver(make_event(SaleCreated))
    waited: list[float] = []
    for _ in range(9):
        shop.queue.run()
        waited += shop.waits()
    assert waited == [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 900.0, 900.0]
    failures = [it for it in caplog.records if it.levelno == logging.ERROR]
    assert len(failures) == 9
    assert all(it.exc_info is not None for it in failures)
    assert "attempt 2): it runs again in 20 s" in failures[1].getMessage()


def test_busy_waits_for_the_rest_of_the_lease(shop: Shop) -> None:
    """Another worker, or a dead one's lease, holds it."""
    shop.take(ignore)
    event = make_event(SaleCreated)
    shop.deliver(event)
    claim_elsewhere(shop.store, event, lease=40)
    shop.queue.run()
    assert shop.records[-1].outcome == "busy"
    [wait] = shop.waits()
    assert 35 < wait <= 40


def test_store_down(shop: Shop) -> None:
    """The handler does not run, and the message waits half a minute."""
    shop.take(lambda _: pytest.fail("it ran"))
    shop.deliver(make_event(SaleCreated))
    shop.store.fails["claim"] = Outage()
    shop.queue.run()
    assert (shop.records[-1].outcome, shop.waits()) == ("unavailable", [30.0])


@pytest.mark.parametrize("method", ["complete", "release"])
def test_settling_fails(shop: Shop, method: str, caplog: Log) -> None:
    """A completion that fails is logged and the message done; a release costs only the lease."""
    results = iter([None] if method == "complete" else [ValueError("odd")])

    def handler(_: SaleCreated) -> None:
        error = next(results)
        if error is not None:
            raise error

    shop.take(handler)
    shop.deliver(make_event(SaleCreated))
    shop.store.fails[method] = Outage()
    shop.queue.run()
    assert shop.waits() == ([] if method == "complete" else [10.0])
    assert errors(caplog)


def test_dead_letter_at_the_end(shop: Shop, caplog: Log) -> None:
    """After three days of failures it is kept, the engine is told, and a replay runs it."""
    seen: list[SaleCreated] = []
    odd = ValueError("odd")

    def handler(event: SaleCreated) -> None:
        seen.append(event)
        if len(seen) < 3:
            raise odd

    shop.take(handler)
    event = make_event(SaleCreated)
    shop.deliver(event)
    shop.queue.run()
    age(shop.queue, 3 * 24 * 3600)
    with pytest.raises(GivenUp, match="dead letter") as given_up:
        shop.queue.run()
    assert given_up.value.__cause__ is odd
    assert (shop.list_letters(), shop.waits()) == ([event.to_json()], [])
    assert "dubhooks replay sends again" in errors(caplog)[-1]
    letter = json.loads(next(shop.letters.glob("*.json")).read_text())
    assert letter["error"] == "given_up"
    shop.hooks.handle(event.to_json(), letter["headers"])
    shop.queue.run()
    assert shop.records[-1].outcome == "handled"


def test_busy_and_outages_are_not_given_up(shop: Shop) -> None:
    """However old the message is: the handler has not had its say."""
    shop.take(ignore)
    shop.deliver(make_event(SaleCreated))
    age(shop.queue, 4 * 24 * 3600)
    shop.store.fails["claim"] = Outage()
    shop.queue.run()
    assert (shop.waits(), shop.list_letters()) == ([30.0], [])


def test_dead_letter_that_cannot_be_kept(tmp_path: Path, caplog: Log) -> None:
    """Then the message is put back, and the error says why."""

    class Full:
        def keep(self, *_: object) -> None:
            raise OSError("No space left on device")

    shop = Shop(tmp_path, dead_letters=Full())
    shop.take(lambda _: (_ for _ in ()).throw(ValueError))
    shop.deliver(make_event(SaleCreated))
    age(shop.queue, 4 * 24 * 3600)
    shop.queue.run()
    assert shop.waits() == [900.0]
    assert "could not be kept" in errors(caplog)[-1]


def test_conflict_is_a_dead_letter(shop: Shop) -> None:
    """Another body under the same id is kept at once, and not run."""
    seen: list[SaleCreated] = []
    shop.take(seen.append)
    event = make_event(SaleCreated)
    other = json.dumps(json.loads(event.to_json()), indent=1).encode()
    shop.deliver(event)
    shop.deliver(other)
    shop.queue.run()
    assert (seen, shop.list_letters(), shop.waits()) == ([event], [other], [])


def test_rejected_payout_is_a_dead_letter(shop: Shop, caplog: Log) -> None:
    """Dub shows it as paid, so nothing less than an ERROR and a dead letter will do."""

    @shop.hooks.on(PayoutConfirmed, queue=shop.queue, paid_when_queued=True)
    def pay(_: PayoutConfirmed) -> None:
        raise Reject(reason="no such partner")

    event = make_event(PayoutConfirmed)
    assert shop.deliver(event) == "queued 202"
    shop.queue.run()
    assert (shop.list_letters(), shop.waits()) == ([event.to_json()], [])
    assert "rejected a payout" in errors(caplog)[-1]
    # The claim is free: a replay is decided again.
    shop.deliver(event)
    shop.queue.run()
    assert shop.records[-1].attempt == 2


def test_shutdown_gives_the_message_back(shop: Shop) -> None:
    """What stops the process is raised, with the claim released: the engine has the message."""

    def stop(_: SaleCreated) -> None:
        raise SystemExit

    shop.take(stop)
    shop.deliver(make_event(SaleCreated))
    with pytest.raises(SystemExit):
        shop.queue.run()
    assert [call.split()[0] for call in shop.store.calls] == ["claim", "release"]


def test_putting_again_waits_for_the_engine(
    tmp_path: Path, caplog: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the engine is away the job goes on, so that the engine still has the old message."""
    monkeypatch.setattr(work_module, "_PUT_PAUSE", 0.01)

    class AwayQueue(HeldQueue):
        failures = 3

        def put(self, message: str, after: float = 0.0) -> None:
            if after and self.failures:
                self.failures -= 1
                raise ConnectionError("amqp://password")
            super().put(message, after)

    shop = Shop(tmp_path, queue=AwayQueue())
    shop.take(lambda _: (_ for _ in ()).throw(RetryLater(after=60)))
    shop.deliver(make_event(SaleCreated))
    shop.queue.run()
    assert shop.waits() == [60.0]
    assert len(errors(caplog)) == 3
    assert "password" not in caplog.text


# -- the worker: messages that it cannot work ---------------------------------------------------

UNREADABLE: list[object] = [
    "",
    "no JSON",
    "[]",
    "null",
    "7",
    "[" * 100_000,
    json.dumps({"v": 1}),
    json.dumps({"v": 2, "receiver": "webhook:default", "id": "evt_1", "payload": "new"}),
    json.dumps(
        {"v": 1, "receiver": "r", "event": "e", "id": "i", "received_at": "soon", "delivery": ""}
    ),
    json.dumps(
        {"v": 1, "receiver": "r", "event": "e", "id": "i", "received_at": 1e999, "delivery": ""}
    ),
    None,
    b"\xff\xfe\xfd",
]


@pytest.mark.parametrize("text", UNREADABLE, ids=range(len(UNREADABLE)))
def test_unreadable_message_is_put_back(shop: Shop, text: Any, caplog: Log) -> None:
    """For a quarter of an hour, again and again, as it came: it is never dropped."""
    shop.take(ignore)
    shop.queue.put(text)
    shop.queue.run()
    assert [tuple(it) for it in shop.queue.messages] == [(text, 900.0)]
    assert "cannot be read" in errors(caplog)[-1]


def spoil(shop: Shop, **changes: object) -> None:
    """Change the one message that is held."""
    [message] = shop.queue.messages
    content = json.loads(message.text) | changes
    shop.queue.messages[:] = [message._replace(text=json.dumps(content))]


SPOILED: dict[str, dict[str, object]] = {
    "no receiver": {"receiver": "webhook:elsewhere"},
    "cannot be read": {"delivery": "AAAA"},
    "cannot be read ": {"delivery": 7},
    "does not belong": {"delivery": base64.b64encode(zlib.compress(b"0" * 64 + b"\n{}")).decode()},
}


@pytest.mark.parametrize("problem", SPOILED)
def test_foreign_and_forged_messages_run_nothing(shop: Shop, problem: str, caplog: Log) -> None:
    """They wait, as a deployment may be under way, and in the end are kept if they can be."""
    shop.take(lambda _: pytest.fail("it ran"))
    shop.deliver(make_event(SaleCreated))
    spoil(shop, **SPOILED[problem])
    shop.queue.run()
    assert shop.waits() == [900.0]
    assert problem.strip() in errors(caplog)[-1]
    age(shop.queue, 4 * 24 * 3600)
    if "read" in problem:
        shop.queue.run()
        assert shop.waits() == [900.0]
    else:
        with pytest.raises(GivenUp):
            shop.queue.run()
        assert (len(shop.list_letters()), shop.waits()) == (1, [])


def test_body_over_a_limit_that_was_lowered(shop: Shop, tmp_path: Path) -> None:
    """What was taken under a larger ``max_body`` is not run, and its dead letter is whole."""
    shop.take(ignore)
    event = make_event(SaleCreated)
    shop.deliver(event)
    age(shop.queue, 4 * 24 * 3600)
    strict = Shop(tmp_path, max_body=100)
    strict.take(lambda _: pytest.fail("it ran"))
    with pytest.raises(GivenUp, match="max_body=100"):
        strict.queue.work(shop.queue.messages[0].text)
    assert strict.list_letters() == [event.to_json()]


def test_worker_without_receivers_keeps_messages(shop: Shop) -> None:
    """The module with the handlers was not imported: nothing is dropped, however old."""
    shop.take(ignore)
    shop.deliver(make_event(SaleCreated))
    age(shop.queue, 4 * 24 * 3600)
    other = HeldQueue()
    other.work(shop.queue.messages[0].text)
    assert [message.after for message in other.messages] == [900.0]


def test_worker_without_the_handler(shop: Shop, tmp_path: Path, caplog: Log) -> None:
    """A worker of an older version has no handler for it yet."""
    shop.take(ignore)
    shop.deliver(make_event(SaleCreated))
    older = Shop(tmp_path)
    older.hooks.on(LeadCreated, queue=older.queue)(ignore)
    older.queue.work(shop.queue.messages[0].text)
    assert older.waits() == [900.0]
    assert "no handler takes it" in errors(caplog)[-1]


def test_rotation(shop: Shop, tmp_path: Path, caplog: Log) -> None:
    """A worker that lacks the old secret puts the message back; one that has both runs it."""
    seen: list[SaleCreated] = []
    shop.take(ignore)
    shop.deliver(make_event(SaleCreated))
    for secret, count in (("whsec_new", 0), (["whsec_new", SECRET], 1)):
        queue = HeldQueue()
        hooks = Webhooks(secret, store=ThreadStore(), dead_letters=DeadLetterDirectory(tmp_path))
        hooks.on(SaleCreated, queue=queue)(seen.append)
        queue.work(shop.queue.messages[0].text)
        assert (len(seen), len(queue.messages)) == (count, 1 - count)
    assert "whsec" not in caplog.text


def test_secret_callable_that_fails(shop: Shop, tmp_path: Path) -> None:
    """Without a secret nothing is verified and nothing runs; the message waits."""
    shop.take(ignore)
    shop.deliver(make_event(SaleCreated))

    def ask() -> str:
        raise OSError("the vault is away")

    queue = HeldQueue()
    hooks = Webhooks(ask, store=ThreadStore(), dead_letters=DeadLetterDirectory(tmp_path))
    hooks.on(SaleCreated, queue=queue)(ignore)
    queue.work(shop.queue.messages[0].text)
    assert [message.after for message in queue.messages] == [900.0]


def test_age_counts_at_intake_only(shop: Shop, tmp_path: Path) -> None:
    """What waited longer than max_age in a queue still runs."""
    seen: list[SaleCreated] = []
    shop.take(ignore)
    strict = Shop(tmp_path, max_age=0.001)
    strict.take(seen.append)
    shop.deliver(make_event(SaleCreated))
    time.sleep(0.01)
    strict.queue.work(shop.queue.messages[0].text)
    assert len(seen) == 1


# -- what watches ---------------------------------------------------------------------------


def test_failure_watch_ignores_workers(tmp_path: Path) -> None:
    """Dub sees the 202 and never the worker, so its failures do not count."""
    watch = FailureWatch()
    queue = HeldQueue()
    hooks = Webhooks(
        SECRET, store=ThreadStore(), dead_letters=DeadLetterDirectory(tmp_path), observers=[watch]
    )

    @hooks.on(SaleCreated, queue=queue)
    def fail(_: SaleCreated) -> None:
        raise ValueError("odd")

    hooks.handle(*signed_request(make_event(SaleCreated), SECRET))
    queue.run()
    assert watch.failures == 0


def test_queue_is_a_public_base_class() -> None:
    """An engine's author writes put, and no more."""

    class Own(Queue):
        def put(self, message: str, after: float = 0.0) -> None:
            pass

    assert Own(retry_for=timedelta(hours=1)).retry_for == 3600
    with pytest.raises(TypeError):
        Queue()  # type: ignore[abstract]


def test_held_queue_keeps_what_was_not_reached(shop: Shop) -> None:
    """A message that raises does not take the others with it."""

    def stop(_: SaleCreated) -> None:
        raise KeyboardInterrupt

    shop.take(stop)
    shop.deliver(make_event(SaleCreated))
    shop.deliver(make_event(SaleCreated))
    with pytest.raises(KeyboardInterrupt):
        shop.queue.run()
    assert len(shop.queue.messages) == 1
