"""Durations as servers want them, and as a limit on what is awaited."""

from __future__ import annotations

import asyncio
import sys
from math import ceil
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["to_milliseconds", "wait_at_most"]

ResultT = TypeVar("ResultT")


def to_milliseconds(seconds: float) -> int:
    """Return whole milliseconds, and never 0: that would be no duration."""
    return max(1, ceil(seconds * 1000))


if sys.version_info >= (3, 11):

    async def wait_at_most(seconds: float | None, work: Awaitable[ResultT]) -> ResultT:
        """Return what ``work`` comes to; ``None``: however long it takes.

        Raises:
            TimeoutError: it took longer.
        """
        # wait_for would make another task for it.
        async with asyncio.timeout(seconds):
            return await work

else:  # before Python 3.11

    async def wait_at_most(seconds: float | None, work: Awaitable[ResultT]) -> ResultT:
        """Return what ``work`` comes to; ``None``: however long it takes.

        Raises:
            asyncio.TimeoutError: it took longer.
        """
        return await asyncio.wait_for(work, seconds)
