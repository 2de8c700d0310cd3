"""The applications that real servers serve: they note in a file what their handlers do."""

import asyncio
import os
import time
from pathlib import Path

SECRET = "whsec_0123456789abcdef0123456789abcdef"
NOTES = Path("notes.txt")
GO = Path("go")
"""Handlers wait until this file is there."""
LEASE = 4.0
"""Seconds until another delivery takes over what a killed worker held."""


def note(what: str) -> None:
    """Append a line, which no other process can tear apart."""
    file = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{what} {os.getpid()}\n".encode())
    os.close(file)


def wait() -> None:
    """Be a handler that waits in its thread."""
    note("begin")
    while not GO.exists():
        time.sleep(0.01)
    note("end")


async def wait_async() -> None:
    """Be a handler that waits on the event loop."""
    note("begin")
    while not GO.exists():
        await asyncio.sleep(0.01)
    note("end")
