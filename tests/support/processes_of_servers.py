"""What the operating system knows of a server's processes."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path


def is_stopped(process_id: int) -> bool:
    """Tell whether every thread of a process is stopped; one that has ended is."""
    states = []
    for task in Path(f"/proc/{process_id}/task").glob("*/stat"):
        with suppress(OSError):
            states.append(task.read_text().rpartition(")")[2].split()[0])
    return all(state in "TtZX" for state in states)


def ignore_file_limits() -> None:
    """Let a write beyond a file size limit fail as on a full disk; run it before the program."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def children_of(process_id: int) -> list[int]:
    """Return the ids of a process's children."""
    listed = Path(f"/proc/{process_id}/task/{process_id}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def living_in(session: int) -> list[int]:
    """Return the ids of the processes of a session, whatever their groups, but for zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, its_session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state not in "ZX":
                found.append(int(stat.parent.name))
    return found


def kill(process_id: int) -> None:
    """End a process with SIGKILL and wait until it is gone."""
    try:
        os.kill(process_id, signal.SIGKILL)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + 30.0
    while Path(f"/proc/{process_id}/stat").exists() and time.monotonic() < deadline:
        if ") Z " in Path(f"/proc/{process_id}/stat").read_text():
            return
        time.sleep(0.005)
