"""The store in memory."""

from dubhooks import MemoryStore
from dubhooks.testing.contract import StoreContract


class TestContract(StoreContract):
    """A memory store keeps the contract."""

    def make_store(self) -> MemoryStore:
        """Return the one store of the test: it is its own storage."""
        store: MemoryStore = self.__dict__.setdefault("store", MemoryStore())
        return store
