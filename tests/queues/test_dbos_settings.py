"""What DBOSQueue refuses before the first 202."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from dubhooks import ConfigurationError
from dubhooks.queues.dbos import DBOSQueue


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "postgresql://x"])
def test_one_file(url: str) -> None:
    """A server is for several machines, and memory forgets with its process."""
    with pytest.raises(ConfigurationError, match="takes a file"):
        DBOSQueue(url)


def test_sqlite_of_this_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From Python 3.12 on DBOS needs what only newer versions of SQLite can do."""
    monkeypatch.setattr(sys, "version_info", (3, 12))
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 41, 9))
    with pytest.raises(ConfigurationError, match=r"SQLite 3\.42 or newer"):
        DBOSQueue(f"sqlite:///{tmp_path}/queue.db").check()
