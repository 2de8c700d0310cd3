"""Forgetting that an event was handled, so that it runs again when it comes again."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dubhooks import ConfigurationError, MemoryStore, Postbacks, Webhooks
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import (
    SECRET,
    AsyncMemoryStore,
    InlineStore,
    Outage,
    ThreadStore,
    rows_of,
    sale,
    signed,
)

STORES = [InlineStore, ThreadStore, AsyncMemoryStore]


def forget(hooks: Webhooks | Postbacks, what: Any) -> bool:
    """Forget in the way that the store needs."""
    if isinstance(hooks.store, InlineStore):
        return hooks.forget(what)
    return asyncio.run(hooks.aforget(what))


class Shop:
    """A receiver of sales, each invoice once, that counts."""

    def __init__(self, store_type: Any) -> None:
        self.hooks = Webhooks(SECRET, store=store_type())
        self.runs: list[Any] = []
        self.hooks.on(SaleCreated, dedupe="natural")(self.runs.append)
        self.hooks.on_unhandled(self.runs.append)

    def deliver(self, event: Any) -> str:
        """Deliver ``event`` and return what became of it."""
        return asyncio.run(self.hooks.ahandle(*signed(event))).outcome


@pytest.mark.parametrize("store_type", STORES)
@pytest.mark.parametrize("way", ["event", "id and natural key"])
def test_it_runs_again(store_type: Any, way: str) -> None:
    """An event stands for both of its keys; its id and its natural key for one each."""
    shop, event = Shop(store_type), sale(data__sale__invoiceId="in_1")
    assert [shop.deliver(event) for _ in range(2)] == ["handled", "duplicate"]
    if way == "event":
        assert forget(shop.hooks, event) is True
    else:
        assert forget(shop.hooks, event.id) is True
        # The natural key is done still: this is the same invoice.
        assert shop.deliver(event) == "duplicate"
        assert forget(shop.hooks, event.id) is True
        assert forget(shop.hooks, event.natural_key) is True
    assert forget(shop.hooks, event) is False
    assert shop.deliver(event) == "handled"
    assert shop.runs == [event, event]


def test_while_its_handler_runs() -> None:
    """An event whose handler runs right now is not forgotten, or it would run twice at once."""
    hooks, event = Webhooks(SECRET, store=MemoryStore()), sale()
    reached, opened = threading.Event(), threading.Event()

    @hooks.on(SaleCreated)
    def handler(_: Any) -> None:
        reached.set()
        assert opened.wait(10)

    with ThreadPoolExecutor(1) as pool:
        delivery = pool.submit(hooks.handle, *signed(event))
        assert reached.wait(10)
        assert hooks.forget(event) is False
        assert hooks.handle(*signed(event)).outcome == "busy"
        opened.set()
        assert delivery.result().outcome == "handled"
    assert hooks.forget(event) is True


@pytest.mark.parametrize("method", ["forget", "aforget"])
@pytest.mark.parametrize("what", ["", None, 5, b"evt_1", SaleCreated, ["evt_1"]])
def test_what_is_no_event(method: str, what: Any) -> None:
    """Anything but an event, an id or a natural key is refused."""
    hooks = Webhooks(SECRET, store=MemoryStore())
    with pytest.raises(ConfigurationError, match="takes an event, the id of one, or a natural"):
        call(hooks, method, what)


@pytest.mark.parametrize("method", ["forget", "aforget"])
def test_without_a_store(method: str) -> None:
    """Nothing is remembered that could be forgotten."""
    with pytest.raises(ConfigurationError, match="without a store nothing is remembered"):
        call(Webhooks(SECRET), method, "evt_1")


def test_an_async_store_needs_a_loop() -> None:
    """``forget`` says to await ``aforget``, and asks the store nothing."""
    store = AsyncMemoryStore()
    with pytest.raises(ConfigurationError, match=r"AsyncMemoryStore is async: await aforget"):
        Webhooks(SECRET, store=store).forget("evt_1")
    assert rows_of(store).calls == []


@pytest.mark.parametrize("store_type", STORES)
def test_a_store_that_fails(store_type: Any) -> None:
    """Its error is the caller's: nobody else waits for an answer."""
    hooks = Webhooks(SECRET, store=store_type())
    rows_of(hooks.store).fails["forget"] = Outage()
    with pytest.raises(Outage):
        forget(hooks, "evt_1")


def call(hooks: Webhooks, method: str, what: Any) -> None:
    """Call either method."""
    if method == "forget":
        hooks.forget(what)
    else:
        asyncio.run(hooks.aforget(what))
