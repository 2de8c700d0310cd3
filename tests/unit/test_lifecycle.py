"""Claims are settled however a handler ends, and one live runner handles an event."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dubhooks import MemoryStore, Postbacks, SQLiteStore, Webhooks, postbacks
from dubhooks.testing import make_event
from dubhooks.webhooks import CommissionCreated, SaleCreated
from tests.support.receiving import (
    SECRET,
    AsyncMemoryStore,
    InlineStore,
    Outage,
    World,
    changed,
    claim_elsewhere,
    errors,
    key_of,
    rows_of,
    sale,
    signed,
    state_of,
)

Log = pytest.LogCaptureFixture

pytestmark = pytest.mark.usefixtures("discreet")


class Stop(BaseException):
    """Something that tells the process to stop."""


ENDINGS = [
    ValueError("no"),
    KeyboardInterrupt(),
    SystemExit(3),
    GeneratorExit(),
    asyncio.CancelledError(),
    StopIteration(),
    StopAsyncIteration(),
    TimeoutError(),
    Stop(),
    MemoryError(),
    RecursionError(),
]


@pytest.mark.parametrize("error", ENDINGS, ids=lambda error: type(error).__name__)
def test_released_on_everything(world: World, error: BaseException) -> None:
    """Whatever a handler raises is passed on, after its claim was released, and observed once."""
    hooks = world.receiver()
    hooks.on(SaleCreated)(world.answering(error))
    event = sale()
    # No coroutine and no generator can raise StopIteration itself (PEP 479).
    is_stop = isinstance(error, (StopIteration, StopAsyncIteration))
    expected = (RuntimeError, type(error)) if is_stop else type(error)
    with pytest.raises(expected):
        world.send(hooks, signed(event))
    assert state_of(world.store, key_of(event)) == "free"
    assert [(record.outcome, record.status) for record in world.records] == [("failed", 500)]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), Stop()], ids=repr)
@pytest.mark.parametrize("method", ["claim", "complete", "release"])
def test_stopped_in_the_store(world: World, method: str, error: BaseException) -> None:
    """What tells the process to stop is passed on even when the store was asked meanwhile."""
    hooks = world.receiver()
    hooks.on(SaleCreated)(world.answering(ValueError() if method == "release" else None))
    world.store.fails[method] = error
    event = sale()
    with pytest.raises(type(error)):
        world.send(hooks, signed(event))
    assert world.runs == (method != "claim")
    outcome = {"claim": "failed", "complete": "handled", "release": "failed"}[method]
    assert [record.outcome for record in world.records] == [outcome]


def test_stopped_while_a_refused_claim_is_released(world: World) -> None:
    """What tells the process to stop is passed on when the event was not to be run anyway."""
    hooks = world.receiver()
    hooks.on(SaleCreated)(world.answering(ValueError("no")))
    event = sale()
    with pytest.raises(ValueError, match="no"):
        world.send(hooks, signed(event))
    world.store.fails["release"] = Stop()
    with pytest.raises(Stop):
        world.send(hooks, signed(changed(event, extra=1)))
    assert world.records[1].outcome == "conflict"


def test_a_claim_that_was_made_but_not_heard_of(world: World) -> None:
    """A claim is given back when the process was told to stop before it heard of it."""
    hooks = world.receiver()
    hooks.on(SaleCreated)(world.answering())
    world.store.fails["claim"] = Stop()
    event = sale()
    with pytest.raises(Stop):
        world.send(hooks, signed(event))
    rows = rows_of(world.store)
    assert rows.calls == [f"claim {key_of(event)}", f"release {key_of(event)}"]


@pytest.mark.parametrize("first", ["handle", "ahandle"])
def test_the_two_methods_share_claims(first: str, tmp_path: Any) -> None:
    """An event handled by ``handle`` is a duplicate for ``ahandle``, and the other way round."""
    store = SQLiteStore(tmp_path / "claims.db")
    hooks = Webhooks(SECRET, store=store)
    hooks.on(SaleCreated)(lambda _: None)
    request = signed(sale())
    methods = [hooks.handle, lambda *it: asyncio.run(hooks.ahandle(*it))]
    if first == "ahandle":
        methods.reverse()
    assert [method(*request).outcome for method in methods] == ["handled", "duplicate"]
    store.close()


def test_many_threads_run_it_once() -> None:
    """Of many threads that get the same delivery at once, one runs it and no other answers 200."""
    hooks = Webhooks(SECRET, store=MemoryStore())
    together = threading.Barrier(16)
    go_on = threading.Event()
    runs: list[int] = []

    def handler(_: Any) -> None:
        runs.append(1)
        go_on.wait(10)

    hooks.on(SaleCreated)(handler)
    request = signed(sale())

    def deliver(_: int) -> str:
        together.wait(10)
        outcome = hooks.handle(*request).outcome
        if outcome == "busy":
            busy.release()
        return outcome

    busy = threading.Semaphore(0)
    with ThreadPoolExecutor(16) as pool:
        deliveries = [pool.submit(deliver, number) for number in range(16)]
        for _ in range(15):
            assert busy.acquire(timeout=10)
        go_on.set()
        outcomes = sorted(delivery.result() for delivery in deliveries)
    assert outcomes == ["busy"] * 15 + ["handled"]
    assert runs == [1]


@pytest.mark.parametrize("store_type", [InlineStore, AsyncMemoryStore])
def test_many_tasks_run_it_once(store_type: Any) -> None:
    """Of many tasks that get the same delivery at once, one runs it."""
    hooks = Webhooks(SECRET, store=store_type())
    runs: list[int] = []

    async def handler(_: Any) -> None:
        runs.append(1)
        await asyncio.sleep(0.01)

    hooks.on(SaleCreated)(handler)
    request = signed(sale())

    async def main() -> list[str]:
        replies = await asyncio.gather(*[hooks.ahandle(*request) for _ in range(20)])
        return sorted(reply.outcome for reply in replies)

    assert asyncio.run(main()) == ["busy"] * 19 + ["handled"]
    assert runs == [1]


def test_a_lease_that_is_over_is_taken_over(world: World) -> None:
    """When a worker died, the redelivery after its lease runs as the next attempt."""
    hooks = world.receiver()
    hooks.on(SaleCreated)(world.answering())
    event = sale()
    rows = rows_of(world.store)
    request = signed(event)
    claim_elsewhere(world, event, lease=0.02)
    while (answer := world.send(hooks, request)).outcome == "busy":
        pass
    assert answer.outcome == "handled"
    assert world.records[-1].attempt == 2
    assert not MemoryStore.complete(rows, key_of(event), "another worker", retention=60)


@pytest.mark.parametrize("kind", ["sync", "lambda"])
@pytest.mark.parametrize("store_type", [None, InlineStore, AsyncMemoryStore])
def test_context_variables_reach_the_handler(kind: str, store_type: Any) -> None:
    """What a framework keeps in context variables is there in the handler's thread."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")
    hooks = Webhooks(SECRET, store=store_type and store_type())
    seen: list[tuple[str, bool]] = []
    here = threading.get_ident()

    def handler(_: Any) -> None:
        seen.append((variable.get(), threading.get_ident() == here))

    async def async_handler(_: Any) -> None:
        handler(_)

    hooks.on(SaleCreated)(handler if kind == "sync" else lambda event: async_handler(event))

    async def main() -> None:
        variable.set("shop")
        await hooks.ahandle(*signed(sale()))

    asyncio.run(main())
    # A coroutine runs on the loop it came from, whatever function returned it.
    assert seen == [("shop", kind == "lambda")]


class TestNaturalKey:
    """``dedupe="natural"``: the same thing under a new event id does not run again."""

    def receiver(self, world: World, *results: Any) -> Webhooks:
        """Return a receiver of sales, one per invoice."""
        hooks = world.receiver()
        hooks.on(SaleCreated, dedupe="natural")(world.answering(*results))
        return hooks

    def sales(self) -> tuple[Any, Any]:
        """Return two events about one invoice."""
        first = sale(data__sale__invoiceId="in_1")
        assert first.natural_key
        return first, sale(data__sale__invoiceId="in_1")

    def test_again_under_a_new_id(self, world: World) -> None:
        """The second event is a duplicate, and its own id is done as well."""
        hooks = self.receiver(world)
        first, second = self.sales()
        answers = [world.send(hooks, signed(event)) for event in (first, second, second)]
        assert [answer.outcome for answer in answers] == ["handled", "duplicate", "duplicate"]
        assert world.seen == [first]
        assert state_of(world.store, key_of(first)) == "done"
        assert state_of(world.store, key_of(second)) == "done"

    def test_the_natural_key_is_done_first(self, world: World) -> None:
        """A crash between the two completions leaves no way for a second event to run."""
        hooks = self.receiver(world)
        first, _ = self.sales()
        world.send(hooks, signed(first))
        rows = rows_of(world.store)
        methods = [call.split()[0] for call in rows.calls]
        assert methods == ["claim", "claim", "complete", "complete"]
        assert rows.calls[0] == f"claim {key_of(first)}"
        assert rows.calls[3] == f"complete {key_of(first)}"

    def test_while_the_first_one_runs(self, world: World) -> None:
        """The second event has to come again, and holds nothing meanwhile."""
        hooks = self.receiver(world, ValueError("no"))
        first, second = self.sales()
        with pytest.raises(ValueError, match="no"):
            world.send(hooks, signed(first))
        natural_key = rows_of(world.store).calls[1].removeprefix("claim ")
        claim_elsewhere(world, first, key=natural_key)
        answer = world.send(hooks, signed(second))
        assert answer.outcome == "busy"
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert state_of(world.store, key_of(second)) == "free"
        assert world.runs == 1

    def test_failure_releases_both(self, world: World) -> None:
        """After a failure either event may run."""
        hooks = self.receiver(world, ValueError("no"), None)
        first, second = self.sales()
        with pytest.raises(ValueError, match="no"):
            world.send(hooks, signed(first))
        assert world.send(hooks, signed(second)).outcome == "handled"
        assert world.send(hooks, signed(first)).outcome == "duplicate"

    def test_other_things_do_not_collide(self, world: World) -> None:
        """Another invoice, and an event without an invoice, run."""
        hooks = self.receiver(world)
        events = [sale(data__sale__invoiceId=it) for it in ("in_1", "in_2", None, None, "")]
        assert [world.send(hooks, signed(it)).outcome for it in events] == ["handled"] * 5

    def test_the_second_claim_fails(self, world: World, discreet: Log) -> None:
        """Without the natural key the handler does not run, and the event's own key is free."""
        hooks = self.receiver(world)
        first, _ = self.sales()
        rows = rows_of(world.store)
        begin = rows._begin

        def fail_second(method: str, key: str) -> None:
            begin(method, key)
            if key != key_of(first):
                raise Outage

        rows._begin = fail_second  # type: ignore[method-assign]
        assert world.send(hooks, signed(first)).outcome == "unavailable"
        assert world.runs == 0
        assert state_of(world.store, key_of(first)) == "free"
        assert len(errors(discreet)) == 1

    def test_completing_a_duplicate_fails(self, world: World, discreet: Log) -> None:
        """A duplicate is one even when its own id could not be noted as done."""
        hooks = self.receiver(world)
        first, second = self.sales()
        world.send(hooks, signed(first))
        world.store.fails["complete"] = Outage()
        assert world.send(hooks, signed(second)).outcome == "duplicate"
        assert "could not be completed" in errors(discreet)[0]


def test_families_and_namespaces_do_not_collide() -> None:
    """The same invoice in a webhook, a postback and another namespace is three things."""
    store = MemoryStore()
    runs: list[Any] = []
    receivers: list[Any] = [
        Webhooks(SECRET, store=store),
        Webhooks(SECRET, store=store, namespace="other"),
        Postbacks(SECRET, store=store),
    ]
    for receiver in receivers:
        cls = receiver.family.classes["commission.created"]
        receiver.on(cls, dedupe="natural")(runs.append)
    webhook = make_event(CommissionCreated, data__id="cm_1")
    postback = make_event(postbacks.CommissionCreated, data__id="cm_1")
    assert webhook.natural_key == postback.natural_key
    events = [webhook, webhook, postback]
    outcomes = [
        receiver.handle(*signed(event)).outcome
        for receiver, event in zip(receivers, events, strict=True)
    ]
    assert outcomes == ["handled"] * 3
    assert runs == events
