"""A wall clock for a server that a test can set."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest


class FakeClock:
    """A clock for a server that a test can set: libfaketime reads it from a file."""

    def __init__(self) -> None:
        libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        if not libraries:
            pytest.skip("libfaketime (the package faketime) is not installed")
        self._directory = Path(tempfile.mkdtemp(prefix="dubhooks-clock-"))
        self._directory.chmod(0o755)
        self._file = self._directory / "offset"
        self.set("+0")
        self.environment = {
            # The C library's malloc before jemalloc's, which asks for the time too early.
            "LD_PRELOAD": f"{libraries[0]} {libraries[0].parents[1] / 'libc.so.6'}",
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            # Waiting goes by the monotonic clock, which nobody can set.
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset: str) -> None:
        """Move the wall clock, for example ``"+3600"`` seconds from the true time."""
        fresh = self._directory / "next"
        fresh.write_text(offset)
        fresh.chmod(0o644)
        fresh.replace(self._file)

    def close(self) -> None:
        """Delete the file."""
        shutil.rmtree(self._directory, ignore_errors=True)
