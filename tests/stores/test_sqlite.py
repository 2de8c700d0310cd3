"""The store in an SQLite file."""

from pathlib import Path

import pytest

from dubhooks import SQLiteStore
from dubhooks.testing.contract import StoreContract


class TestContract(StoreContract):
    """An SQLite store keeps the contract."""

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "claims.db"

    def make_store(self) -> SQLiteStore:
        """Return another handle on the test's file."""
        return SQLiteStore(self.path)
