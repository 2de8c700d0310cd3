"""Real workers of queue engines, as process groups that tests kill and stop."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.processes import ROOT, importing
from tests.support.processes_of_servers import living_in

_PATIENCE = 40.0


class EngineWorker:
    """A worker: the first process and all that it started."""

    def __init__(
        self, command: Sequence[str], log: Path, cwd: Path, environment: dict[str, str]
    ) -> None:
        with log.open("ab") as output:
            self.process: subprocess.Popen[Any] = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, **importing(), "PYTHONUNBUFFERED": "1", **environment},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End all of its processes with SIGKILL."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        # RQ gives the process of each job a group of its own.
        while others := living_in(self.process.pid):
            for other in others:
                with suppress(ProcessLookupError):
                    os.kill(other, signal.SIGKILL)
        self.process.wait(_PATIENCE)

    def stop(self) -> None:
        """Send SIGTERM to the first process, as a supervisor does, and wait."""
        self.process.terminate()
        self.process.wait(_PATIENCE)


@contextmanager
def running_worker(
    command: Sequence[str], log: Path, cwd: Path = ROOT, **environment: str
) -> Generator[EngineWorker]:
    """Start a worker, and kill it in the end.

    Args:
        command: of the worker.
        log: where it writes.
        cwd: its directory.
        environment: besides that of this process.
    """
    worker = EngineWorker(command, log, cwd, environment)
    try:
        yield worker
    finally:
        worker.kill()
