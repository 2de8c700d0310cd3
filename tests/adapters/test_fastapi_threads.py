"""Sync handlers of FastAPI share the threads of the event loop: a burst of them waits its turn."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI

import dubhooks.fastapi
from dubhooks import Claim, SQLiteStore, Webhooks
from dubhooks.testing import make_event
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.behaviour import SECRET, signed
from tests.support.adapters.clients import AsgiClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

THREADS = 2
BURST = 50
SALES = [make_event(SaleCreated) for _ in range(BURST)]


class Pool(ThreadPoolExecutor):
    """Threads, and how many calls wanted one."""

    wanted = 0

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """Take a call."""
        self.wanted += 1
        return super().submit(*args, **kwargs)


class Noting(SQLiteStore):
    """A store that counts the claims."""

    claims = 0

    def claim(self, *args: Any, **kwargs: Any) -> Claim:
        """Claim, and count it."""
        self.claims += 1
        return super().claim(*args, **kwargs)


@pytest.mark.parametrize("mount", ["router", "webhook"])
def test_a_burst_of_sync_deliveries(mount: str, tmp_path: Path) -> None:
    """Of 50 deliveries at once, those that wait for a thread hold no claim, and each runs once."""
    ran: list[str] = []
    go = threading.Event()
    app = FastAPI()

    def sale(event: SaleCreated) -> None:
        ran.append(event.id)
        assert go.wait(20)

    async def burst() -> tuple[int, int, list[int]]:
        pool = Pool(THREADS)
        asyncio.get_running_loop().set_default_executor(pool)
        client = AsgiClient(app)
        bodies = [event.to_json() for event in SALES]
        sent = [asyncio.ensure_future(client.send(body, signed(body))) for body in bodies]
        try:
            while pool.wanted < BURST or len(ran) < THREADS:
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
        if mount == "router":
            hooks.on(SaleCreated)(sale)
            app.include_router(dubhooks.fastapi.router(hooks))
        else:
            app.post("/webhooks/dub")(dubhooks.fastapi.webhook(hooks, SaleCreated)(sale))
        assert asyncio.run(asyncio.wait_for(burst(), 60)) == (THREADS, THREADS, [200])
    assert sorted(ran) == sorted(event.id for event in SALES)


def test_more_threads() -> None:
    """A lifespan may give the event loop more threads, and then more handlers run at once."""
    together = threading.Barrier(20, timeout=20)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(20))
        yield

    hooks = Webhooks(SECRET)

    @hooks.on(SaleCreated)
    def sale(event: SaleCreated) -> None:
        together.wait()

    async def served() -> list[int]:
        app = FastAPI(lifespan=lifespan)
        app.include_router(dubhooks.fastapi.router(hooks))
        client = AsgiClient(app)
        async with app.router.lifespan_context(app):
            bodies = [event.to_json() for event in SALES[:20]]
            answers = await asyncio.gather(*(client.send(body, signed(body)) for body in bodies))
        return [answer.status for answer in answers]

    assert asyncio.run(served()) == [200] * 20
