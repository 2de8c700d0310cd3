"""A loop that closes cancels every task there is, the steps of a delivery included."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dubhooks.idempotency import _drivers
from tests.support.cancelling import Delivery, cancelled, on_loop, until
from tests.support.processes import until as wait_until
from tests.support.receiving import AsyncMemoryStore, ThreadStore

Log = pytest.LogCaptureFixture

pytestmark = pytest.mark.usefixtures("discreet")


@on_loop
async def test_before_the_store_was_asked() -> None:
    """A task of the store that is cancelled before its first step holds nothing up."""
    ran: list[Any] = []
    delivery = Delivery(AsyncMemoryStore(), ran.append)
    task = delivery.start()
    await asyncio.sleep(0)
    for other in asyncio.all_tasks() - {asyncio.current_task()}:
        other.cancel()
    await cancelled(task)
    assert not ran
    assert delivery.state == "free"


def test_while_a_sync_handler_runs() -> None:
    """The handler's thread goes on without the loop, and settles its claim."""
    reached, opened = threading.Event(), threading.Event()

    def handler(_: Any) -> None:
        reached.set()
        assert opened.wait(10)

    delivery = Delivery(ThreadStore(), handler)

    async def main() -> None:
        task = delivery.start()
        await until(reached.is_set)
        task.add_done_callback(lambda _: opened.set())

    asyncio.run(main())
    wait_until(lambda: delivery.state == "done", "the claim is settled")


def test_there_are_no_threads_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that cannot be given a thread has failed, and its claim is released."""
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    monkeypatch.setattr(_drivers, "_executor", lambda: pool)

    async def scenario() -> None:
        ran: list[Any] = []
        delivery = Delivery(AsyncMemoryStore(), ran.append)
        with pytest.raises(RuntimeError, match="shutdown"):
            await delivery.start()
        assert not ran
        assert delivery.state == "free"

    asyncio.run(scenario())


def test_the_handler_was_still_waiting_for_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler whose turn never comes has failed, and its claim is released."""
    pool = ThreadPoolExecutor(1)
    monkeypatch.setattr(_drivers, "_executor", lambda: pool)

    async def scenario() -> None:
        reached, opened = threading.Event(), threading.Event()
        ran: list[Any] = []

        def keep_busy() -> None:
            reached.set()
            opened.wait(10)

        pool.submit(keep_busy)
        await until(reached.is_set)
        delivery = Delivery(AsyncMemoryStore(), ran.append)
        task = delivery.start()
        await until(lambda: pool._work_queue.qsize())
        pool.shutdown(wait=False, cancel_futures=True)
        opened.set()
        await cancelled(task)
        assert not ran
        assert delivery.state == "free"

    asyncio.run(scenario())
