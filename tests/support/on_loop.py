"""An async store for tests that call a store from threads and processes."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

from tests.support.stores.backends import close


class OnLoop:
    """Calls an async store on an event loop of its own thread; a forked child has another one."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self._start()

    def claim(self, *arguments: Any, **durations: Any) -> Any:
        """Claim."""
        return self.run(self.store.claim(*arguments, **durations))

    def complete(self, *arguments: Any, **durations: Any) -> Any:
        """Complete."""
        return self.run(self.store.complete(*arguments, **durations))

    def release(self, key: str, token: str) -> Any:
        """Release."""
        return self.run(self.store.release(key, token))

    def forget(self, key: str) -> Any:
        """Forget."""
        return self.run(self.store.forget(key))

    def purge(self) -> Any:
        """Purge."""
        return self.run(self.store.purge())

    def run(self, work: Any) -> Any:
        """Return the result of a coroutine."""
        if self._process != os.getpid():
            self._start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _start(self) -> None:
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def close(self) -> None:
        """Close the connections and the loop."""
        self.run(close(self.store))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()
