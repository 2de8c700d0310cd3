"""Claims are renewed while their handler runs: a lease only measures crashes."""

import asyncio
import gc
import logging
import subprocess
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import Any

import pytest

from dubhooks import Claim, MemoryStore, RetryLater, Webhooks
from dubhooks.idempotency import _renewal
from dubhooks.idempotency._drivers import CallerHere, run_here
from dubhooks.receiver._reporting import build_log
from dubhooks.webhooks import SaleCreated
from tests.support.cancelling import until as eventually
from tests.support.processes import FORKING, python, until
from tests.support.receiving import (
    SECRET,
    AsyncMemoryStore,
    Gate,
    InlineStore,
    Outage,
    ThreadStore,
    key_of,
    rows_of,
    sale,
    signed,
    state_of,
)

Log = pytest.LogCaptureFixture

pytestmark = pytest.mark.usefixtures("discreet")

THREAD = "dubhooks renewals"


_others: list[threading.Thread] = []
"""Of tests before: a thread ends when its longest lease would have been renewed."""


def threads() -> list[threading.Thread]:
    """Return the threads that renew claims of this test right now."""
    return [it for it in threading.enumerate() if it.name == THREAD and it not in _others]


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    """Wait for the threads of each test: they end when there is nothing to renew."""
    _others[:] = threading.enumerate()
    yield
    until(lambda: not threads(), "renewals end")


def lines(log: Log, level: int) -> list[str]:
    """Return the messages of one level."""
    return [record.getMessage() for record in log.records if record.levelno == level]


def _is_past(moment: float) -> bool:
    return monotonic() > moment


class TestAsTheContractSays:
    """Lease 1 s, handler 4 s, 15 other deliveries; and a handler that hangs."""

    def test_in_threads(self) -> None:
        """A handler that outlives its lease four times runs once, and the others come again."""
        hooks, runs = Webhooks(SECRET, store=MemoryStore(), lease=1.0), list[float]()
        request = signed(sale())

        @hooks.on(SaleCreated)
        def slow(_: Any) -> None:
            runs.append(monotonic())
            threading.Event().wait(4.0)

        with ThreadPoolExecutor(16) as pool:
            first = pool.submit(hooks.handle, *request)
            until(lambda: runs, "the handler runs")
            outcomes = set()
            for number in range(15):
                # Spread over the whole time that the handler takes.
                turn = runs[0] + number / 4
                until(partial(_is_past, turn), "its turn")
                outcomes.add(pool.submit(hooks.handle, *request).result().outcome)
            assert first.result().outcome == "handled"
        assert outcomes == {"busy"}
        assert len(runs) == 1
        assert hooks.handle(*request).outcome == "duplicate"

    @pytest.mark.slow
    @pytest.mark.parametrize("store_type", [InlineStore, AsyncMemoryStore])
    def test_a_handler_that_hangs(self, store_type: Any, discreet: Log) -> None:
        """After ten leases another delivery takes the event over, and somebody is told."""
        hooks, runs = Webhooks(SECRET, store=store_type(), lease=1.0), list[float]()
        event = sale()

        async def main() -> None:
            go_on = asyncio.Event()

            @hooks.on(SaleCreated)
            async def hanging(_: Any) -> None:
                runs.append(monotonic())
                if len(runs) == 1:
                    await go_on.wait()

            first = asyncio.ensure_future(hooks.ahandle(*signed(event)))
            while not runs or (await hooks.ahandle(*signed(event))).outcome == "busy":
                await asyncio.sleep(0.05)
            go_on.set()
            assert (await first).outcome == "handled"

        asyncio.run(main())
        assert len(runs) == 2
        assert runs[1] - runs[0] > 9  # a lease after the last renewal at the earliest
        first, second = lines(discreet, logging.ERROR)
        assert f"the handler of {key_of(event)} has been running for 9 leases" in first
        assert "another worker may have run it too" in second


class Store(ThreadStore):
    """A store whose renewals do what a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.renewals = 0
        self.answer: Claim | None = None
        """What a renewal is told instead."""
        self.entered, self.opened = threading.Event(), threading.Event()
        self.is_slow = False

    def claim(self, key: str, token: str, **arguments: Any) -> Claim:
        """Claim, or renew."""
        if threading.current_thread().name != THREAD:
            return super().claim(key, token, **arguments)
        self.renewals += 1
        if self.is_slow:
            self.entered.set()
            assert self.opened.wait(10)
        claim = super().claim(key, token, **arguments)
        return self.answer or claim


class TestInAThread:
    """Sync stores: one daemon thread for each receiver that has something to renew."""

    def receive(self, store: Any, handler: Any, lease: float = 0.06) -> Webhooks:
        """Return a receiver of sales."""
        hooks = Webhooks(SECRET, store=store, lease=lease)
        hooks.on(SaleCreated)(handler)
        return hooks

    @pytest.mark.parametrize("state", ["busy", "done"])
    def test_a_claim_that_is_lost(self, state: Any, discreet: Log) -> None:
        """It is told once, and not renewed any more; the handler is not stopped."""
        store, event = Store(), sale()
        store.answer = Claim(state, 2, "", 0.0)

        def handler(_: Any) -> None:
            until(lambda: lines(discreet, logging.ERROR), "the loss is told")
            until(lambda: not threads(), "nothing is left to renew")

        assert self.receive(store, handler).handle(*signed(event)).outcome == "handled"
        message = lines(discreet, logging.ERROR)[0]
        assert f"the claim on {key_of(event)} was lost while its handler runs (it is {state}" in (
            message
        )
        assert store.renewals == 1

    @pytest.mark.parametrize("error", [Outage(), RuntimeError("no such table"), SystemExit()])
    def test_a_store_that_fails(self, error: BaseException, discreet: Log) -> None:
        """It is tried again at the next third, whatever the store raised."""
        store = Store()

        def handler(_: Any) -> None:
            store.fails["claim"] = error
            until(lambda: store.renewals >= 2, "it is tried again")
            store.fails.clear()
            before = store.renewals
            until(lambda: store.renewals > before, "and again")

        assert self.receive(store, handler, 3.0 / 20).handle(*signed(sale())).outcome == "handled"
        warnings = lines(discreet, logging.WARNING)
        assert len(warnings) >= 2
        assert "could not be renewed while its handler runs" in warnings[0]
        assert type(error).__name__ in warnings[0]
        assert ("no such table" in warnings[0]) == isinstance(error, RuntimeError)

    @pytest.mark.parametrize("ending", ["complete", "release"])
    def test_a_renewal_under_way(self, ending: str) -> None:
        """It comes to its end before the claim is completed or released, or it would undo that."""
        store, event = Store(), sale()
        store.is_slow = True

        def handler(_: Any) -> None:
            assert store.entered.wait(10)
            threading.Timer(0.05, store.opened.set).start()
            if ending == "release":
                raise RetryLater

        self.receive(store, handler).handle(*signed(event))
        assert [call.split()[0] for call in store.calls] == ["claim", "claim", ending]
        assert state_of(store, key_of(event)) == ("done" if ending == "complete" else "free")

    def test_it_does_not_block_the_loop(self) -> None:
        """An async handler waits for a renewal under way in a thread."""
        store = Store()
        store.is_slow = True
        hooks = Webhooks(SECRET, store=store, lease=0.06)

        @hooks.on(SaleCreated)
        async def handler(_: Any) -> None:
            while not store.entered.is_set():
                await asyncio.sleep(0.001)

        async def main() -> str:
            task = asyncio.ensure_future(hooks.ahandle(*signed(sale())))
            while not store.entered.is_set():
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
            assert not task.done()
            store.opened.set()
            return (await task).outcome

        assert asyncio.run(main()) == "handled"

    def test_a_frozen_store_stops_no_other(self) -> None:
        """Each receiver has a thread of its own."""
        frozen, other = Store(), Store()
        frozen.is_slow = True

        def meanwhile(_: Any) -> None:
            assert frozen.entered.wait(10)
            until(lambda: other.renewals >= 2, "the other one is renewed")
            frozen.opened.set()

        def wait(_: Any) -> None:
            assert frozen.opened.wait(10)

        with ThreadPoolExecutor(2) as pool:
            replies = [
                pool.submit(self.receive(store, handler).handle, *signed(sale()))
                for store, handler in ((frozen, wait), (other, meanwhile))
            ]
            assert [reply.result().outcome for reply in replies] == ["handled", "handled"]

    def test_one_that_was_stopped_meanwhile(self) -> None:
        """It is not renewed any more, although the thread had its turn before it knew."""
        claimed: list[str] = []

        def claim(key: str) -> Claim:
            claimed.append(key)
            return Claim("acquired", 1, "", 0.0)

        terms = claim, ("default:evt_1",), 0.06, build_log("webhook", "x")
        renewal = _renewal.ThreadRenewal(_renewal.RenewalThread(MemoryStore()), *terms)
        renewal.renew()
        run_here(renewal.stop(CallerHere()))
        renewal.renew()
        assert claimed == ["default:evt_1"]

    @pytest.mark.parametrize("fails", [False, True])
    def test_a_connection_of_the_thread(self, fails: bool) -> None:
        """It is closed after each round by the thread that opened it, even when that fails."""
        closed: list[str] = []

        class Connected(Store):
            def close_connection(self) -> None:
                closed.append(threading.current_thread().name)
                if fails:
                    raise ConnectionError("it is gone already")

        store = Connected()
        hooks = self.receive(store, lambda _: until(lambda: store.renewals >= 3, "renewals"))
        assert hooks.handle(*signed(sale())).outcome == "handled"
        until(lambda: len(closed) >= 3, "it is closed")
        assert set(closed) == {THREAD}


FORK = f"""
import asyncio, os, sys, threading, time
sys.path.insert(0, sys.argv[1])
from dubhooks import MemoryStore, Webhooks
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated

class Store(MemoryStore):
    renewals = 0
    def claim(self, key, token, **arguments):
        if threading.current_thread().name == "{THREAD}":
            self.renewals += 1
        return super().claim(key, token, **arguments)

store = Store()
hooks = Webhooks("{SECRET}", store=store, lease=0.06)

@hooks.on(SaleCreated)
def handler(event):
    before, deadline = store.renewals, time.monotonic() + 10
    while store.renewals < before + 2:
        assert time.monotonic() < deadline
        time.sleep(0.001)

def deliver():
    first, second = (signed_request(make_event(SaleCreated), "{SECRET}") for _ in range(2))
    reply = asyncio.run(asyncio.wait_for(hooks.ahandle(*first), 10))
    return reply.outcome == hooks.handle(*second).outcome == "handled"

assert deliver()
assert [one.name for one in threading.enumerate()].count("{THREAD}") == 1
child = os.fork()
if not child:
    os._exit(0 if threading.active_count() == 1 and deliver() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert deliver()
"""


def test_a_forked_child_has_threads_of_its_own() -> None:
    """A child runs sync handlers and renews its claims, and so does its parent afterwards."""
    command = python(FORKING, "-c", FORK, ".")
    subprocess.run(command, check=True, timeout=60)


class TestOnALoop:
    """Async stores: a timer of the event loop."""

    def deliver(self, store: Any, handler: Any, lease: float = 0.06) -> str:
        """Deliver a sale and return what became of it."""
        hooks = Webhooks(SECRET, store=store, lease=lease)
        hooks.on(SaleCreated)(handler)
        return asyncio.run(hooks.ahandle(*signed(sale()))).outcome

    @pytest.mark.parametrize("kind", ["async", "sync"])
    def test_a_claim_that_is_lost(self, kind: str, discreet: Log) -> None:
        """It is told once, and not renewed any more; the handler is not stopped."""

        class Stolen(AsyncMemoryStore):
            claims = 0

            async def claim(self, key: str, token: str, **arguments: Any) -> Claim:
                self.claims += 1
                claim = await super().claim(key, token, **arguments)
                return claim if self.claims == 1 else claim._replace(state="busy")

        store = Stolen()

        async def wait(_: Any) -> None:
            await eventually(lambda: lines(discreet, logging.ERROR))
            await asyncio.sleep(0.06)

        def wait_in_thread(_: Any) -> None:
            until(lambda: lines(discreet, logging.ERROR), "the loss is told")

        assert self.deliver(store, wait if kind == "async" else wait_in_thread) == "handled"
        assert store.claims == 2
        assert "(it is busy now)" in lines(discreet, logging.ERROR)[0]

    def test_a_store_that_fails(self, discreet: Log) -> None:
        """It is tried again at the next third."""
        store = AsyncMemoryStore()

        async def wait(_: Any) -> None:
            store.fails["claim"] = Outage()
            await eventually(lambda: len(lines(discreet, logging.WARNING)) >= 2)
            store.fails.clear()
            before = len(store.rows.calls)
            await eventually(lambda: len(store.rows.calls) > before)

        assert self.deliver(store, wait, 3.0 / 20) == "handled"
        assert "could not be renewed" in lines(discreet, logging.WARNING)[0]

    @pytest.mark.parametrize("ending", ["complete", "release"])
    @pytest.mark.parametrize("point", ["claim", "claim answer"])
    @pytest.mark.parametrize("cancels", [False, True])
    def test_a_renewal_under_way(self, ending: str, point: str, cancels: bool) -> None:
        """It comes to its end before the claim is settled, even when the task is cancelled."""
        store, event = AsyncMemoryStore(), sale()
        hooks = Webhooks(SECRET, store=store, lease=0.06)

        async def main() -> None:
            gate = Gate()

            @hooks.on(SaleCreated)
            async def handler(_: Any) -> None:
                store.gates[point] = gate
                await gate.reached.wait()
                if ending == "release":
                    raise RetryLater

            task = asyncio.ensure_future(hooks.ahandle(*signed(event)))
            await gate.reached.wait()
            await asyncio.sleep(0.01)
            assert not task.done()
            if cancels:
                task.cancel()
                await asyncio.sleep(0)
                assert not task.done()
            gate.opened.set()
            await asyncio.wait([task])
            assert task.cancelled() == cancels

        asyncio.run(main())
        assert [call.split()[0] for call in store.rows.calls] == ["claim", "claim", ending]
        assert state_of(store, key_of(event)) == ("done" if ending == "complete" else "free")

    def test_a_loop_that_closes(self) -> None:
        """When a loop closes while a claim is renewed, the claim is released all the same."""
        store, event = AsyncMemoryStore(), sale()
        hooks = Webhooks(SECRET, store=store, lease=0.06)

        async def main() -> "asyncio.Task[Any]":
            gate = Gate()

            @hooks.on(SaleCreated)
            async def handler(_: Any) -> None:
                store.gates["claim"] = gate
                await asyncio.Event().wait()

            task = asyncio.ensure_future(hooks.ahandle(*signed(event)))
            await gate.reached.wait()
            return task

        assert asyncio.run(main()).cancelled()
        assert state_of(store, key_of(event)) == "free"
        assert rows_of(store).calls[-1].startswith("release")


@pytest.mark.parametrize("store_type", [ThreadStore, InlineStore, AsyncMemoryStore])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_nothing_refers_to_an_event_afterwards(store_type: Any, kind: str) -> None:
    """An event is gone once its handler has ended, without the garbage collector's help."""
    seen: list[Any] = []

    def handler(event: Any) -> None:
        seen.append(weakref.ref(event))

    async def async_handler(event: Any) -> None:
        handler(event)

    hooks = Webhooks(SECRET, store=store_type(), lease=1.0)
    hooks.on(SaleCreated)(handler if kind == "sync" else async_handler)
    requests = [signed(sale()) for _ in range(2)]

    async def main() -> None:
        await hooks.ahandle(*requests[0])
        await asyncio.sleep(0)
        until(lambda: seen[0]() is None, "the event is gone", 5)

    gc.collect()
    gc.disable()
    try:
        asyncio.run(main())
        if store_type is not AsyncMemoryStore:
            hooks.handle(*requests[1])
        until(lambda: seen[-1]() is None, "the event is gone", 5)
    finally:
        gc.enable()
