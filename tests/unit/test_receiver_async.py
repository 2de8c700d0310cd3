"""What runs where: in this thread, in a thread of ours, or on the caller's event loop."""

import asyncio
import os
import signal
import sys
import threading
from types import ModuleType
from typing import Any

import pytest

from dubhooks import ConfigurationError, MemoryStore, Webhooks
from dubhooks.testing import make_event
from dubhooks.webhooks import LeadCreated, SaleCreated
from tests.support.cancelling import on_loop, until
from tests.support.receiving import (
    SECRET,
    AsyncMemoryStore,
    InlineStore,
    ThreadStore,
    key_of,
    rows_of,
    sale,
    signed,
    state_of,
)

STORES = [None, InlineStore, ThreadStore, AsyncMemoryStore]


def receive(store_type: Any, handler: Any) -> Webhooks:
    """Return a receiver of sales."""
    hooks = Webhooks(SECRET, store=store_type and store_type())
    hooks.on(SaleCreated)(handler)
    return hooks


def test_an_async_store_needs_a_loop() -> None:
    """``handle`` refuses an async store before it asks it anything."""
    hooks = receive(AsyncMemoryStore, lambda _: None)
    with pytest.raises(ConfigurationError, match=r"AsyncMemoryStore needs .*ahandle"):
        hooks.handle(*signed(sale()))
    assert hooks.store.rows.calls == []  # type: ignore[union-attr]


class TestOnARunningLoop:
    """``handle`` where an event loop runs."""

    async def coroutine(self, _: Any) -> None:
        """Fail: nothing runs it."""
        pytest.fail("it ran")

    @pytest.mark.parametrize("with_gevent", [False, True])
    @pytest.mark.parametrize("kind", ["async", "coroutine", "future"])
    def test_an_async_handler(
        self, kind: str, with_gevent: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is refused, its claim is free, and gevent is named where that is the reason."""

        def hidden(event: Any) -> Any:
            if kind == "coroutine":
                return self.coroutine(event)
            return asyncio.get_running_loop().create_future()

        hooks = receive(InlineStore, self.coroutine if kind == "async" else hidden)
        if with_gevent:
            monkeypatch.setitem(sys.modules, "gevent", ModuleType("gevent"))
        else:
            monkeypatch.delitem(sys.modules, "gevent", raising=False)
        event = sale()

        async def main() -> None:
            with pytest.raises(ConfigurationError, match=r"await ahandle\(\)") as raised:
                hooks.handle(*signed(event))
            assert ("write the handler as a plain function" in str(raised.value)) == with_gevent

        asyncio.run(main())
        assert state_of(hooks.store, key_of(event)) == "free"


@pytest.mark.parametrize("store_type", STORES)
def test_plain_decorators_around_async_handlers(store_type: Any) -> None:
    """More deliveries at once than there are threads are all answered.

    The handler needs the loop's own executor, as every client does that looks a name up.
    """

    async def handler(_: Any) -> None:
        await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)

    hooks = receive(store_type, lambda event: handler(event))

    async def main() -> list[str]:
        deliveries = [hooks.ahandle(*signed(sale())) for _ in range(100)]
        replies = await asyncio.wait_for(asyncio.gather(*deliveries), 30)
        return [reply.outcome for reply in replies]

    assert asyncio.run(main()) == ["handled"] * 100


@on_loop
async def test_a_burst_of_sync_deliveries() -> None:
    """Of 50 deliveries at once 40 run; those that wait for a thread hold no claim."""
    go_on, ran = threading.Event(), list[str]()

    def handler(event: SaleCreated) -> None:
        ran.append(event.id)
        assert go_on.wait(20)

    hooks = receive(ThreadStore, handler)
    deliveries = [asyncio.ensure_future(hooks.ahandle(*signed(sale()))) for _ in range(50)]
    try:
        await until(lambda: len(ran) >= 40)
        await asyncio.sleep(0.05)
        assert (len(ran), len(rows_of(hooks.store).calls)) == (40, 40)
    finally:
        go_on.set()
    assert {(await one).outcome for one in deliveries} == {"handled"}
    assert len(ran) == 50


def test_a_handler_that_delivers_to_another_receiver() -> None:
    """A thread of ours that waits for a coroutine keeps none from what that one delivers."""
    inner = Webhooks(SECRET, store=ThreadStore())
    inner.on(LeadCreated)(lambda _: None)

    async def handler(_: Any) -> None:
        assert (await inner.ahandle(*signed(make_event(LeadCreated)))).outcome == "handled"

    hooks = receive(ThreadStore, lambda event: handler(event))

    async def main() -> list[str]:
        deliveries = [hooks.ahandle(*signed(sale())) for _ in range(20)]
        return [reply.outcome for reply in await asyncio.gather(*deliveries)]

    assert asyncio.run(main()) == ["handled"] * 20


def test_ctrl_c_in_an_async_handler() -> None:
    """A Ctrl-C while ``handle`` runs an async handler is one for the caller, too."""

    async def handler(_: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(10)

    hooks, event = receive(MemoryStore, handler), sale()
    with pytest.raises(KeyboardInterrupt):
        hooks.handle(*signed(event))
    assert state_of(hooks.store, key_of(event)) == "free"


def test_a_loop_of_something_else() -> None:
    """``ahandle`` and ``aforget`` say that they need asyncio, as trio would make them."""
    hooks = receive(MemoryStore, lambda _: None)
    for coroutine in (hooks.ahandle(*signed(sale())), hooks.aforget("evt_1")):
        with pytest.raises(ConfigurationError, match=r"needs asyncio, .* under trio use handle"):
            coroutine.send(None)
