"""The FastAPI application that the server tests run: it notes in a file what its handlers do."""

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI

import dubhooks
from dubhooks.fastapi import router, webhook
from dubhooks.webhooks import LeadCreated, SaleCreated

SECRET = "whsec_0123456789abcdef0123456789abcdef"
LEASE = 4.0
"""Seconds until another delivery takes over what a killed worker held."""
NOTES = Path("notes.txt")
GO = Path("go")
"""Handlers wait until this file is there."""


def note(what: str) -> None:
    """Append a line, which no other process can tear apart."""
    file = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{what} {os.getpid()}\n".encode())
    os.close(file)


app = FastAPI()
store = dubhooks.SQLiteStore("claims.db")
hooks = dubhooks.Webhooks(SECRET, store=store, lease=LEASE, max_age=timedelta(days=30))


@hooks.on(SaleCreated)
async def record_sale(event: SaleCreated) -> None:
    """Note a sale."""
    note(f"sale {event.id}")


app.include_router(router(hooks))


@app.post("/sync")
@webhook(hooks, SaleCreated)
def sync(event: SaleCreated) -> None:
    """Note a sale, in a thread."""
    note(f"sync {event.id}")


@app.post("/slow-sync")
@webhook(hooks, LeadCreated)
def slow_sync(event: LeadCreated) -> None:
    """Wait in a thread."""
    note("begin")
    while not GO.exists():
        time.sleep(0.01)
    note("end")


@app.post("/slow-async")
@webhook(hooks, LeadCreated)
async def slow_async(event: LeadCreated) -> None:
    """Wait on the event loop."""
    note("begin")
    while not GO.exists():
        await asyncio.sleep(0.01)
    note("end")
