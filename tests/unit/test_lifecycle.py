"""One live runner handles an event; what a handler did decides what becomes of its claims."""

import asyncio
import contextvars
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dubhooks import MemoryStore, Webhooks
from dubhooks.errors import BodyTooSlow
from dubhooks.idempotency._drivers import CallerHere, run_here
from dubhooks.idempotency._lifecycle import Job, run_handler
from dubhooks.receiver._reporting import build_log
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import (
    SECRET,
    AsyncMemoryStore,
    InlineStore,
    Outage,
    ThreadStore,
    claim_elsewhere,
    errors,
    key_of,
    sale,
    signed,
    state_of,
)

Log = pytest.LogCaptureFixture

pytestmark = pytest.mark.usefixtures("discreet")

LOG = build_log("webhook", "default")


class TestDecisions:
    """How a handler's end is judged."""

    def test_a_result_that_cannot_be_judged(self) -> None:
        """When a framework cannot make a response of a result, the handler has failed."""

        def unusable(_: object) -> int:
            raise TypeError("not a response")

        given = Job(lambda: "result", False, unusable)
        ending = run_here(run_handler(given, CallerHere(), LOG, 3))
        assert (ending.outcome, ending.attempt, ending.is_done) == ("failed", 3, False)
        assert str(ending.error) == "not a response"

    def test_a_lifecycle_that_waits_without_a_loop(self) -> None:
        """What must never be suspended says so at once instead of never ending."""
        with pytest.raises(AssertionError, match="waited for something"):
            run_here(asyncio.sleep(0))


def test_many_threads_run_it_once() -> None:
    """Of many threads that get the same delivery at once, one runs it and no other answers 200."""
    hooks = Webhooks(SECRET, store=MemoryStore())
    together, go_on, busy = threading.Barrier(16), threading.Event(), threading.Semaphore(0)
    runs: list[int] = []

    @hooks.on(SaleCreated)
    def handler(_: Any) -> None:
        runs.append(1)
        go_on.wait(10)

    request = signed(sale())

    def deliver(_: int) -> str:
        together.wait(10)
        outcome = hooks.handle(*request).outcome
        if outcome == "busy":
            busy.release()
        return outcome

    with ThreadPoolExecutor(16) as pool:
        deliveries = [pool.submit(deliver, number) for number in range(16)]
        for _ in range(15):
            assert busy.acquire(timeout=10)
        go_on.set()
        outcomes = sorted(delivery.result() for delivery in deliveries)
    assert outcomes == ["busy"] * 15 + ["handled"]
    assert runs == [1]


@pytest.mark.parametrize("store_type", [InlineStore, ThreadStore, AsyncMemoryStore])
def test_many_tasks_run_it_once(store_type: Any) -> None:
    """Of many tasks that get the same delivery at once, one runs it."""
    hooks = Webhooks(SECRET, store=store_type())
    runs: list[int] = []
    request = signed(sale())

    async def main() -> list[str]:
        go_on = asyncio.Event()

        @hooks.on(SaleCreated)
        async def handler(_: Any) -> None:
            runs.append(1)
            await go_on.wait()

        tasks = [asyncio.ensure_future(hooks.ahandle(*request)) for _ in range(20)]
        while sum(task.done() for task in tasks) < 19:
            await asyncio.wait(tasks, return_when="FIRST_COMPLETED", timeout=0.01)
        go_on.set()
        return sorted([(await task).outcome for task in tasks])

    assert asyncio.run(main()) == ["busy"] * 19 + ["handled"]
    assert runs == [1]


@pytest.mark.parametrize("kind", ["sync", "wrapped"])
@pytest.mark.parametrize("store_type", [None, InlineStore, ThreadStore, AsyncMemoryStore])
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
    assert seen == [("shop", kind == "wrapped")]


def test_a_lease_that_was_lost(discreet: Log) -> None:
    """What was handled after somebody else had taken it over is a success, and is told."""
    store = ThreadStore()
    hooks = Webhooks(SECRET, store=store, lease=0.05)
    event = sale()

    @hooks.on(SaleCreated)
    def slow(_: Any) -> None:
        store.fails["claim"] = Outage()  # as of a process that was frozen: nothing is renewed
        while state_of(store, key_of(event)) == "busy":
            pass
        claim_elsewhere(store, event)

    assert hooks.handle(*signed(event)).outcome == "handled"
    assert "the lease was over before its event was done" in errors(discreet)[-1]


class TestStoreErrors:
    """What is logged of an error in a store."""

    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (ConnectionRefusedError("redis://:marker@host"), "see that the store's server runs"),
            (Outage(), "Outage: see that the store's server runs"),
            (type("DataError", (ValueError,), {"__module__": "driver"})("marker"), ": DataError"),
        ],
        ids=repr,
    )
    def test_a_drivers_error(self, error: Exception, message: str, discreet: Log) -> None:
        """A driver's message may quote values and passwords: its class is told, and advice."""
        [record] = self.log(error, discreet)
        assert message in record.getMessage()
        assert record.exc_info is None

    @pytest.mark.parametrize(
        "error",
        [
            RuntimeError("Database access not allowed"),
            AttributeError("no attribute 'eval'"),
            ModuleNotFoundError("No module named 'lupa'"),
            TypeError("x"),
            type("DatabaseOperationForbidden", (AssertionError,), {})("not in a SimpleTestCase"),
        ],
        ids=repr,
    )
    def test_a_programs_error(self, error: Exception, discreet: Log) -> None:
        """What no driver raised is told with its message and traceback."""
        [record] = self.log(error, discreet)
        assert record.getMessage().endswith(f": {type(error).__name__}: {error}")
        assert record.exc_info is not None
        assert record.exc_info[1] is error

    def test_a_programs_error_that_came_from_a_drivers(self, discreet: Log) -> None:
        """Its traceback is told without what it came from, whose message a driver wrote."""

        def fail() -> None:
            try:
                raise ConnectionRefusedError("redis://:marker@host")
            except OSError:
                try:
                    [][0]
                except IndexError:
                    _ = None.connection  # type: ignore[attr-defined]

        with pytest.raises(AttributeError) as caught:
            fail()
        [record] = self.log(caught.value, discreet)
        assert "no attribute 'connection'" in record.getMessage()
        assert "in fail" in record.getMessage()
        assert "marker" not in logging.Formatter().format(record)

    def test_our_own_error(self, discreet: Log) -> None:
        """A message of this library holds nothing private, so it is logged as it is."""
        [record] = self.log(BodyTooSlow("run the migration"), discreet)
        assert record.getMessage().endswith(": run the migration")

    def log(self, error: Exception, log: Log) -> list[logging.LogRecord]:
        """Return what is logged when a claim fails."""
        store = ThreadStore()
        store.fails["claim"] = error
        hooks = Webhooks(SECRET, store=store)
        hooks.on(SaleCreated)(lambda _: None)
        assert hooks.handle(*signed(sale())).outcome == "unavailable"
        return [record for record in log.records if record.levelno == logging.ERROR]


class TestNaturalKey:
    """``dedupe="natural"``: the order of two claims, and what happens between them."""

    def receive(self, store: Any, handler: Any) -> Webhooks:
        """Return a receiver of sales, one per invoice."""
        hooks = Webhooks(SECRET, store=store)
        hooks.on(SaleCreated, dedupe="natural")(handler)
        return hooks

    def sales(self) -> tuple[Any, Any]:
        """Return two events about one invoice."""
        same = {"data__sale__invoiceId": "in_1", "data__customer__id": "cus_1"}
        return sale(**same), sale(**same)

    def test_the_natural_key_is_done_first(self) -> None:
        """A crash between the two completions leaves no way for a second event to run."""
        store = ThreadStore()
        first, _ = self.sales()
        self.receive(store, lambda _: None).handle(*signed(first))
        assert [call.split()[0] for call in store.calls] == ["claim"] * 2 + ["complete"] * 2
        assert store.calls[0] == f"claim {key_of(first)}"
        assert store.calls[3] == f"complete {key_of(first)}"

    def test_while_the_first_one_runs(self) -> None:
        """The second event has to come again, and holds nothing meanwhile."""
        store, ran = ThreadStore(), list[Any]()
        first, second = self.sales()

        def handler(event: Any) -> None:
            ran.append(event)
            if event == first:
                reply = hooks.handle(*signed(second))
                assert reply.outcome == "busy"
                assert 1 <= int(reply.headers["Retry-After"]) <= 60
                assert state_of(store, key_of(second)) == "free"

        hooks = self.receive(store, handler)
        assert hooks.handle(*signed(first)).outcome == "handled"
        assert ran == [first]

    def test_the_second_claim_fails(self, discreet: Log) -> None:
        """Without the natural key the handler does not run, and the event's own key is free."""

        class HalfStore(ThreadStore):
            def _begin(self, method: str, key: str) -> None:
                super()._begin(method, key)
                if method == "claim" and key != key_of(first):
                    raise Outage

        first, _ = self.sales()
        store, ran = HalfStore(), list[Any]()
        assert self.receive(store, ran.append).handle(*signed(first)).outcome == "unavailable"
        assert not ran
        assert state_of(store, key_of(first)) == "free"
        assert len(errors(discreet)) == 1
