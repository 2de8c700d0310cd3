"""What needs an event loop and what must not be on one."""

import asyncio
import threading
from typing import Any

import pytest

from dubhooks import ConfigurationError, MemoryStore, Webhooks
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import (
    SECRET,
    AsyncMemoryStore,
    InlineStore,
    key_of,
    sale,
    signed,
    state_of,
)


def test_an_async_store_needs_a_loop() -> None:
    """``handle`` refuses an async store before it asks it anything."""
    store = AsyncMemoryStore()
    hooks = Webhooks(SECRET, store=store)
    hooks.on(SaleCreated)(lambda _: None)
    with pytest.raises(ConfigurationError, match=r"AsyncMemoryStore needs .*ahandle"):
        hooks.handle(*signed(sale()))
    assert store.rows.calls == []


def test_an_async_store_is_not_asked_for_nothing() -> None:
    """What no handler takes needs no store, so ``handle`` answers it."""
    hooks = Webhooks(SECRET, store=AsyncMemoryStore())
    assert hooks.handle(*signed(sale())).outcome == "ignored"


def test_an_async_handler_on_a_running_loop() -> None:
    """``handle`` refuses an async handler on a running loop before anything is claimed."""
    store = InlineStore()
    hooks = Webhooks(SECRET, store=store)
    ran: list[Any] = []

    @hooks.on(SaleCreated)
    async def handler(event: Any) -> None:
        ran.append(event)

    async def main() -> None:
        with pytest.raises(ConfigurationError, match=r"await ahandle\(\)"):
            hooks.handle(*signed(sale()))

    asyncio.run(main())
    assert store.calls == []
    assert not ran


@pytest.mark.parametrize("kind", ["coroutine", "future"])
def test_a_hidden_async_handler_on_a_running_loop(kind: str) -> None:
    """An awaitable out of a sync handler is refused there too, and its claim released."""
    store = MemoryStore()
    hooks = Webhooks(SECRET, store=store)
    ran: list[Any] = []

    async def coroutine(event: Any) -> None:
        ran.append(event)

    def handler(event: Any) -> Any:
        if kind == "coroutine":
            return coroutine(event)
        return asyncio.get_running_loop().create_future()

    hooks.on(SaleCreated)(handler)
    event = sale()

    async def main() -> None:
        with pytest.raises(ConfigurationError, match=r"await ahandle\(\)"):
            hooks.handle(*signed(event))

    asyncio.run(main())
    assert not ran
    assert state_of(store, key_of(event)) == "free"


def test_a_sync_handler_on_a_running_loop() -> None:
    """``handle`` with a sync handler works on a running loop; it blocks it, as any call does."""
    hooks = Webhooks(SECRET, store=MemoryStore())
    hooks.on(SaleCreated)(lambda _: None)

    async def main() -> str:
        return hooks.handle(*signed(sale())).outcome

    assert asyncio.run(main()) == "handled"


def test_an_async_handler_runs_on_the_callers_loop() -> None:
    """``ahandle`` awaits an async handler in its own task, where locks and clients belong."""
    hooks = Webhooks(SECRET, store=MemoryStore())
    tasks: list[Any] = []

    @hooks.on(SaleCreated)
    async def handler(_: Any) -> None:
        tasks.append(asyncio.current_task())

    async def main() -> Any:
        await hooks.ahandle(*signed(sale()))
        return asyncio.current_task()

    assert [asyncio.run(main())] == tasks


@pytest.mark.parametrize("store_type", [None, InlineStore, AsyncMemoryStore])
def test_a_sync_handler_does_not_block_the_loop(store_type: Any) -> None:
    """While a sync handler waits, other tasks run: it could even wait for one of them."""
    hooks = Webhooks(SECRET, store=store_type and store_type())
    go_on = threading.Event()
    hooks.on(SaleCreated)(lambda _: go_on.wait(10))

    async def main() -> str:
        delivery = asyncio.ensure_future(hooks.ahandle(*signed(sale())))
        await asyncio.sleep(0.01)
        assert not delivery.done()
        go_on.set()
        return (await delivery).outcome

    assert asyncio.run(main()) == "handled"


@pytest.mark.parametrize("store_type", [None, InlineStore, AsyncMemoryStore])
def test_stop_iteration_does_not_hang(store_type: Any) -> None:
    """A handler that raises StopIteration in its thread fails at once."""
    hooks = Webhooks(SECRET, store=store_type and store_type())
    hooks.on(SaleCreated)(lambda _: next(iter(())))

    async def main() -> None:
        await asyncio.wait_for(hooks.ahandle(*signed(sale())), 10)

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(main())
