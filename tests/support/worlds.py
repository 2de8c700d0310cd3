"""Every way to deliver: the method called, the kind of handler, the kind of store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dubhooks import DeliveryRecord, Reply, Webhooks
from tests.support.receiving import SECRET, AsyncMemoryStore, InlineStore, Request, ThreadStore


@dataclass
class World:
    """One way to deliver, and what was seen in it."""

    method: str
    handler: str
    store: Any
    records: list[DeliveryRecord] = field(default_factory=list)
    """What an observer was given."""
    seen: list[Any] = field(default_factory=list)
    """The events that a handler was given."""

    def build_receiver(self) -> Webhooks:
        """Return a receiver of this world."""
        return Webhooks(SECRET, store=self.store, observers=[self.records.append])

    def build_handler(self, results: list[Any]) -> Callable[[Any], Any]:
        """Return a handler that returns or raises these, one after the other."""
        to_come = iter(results)

        def handler(event: Any) -> Any:
            result = next(to_come)
            self.seen.append(event)
            if isinstance(result, BaseException):
                raise result
            return result

        async def async_handler(event: Any) -> Any:
            await asyncio.sleep(0)
            return handler(event)

        def wrapped(event: Any) -> Any:
            return async_handler(event)

        return {"sync": handler, "async": async_handler, "wrapped": wrapped}[self.handler]

    def deliver(self, hooks: Webhooks, request: Request) -> Reply:
        """Deliver ``request``."""
        if self.method == "handle":
            return hooks.handle(*request)
        return asyncio.run(hooks.ahandle(*request))


STORES: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "inline": InlineStore,
    "thread": ThreadStore,
    "async": AsyncMemoryStore,
}
WORLDS = [
    (method, handler, store)
    for method in ("handle", "ahandle")
    for handler in ("sync", "async", "wrapped")
    for store in STORES
    if method == "ahandle" or store != "async"
]


def build_world(method: str, handler: str, store: str) -> World:
    """Return a world in which nothing has happened."""
    return World(method, handler, STORES[store]())
