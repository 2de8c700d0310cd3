"""Cancellation at every point of a delivery: nothing stays claimed and nothing done is lost."""

import asyncio
import threading
from typing import Any

import pytest

from dubhooks import Reply, Webhooks
from tests.support.cancelling import Delivery, cancelled, on_loop, until
from tests.support.receiving import (
    SECRET,
    AsyncMemoryStore,
    Gate,
    InlineStore,
    ThreadStore,
    errors,
    sale,
    signed,
    unfit,
)

Log = pytest.LogCaptureFixture

pytestmark = pytest.mark.usefixtures("discreet")

STORES = [InlineStore, ThreadStore, AsyncMemoryStore]


@pytest.mark.parametrize("store_type", [None, *STORES])
@on_loop
async def test_in_an_async_handler(store_type: Any) -> None:
    """A handler that is cancelled has failed: its claim is released, and it runs again."""
    gate = Gate()
    store = store_type and store_type()

    async def handler(_: Any) -> None:
        await gate()

    delivery = Delivery(store, handler)
    task = delivery.start()
    await gate.reached.wait()
    task.cancel("by the server")
    await cancelled(task)
    assert delivery.cancellations[0].args == ("by the server",)
    assert delivery.outcomes == ["failed"]
    assert delivery.records[0].status == 500
    gate.opened.set()
    assert (await delivery.start()).outcome == "handled"


@on_loop
async def test_a_handler_that_refuses_to_stop() -> None:
    """A handler that finishes in spite of being cancelled has handled the event."""
    gate = Gate()

    async def handler(_: Any) -> None:
        try:
            await gate()
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    delivery = Delivery(AsyncMemoryStore(), handler)
    task = delivery.start()
    await gate.reached.wait()
    task.cancel()
    assert (await task).outcome == "handled"
    assert delivery.state == "done"


async def succeed(_: Any) -> None:
    """Handle an event."""
    await asyncio.sleep(0)


async def fail(_: Any) -> None:
    """Fail to handle it."""
    raise ValueError("the handler's own")


SETTLED = [
    ("claim", lambda _: pytest.fail("it ran"), "free", "failed"),
    ("complete", lambda _: None, "done", "handled"),
    ("complete", succeed, "done", "handled"),
    ("release", fail, "free", "failed"),
]
"""A call to the store, a handler before it, the state of the claim and the outcome in the end."""
TABLE = pytest.mark.parametrize(("method", "handler", "state", "outcome"), SETTLED)
POINTS = pytest.mark.parametrize("point", ["", " answer"])


@TABLE
@POINTS
@pytest.mark.parametrize("times", [1, 3])
@on_loop
async def test_while_the_store_is_asked(
    method: str, handler: Any, state: str, outcome: str, point: str, times: int, discreet: Log
) -> None:
    """Its decision is awaited and settled; a handler's error is worth more than a cancellation."""
    store = AsyncMemoryStore()
    gate = store.gates[method + point] = Gate()
    delivery = Delivery(store, handler)
    task = delivery.start()
    await gate.reached.wait()
    for number in range(times):
        task.cancel(f"{number}")
        await asyncio.sleep(0)
    assert not task.done()
    gate.opened.set()
    with pytest.raises(ValueError if handler is fail else asyncio.CancelledError):
        await task
    assert [one.args for one in delivery.cancellations] == [("0",)] * (handler is not fail)
    assert delivery.outcomes == [outcome]
    assert delivery.state == state
    assert not errors(discreet)


@TABLE
@POINTS
def test_while_its_loop_closes(
    method: str, handler: Any, state: str, outcome: str, point: str, discreet: Log
) -> None:
    """A loop that closes cancels the store's call as well, which is made once more to settle."""
    store = AsyncMemoryStore()
    delivery = Delivery(store, handler)

    async def main() -> "asyncio.Task[Reply]":
        gate = store.gates[method + point] = Gate()
        task = delivery.start()
        await gate.reached.wait()
        return task

    task = asyncio.run(main())
    assert task.cancelled() or handler is fail
    assert (delivery.state, delivery.outcomes) == (state, [outcome])
    assert handler is fail or not errors(discreet)  # asyncio logs the error of such a task


class SlowThreadStore(ThreadStore):
    """A store whose named method waits in its thread."""

    def __init__(self, slow: str) -> None:
        super().__init__()
        self.slow = slow
        self.reached = threading.Event()
        self.opened = threading.Event()

    def _begin(self, method: str, key: str) -> None:
        super()._begin(method, key)
        if method == self.slow and not self.reached.is_set():
            self.reached.set()
            assert self.opened.wait(10)


@pytest.mark.parametrize(
    ("method", "state", "outcome"),
    [("claim", "free", "failed"), ("complete", "done", "handled"), ("release", "free", "failed")],
)
@on_loop
async def test_while_a_store_is_asked_in_a_thread(method: str, state: str, outcome: str) -> None:
    """A thread does not stop, so the delivery waits for its decision and settles it."""

    async def handler(_: Any) -> None:
        if method == "release":
            raise asyncio.CancelledError

    store = SlowThreadStore(method)
    delivery = Delivery(store, handler)
    task = delivery.start()
    await until(store.reached.is_set)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    store.opened.set()
    await cancelled(task)
    assert delivery.state == state
    assert delivery.outcomes == [outcome]


@pytest.mark.parametrize("store_type", [None, InlineStore, ThreadStore])
@pytest.mark.parametrize("fails", [False, True])
@on_loop
async def test_with_a_sync_handler(store_type: Any, fails: bool, discreet: Log) -> None:
    """The thread of a sync handler goes on after the cancellation and settles its own claim."""
    reached, opened = threading.Event(), threading.Event()

    def handler(_: Any) -> None:
        reached.set()
        assert opened.wait(10)
        if fails:
            raise ValueError("after the request was gone")

    store = store_type and store_type()
    delivery = Delivery(store, handler)
    task = delivery.start()
    await until(reached.is_set)
    task.cancel()
    await cancelled(task)
    assert not delivery.records
    opened.set()
    await until(lambda: delivery.records)
    assert delivery.outcomes == ["failed" if fails else "handled"]
    if store:
        assert delivery.state == ("free" if fails else "done")
    await until(lambda: not fails or errors(discreet))
    assert errors(discreet) == ["a delivery failed after its request had been cancelled"] * fails


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("times", [1, 3])
@on_loop
async def test_with_a_sync_handler_and_an_async_store(fails: bool, times: int) -> None:
    """The delivery waits for the handler's thread, because only this loop can settle its claim."""
    reached, opened = threading.Event(), threading.Event()

    def handler(_: Any) -> None:
        reached.set()
        assert opened.wait(10)
        if fails:
            raise ValueError("the handler's own")

    delivery = Delivery(AsyncMemoryStore(), handler)
    task = delivery.start()
    await until(reached.is_set)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    assert delivery.state == "busy"
    opened.set()
    with pytest.raises(ValueError if fails else asyncio.CancelledError):
        await task
    assert delivery.state == ("free" if fails else "done")
    assert delivery.outcomes == ["failed" if fails else "handled"]


@on_loop
async def test_while_a_dead_letter_is_kept() -> None:
    """A letter is kept to its end, and the cancellation goes on."""
    reached, opened = threading.Event(), threading.Event()
    kept: list[bytes] = []

    class Letters:
        def keep(self, body: bytes, headers: object, error: object) -> None:  # noqa: ARG002
            reached.set()
            assert opened.wait(10)
            kept.append(body)

    hooks = Webhooks(SECRET, dead_letters=Letters())
    body = unfit(sale())
    task = asyncio.ensure_future(hooks.ahandle(*signed(body)))
    await until(reached.is_set)
    task.cancel()
    await asyncio.sleep(0)
    await cancelled(task)
    assert not kept
    opened.set()
    await until(lambda: kept)
    assert kept == [body]
