"""A clock that all processes of this machine share and nobody can set."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from time import monotonic, time

__all__ = ["boot_clock"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_clock() -> tuple[str, float]:
    """Return the name of the clock and its seconds.

    On Linux that is the time since boot, named by the boot's id: setting the
    wall clock does not end a lease early, and a lease of an earlier boot has
    no living owner.  Elsewhere it is the wall clock.
    """
    boot = _boot_id()
    return (boot, monotonic()) if boot else ("wall", time())


@lru_cache(maxsize=1)
def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
