"""Sync handlers run in threads of dubhooks' own: a burst of them waits its turn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI

import dubhooks.fastapi
from dubhooks import Claim, SQLiteStore, Webhooks, asgi
from dubhooks.testing import make_event
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.behaviour import SECRET, signed
from tests.support.adapters.clients import AsgiClient

if TYPE_CHECKING:
    from pathlib import Path

THREADS = 40
BURST = 50
SALES = [make_event(SaleCreated) for _ in range(BURST)]
MOUNTS = pytest.mark.parametrize("mount", ["asgi", "router", "webhook"])


class Noting(SQLiteStore):
    """A store that counts the claims."""

    claims = 0

    def claim(self, *args: Any, **kwargs: Any) -> Claim:
        """Claim, and count it."""
        self.claims += 1
        return super().claim(*args, **kwargs)


def serve(mount: str, hooks: Webhooks, handler: Callable[[Any], Any]) -> Any:
    """Return an application that gives sales to ``handler``."""
    if mount == "webhook":
        app = FastAPI()
        app.post("/webhooks/dub")(dubhooks.fastapi.webhook(hooks, SaleCreated)(handler))
        return app
    hooks.on(SaleCreated)(handler)
    if mount == "asgi":
        return asgi.app(hooks)
    app = FastAPI()
    app.include_router(dubhooks.fastapi.router(hooks))
    return app


@MOUNTS
def test_a_burst_of_sync_deliveries(mount: str, tmp_path: Path) -> None:
    """Of 50 deliveries at once 40 run; those that wait for a thread hold no claim."""
    ran: list[str] = []
    go = threading.Event()
    arrived = 0

    def sale(event: SaleCreated) -> None:
        ran.append(event.id)
        assert go.wait(20)

    async def burst() -> tuple[int, int, list[int]]:
        app = serve(mount, hooks, sale)

        async def counting(scope: Any, receive: Any, send: Any) -> None:
            async def receive_counting() -> Any:
                nonlocal arrived
                message = await receive()
                arrived += not message.get("more_body", True)
                return message

            await app(scope, receive_counting, send)

        client = AsgiClient(counting)
        bodies = [event.to_json() for event in SALES]
        sent = [asyncio.ensure_future(client.send(body, signed(body))) for body in bodies]
        try:
            while arrived < BURST or len(ran) < THREADS:
                await asyncio.sleep(0.001)
            waiting = len(ran), store.claims
        finally:
            go.set()
        statuses = {(await one).status for one in sent}
        again = {(await client.send(body, signed(body))).body for body in bodies}
        assert again == {b'{"outcome":"duplicate"}'}
        return *waiting, sorted(statuses)

    with closing(Noting(tmp_path / "claims.db")) as store:
        hooks = Webhooks(SECRET, store=store)
        assert asyncio.run(asyncio.wait_for(burst(), 60)) == (THREADS, THREADS, [200])
    assert sorted(ran) == sorted(event.id for event in SALES)
