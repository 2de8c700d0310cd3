"""When another try is worth it: one policy for every store whose server may go away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import monotonic, sleep
from typing import Final, TypeVar

from ..errors import ConfigurationError
from ._advice import is_beaten, is_lost

ResultT = TypeVar("ResultT")

_LONGEST_PAUSE: Final = 0.25


class Tries:
    """The tries of one call, which may be repeated: its second try finds what the first did."""

    def __init__(self, seconds: float, *, longest: float = 0.0, is_patient: bool = False) -> None:
        """Begin; the deadline counts from here.

        Args:
            seconds: that the call may take.
            longest: seconds that one try may take; it counts as long as the one before at least.
            is_patient: whether a server that cannot be reached is waited for, as it always is
                after a connection was lost.
        """
        self.is_retry = False
        """Whether an earlier try may have done the work."""
        self.has_connected = False
        """Whether the current try had a connection: set by whoever makes it."""
        self._longest = longest
        self._is_patient = is_patient
        self._begin = monotonic()
        self._deadline = self._begin + seconds
        self._pause = 0.005

    def run(self, attempt: Callable[[], ResultT]) -> ResultT:
        """Return what ``attempt`` returns, in the end.

        Raises:
            Exception: the last error, when no other try is worth it or there is no time for one.
        """
        while True:
            try:
                return attempt()
            except Exception as error:  # noqa: BLE001 - raised again when it is not tried again
                pause = self._pause_after(error)
            sleep(pause)

    async def arun(self, attempt: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Do what :meth:`run` does, on an event loop."""
        while True:
            try:
                return await attempt()
            except Exception as error:  # noqa: BLE001 - raised again when it is not tried again
                pause = self._pause_after(error)
            await asyncio.sleep(pause)

    def _pause_after(self, error: Exception) -> float:
        """Return how many seconds to wait before another try, or raise when none is worth it."""
        if isinstance(error, ConfigurationError):
            raise error
        if is_beaten(error):
            pause = random.uniform(0.0, self._pause)
        elif is_lost(error) and (self._is_patient or self.has_connected):
            self._is_patient = True
            pause = self._pause
        else:
            raise error
        now = monotonic()
        longest = max(self._longest, now - self._begin)
        self.is_retry, self.has_connected = True, False
        self._begin = now + pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        if now + pause + longest > self._deadline:
            raise error
        return pause
