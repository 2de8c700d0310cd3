"""The FastAPI application whose clients hang up: its store is on a real server."""

import asyncio
import os
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

import dubhooks
from dubhooks.fastapi import router, webhook
from dubhooks.webhooks import LeadCreated, SaleCreated

SECRET = "whsec_0123456789abcdef0123456789abcdef"
URL = os.environ["STORE_URL"]
NOTES = Path("notes.txt")

# Fewer connections than there are deliveries at once, so that a leak would be felt.
store: Any
if URL.startswith("redis"):
    import redis.asyncio

    from dubhooks.stores.redis import AsyncRedisStore

    connections = redis.asyncio.BlockingConnectionPool.from_url(
        URL, max_connections=8, timeout=10, socket_timeout=5
    )
    store = AsyncRedisStore(redis.asyncio.Redis(connection_pool=connections))
else:
    from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore

    store = AsyncSQLAlchemyStore(URL)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
    """Make the table, where there are tables."""
    if not URL.startswith("redis"):
        await store.create_table()
    yield


app = FastAPI(lifespan=lifespan)
# Far longer than the test: no takeover hides a claim that was kept.
hooks = dubhooks.Webhooks(SECRET, store=store, lease=600.0)


async def work(event_id: str) -> None:
    """Take a moment, and then note the effect."""
    await asyncio.sleep(random.uniform(0.0, 0.05))
    file = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{event_id}\n".encode())
    os.close(file)


@hooks.on(SaleCreated)
async def record_sale(event: SaleCreated) -> None:
    """Note a sale."""
    await work(event.id)


app.include_router(router(hooks))


@app.post("/leads")
@webhook(hooks, LeadCreated)
async def record_lead(event: LeadCreated) -> None:
    """Note a lead."""
    await work(event.id)


@app.get("/connections")
def connections_in_use() -> int:
    """Return how many connections are out of the store's pool."""
    if URL.startswith("redis"):
        return len(connections._in_use_connections)
    pool: Any = store._database.engine.pool
    return int(pool.checkedout())


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Cancel the application when its client leaves, as some servers do, if a header says so."""
    if scope["type"] != "http" or (b"x-cancel", b"1") not in scope["headers"]:
        await app(scope, receive, send)
        return
    messages: asyncio.Queue[Any] = asyncio.Queue()
    running = asyncio.create_task(app(scope, messages.get, send))

    async def pass_on() -> None:
        message = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await receive()
            messages.put_nowait(message)
        running.cancel()

    passing = asyncio.create_task(pass_on())
    await asyncio.wait([running])
    passing.cancel()
