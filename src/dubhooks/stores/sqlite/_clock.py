"""The machine's monotonic clock, identified by its boot id."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from time import monotonic, time

__all__ = ["boot_clock"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_clock() -> tuple[str, float]:
    """Return the name of the clock, and its time in seconds.

    On Linux it counts from the boot, and its name is the boot's id: setting the wall
    clock does not end a lease early, and a lease from before a reboot has no living
    owner.  Elsewhere it is the wall clock.
    """
    boot = _boot_id()
    return (boot, monotonic()) if boot else ("wall", time())


@lru_cache(maxsize=1)
def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
