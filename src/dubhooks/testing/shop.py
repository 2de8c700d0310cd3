"""The receiver of the queue contract: its handlers do as each event's plan says, and note it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Generator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..dead_letters import DeadLetterDirectory
from ..errors import Reject, RetryLater
from ..events._base import Event
from ..queues import Queue
from ..receiver._typed import Webhooks
from ..reply import Reply
from ..stores.sqlite import SQLiteInbox, SQLiteStore
from ..webhooks import CommissionCreated, LeadCreated, SaleCreated
from .events import signed_request

__all__ = ["QueueShop"]

PLACE = "DUBHOOKS_QUEUE_SHOP"
"""The environment variable with the directory of a worker's shop."""
SECRET = "whsec_contract_0123456789abcdef"  # noqa: S105 - of the contract alone
_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS notes (event_id TEXT, what TEXT, digest TEXT, at REAL);
"""
_NOTE = "INSERT INTO notes VALUES (?, ?, ?, ?)"


class QueueShop:
    """A receiver whose handlers wait in ``queue``, beside the file in which they note what ran.

    Sales have a sync handler, leads an async one, and commissions note their effect in the
    transaction of an inbox.  What the runs of an event do, one after the other, is in its
    additional key ``plan``: ``fail``, ``reject``, ``retry`` or ``sleep``, with spaces between.
    A worker's module opens it without a directory::

        later = MyQueue(...)
        shop = QueueShop(later)
    """

    def __init__(self, queue: Queue, directory: str | os.PathLike[str] | None = None) -> None:
        """Open the shop.

        Args:
            queue: what its handlers wait in.
            directory: its files; by default what the contract told the worker.
        """
        self.directory: Path = Path(directory or os.environ[PLACE])
        self.directory.mkdir(exist_ok=True)
        self.store: SQLiteStore = SQLiteStore(self.directory / "claims.db")
        letters = DeadLetterDirectory(self.directory / "letters")
        self.hooks: Webhooks = Webhooks(SECRET, store=self.store, dead_letters=letters, lease=2.0)
        self._inbox = SQLiteInbox()
        with self._connect() as connection:
            connection.executescript(_SCHEMA)
            self._inbox.create_table(connection)
        self.hooks.on(SaleCreated, queue=queue)(self._handle)
        self.hooks.on(LeadCreated, queue=queue)(self._ahandle)
        self.hooks.on(CommissionCreated, queue=queue)(self._handle_once)

    def deliver(self, event: Event) -> Reply:
        """Deliver an event, signed."""
        return self.hooks.handle(*signed_request(event, SECRET))

    def count_runs(self, event: Event) -> int:
        """Return how many times its handler began."""
        return len(self._find("run", event.id))

    def count_all_runs(self) -> int:
        """Return how many times a handler began."""
        return len(self._find("run"))

    def count_cut_off(self) -> int:
        """Return how many runs were cut off."""
        return self.count_all_runs() - len(self._find("end"))

    def list_effects(self, event: Event) -> list[tuple[str, float]]:
        """Return its effects: SHA-256 of the body, and when."""
        return [(digest, at) for _, _, digest, at in self._find("effect", event.id)]

    def count_effects(self) -> dict[str, int]:
        """Return how many effects each event has had."""
        return Counter(event_id for event_id, *_ in self._find("effect"))

    def _handle(self, event: SaleCreated) -> None:
        time.sleep(self._begin(event))
        self._note(event, "effect")
        self._note(event, "end")

    async def _ahandle(self, event: LeadCreated) -> None:
        await asyncio.sleep(self._begin(event))
        self._note(event, "effect")
        self._note(event, "end")

    def _handle_once(self, event: CommissionCreated) -> None:
        seconds = self._begin(event)
        with self._connect() as connection:
            if self._inbox.first(connection, event):
                connection.execute(_NOTE, _row_of(event, "effect"))
        time.sleep(seconds)
        self._note(event, "end")

    def _begin(self, event: Event) -> float:
        """Note a run and do what is planned for it; return how many seconds it is to take."""
        planned = str((event.model_extra or {}).get("plan", "")).split()
        step = "".join(planned[self.count_runs(event) :][:1])
        self._note(event, "run")
        errors = {"fail": ValueError("planned"), "reject": Reject(), "retry": RetryLater(after=1)}
        if step in errors:
            self._note(event, "end")
            raise errors[step]
        return 3.0 if step == "sleep" else 0.03

    @contextmanager
    def _connect(self) -> Generator[sqlite3.Connection]:
        path = self.directory / "effects.db"
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            yield connection

    def _find(self, what: str, event_id: str = "") -> list[Any]:
        query = "SELECT * FROM notes WHERE what = ? AND ? IN (event_id, '')"
        with self._connect() as connection:
            return connection.execute(query, (what, event_id)).fetchall()

    def _note(self, event: Event, what: str) -> None:
        with self._connect() as connection:
            connection.execute(_NOTE, _row_of(event, what))


def _row_of(event: Event, what: str) -> tuple[str, str, str, float]:
    return event.id, what, sha256(event.to_json()).hexdigest(), time.time()
