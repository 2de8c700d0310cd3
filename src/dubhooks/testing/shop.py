"""The receiver of the queue contract: its handlers do as each event's plan says, and note it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dead_letters import DeadLetterDirectory
from ..errors import ConfigurationError, Reject, RetryLater
from ..receiver._typed import Webhooks
from ..stores.sqlite import SQLiteInbox, SQLiteStore
from ..webhooks import CommissionCreated, LeadCreated, SaleCreated
from .events import signed_request

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..events._base import Event
    from ..queues import Queue
    from ..reply import Reply

__all__ = ["QueueShop"]

PLACE = "DUBHOOKS_QUEUE_SHOP"
"""The environment variable with the directory of a worker's shop."""
SECRET = "whsec_contract_0123456789abcdef"  # noqa: S105 - of the contract alone
_LEASE = 2.0
_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS plans (event_id TEXT PRIMARY KEY, steps TEXT);
CREATE TABLE IF NOT EXISTS runs (event_id TEXT, began REAL, has_ended INT DEFAULT 0);
CREATE TABLE IF NOT EXISTS effects (event_id TEXT, digest TEXT, at REAL);
"""


class QueueShop:
    """A receiver whose handlers wait in ``queue``, beside the files that say what ran.

    Sales have a sync handler, leads an async one, and commissions note their effect in the
    transaction of an inbox.  A worker's module opens it without a directory::

        later = MyQueue(...)
        shop = QueueShop(later)
    """

    def __init__(self, queue: Queue, directory: str | os.PathLike[str] | None = None) -> None:
        """Open the shop.

        Args:
            queue: what its handlers wait in.
            directory: its files; by default what the contract told the worker.
        """
        given = directory or os.environ.get(PLACE)
        if given is None:
            raise ConfigurationError(f"only a worker of the QueueContract has {PLACE}")
        self.directory = Path(given)
        self.directory.mkdir(exist_ok=True)
        self.letters = self.directory / "letters"
        self.claims = self.directory / "claims.db"
        self.store = SQLiteStore(self.claims)
        self.hooks = Webhooks(
            SECRET, store=self.store, dead_letters=DeadLetterDirectory(self.letters), lease=_LEASE
        )
        self._inbox = SQLiteInbox()
        with self._connect() as connection:
            connection.executescript(_SCHEMA)
            self._inbox.create_table(connection)
        self.hooks.on(SaleCreated, queue=queue)(self._handle)
        self.hooks.on(LeadCreated, queue=queue)(self._ahandle)
        self.hooks.on(CommissionCreated, queue=queue)(self._handle_once)

    # -- the test's side ----------------------------------------------------------------------

    def deliver(self, event: Event) -> Reply:
        """Deliver an event, signed."""
        return self.hooks.handle(*signed_request(event, SECRET))

    def plan(self, event: Event, *steps: str) -> None:
        """Say what the event's runs do, one after the other, and then nothing special.

        Args:
            event: whose handler it is for.
            steps: ``fail``, ``reject``, ``retry``, or ``sleep``.
        """
        self._do("INSERT INTO plans VALUES (?, ?)", event.id, " ".join(steps))

    def count_runs(self, event: Event) -> int:
        """Return how many times its handler began."""
        return len(self._ask("SELECT 1 FROM runs WHERE event_id = ?", event.id))

    def count_all_runs(self) -> int:
        """Return how many times a handler began."""
        return int(self._ask("SELECT COUNT(*) FROM runs")[0][0])

    def list_effects(self, event: Event) -> list[tuple[str, float]]:
        """Return its effects: SHA-256 of the body, and when."""
        return self._ask("SELECT digest, at FROM effects WHERE event_id = ?", event.id)

    def count_effects(self) -> dict[str, int]:
        """Return how many effects each event has had."""
        counted = "SELECT event_id, COUNT(*) FROM effects GROUP BY event_id"
        return {str(event_id): int(count) for event_id, count in self._ask(counted)}

    def count_cut_off(self) -> int:
        """Return how many runs were cut off."""
        return len(self._ask("SELECT 1 FROM runs WHERE NOT has_ended"))

    def list_letters(self) -> list[Path]:
        """Return the dead letters' bodies."""
        return sorted(self.letters.glob("*.body"))

    # -- the worker's side --------------------------------------------------------------------

    def _handle(self, event: SaleCreated) -> None:
        run, pause = self._begin(event)
        time.sleep(pause)
        self._note(event)
        self._end(run)

    async def _ahandle(self, event: LeadCreated) -> None:
        run, pause = self._begin(event)
        await asyncio.sleep(pause)
        self._note(event)
        self._end(run)

    def _handle_once(self, event: CommissionCreated) -> None:
        run, pause = self._begin(event)
        with self._connect() as connection:
            if self._inbox.first(connection, event):
                connection.execute("INSERT INTO effects VALUES (?, ?, ?)", _row_of(event))
        time.sleep(pause)
        self._end(run)

    def _begin(self, event: Event) -> tuple[int, float]:
        began = self.count_runs(event)
        run = self._do("INSERT INTO runs (event_id, began) VALUES (?, ?)", event.id, time.time())
        planned = self._ask("SELECT steps FROM plans WHERE event_id = ?", event.id)
        steps = str(planned[0][0]).split() if planned else []
        step = steps[began] if began < len(steps) else ""
        if step in ("fail", "reject", "retry"):
            self._end(run)
        if step == "fail":
            raise ValueError("this run was planned to fail")
        if step == "reject":
            raise Reject
        if step == "retry":
            raise RetryLater(after=1)
        return run, 3.0 if step == "sleep" else 0.03

    def _note(self, event: Event) -> None:
        self._do("INSERT INTO effects VALUES (?, ?, ?)", *_row_of(event))

    def _end(self, run: int) -> None:
        self._do("UPDATE runs SET has_ended = 1 WHERE rowid = ?", run)

    @contextmanager
    def _connect(self) -> Generator[sqlite3.Connection]:
        path = self.directory / "effects.db"
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            yield connection

    def _ask(self, query: str, *values: object) -> list[Any]:
        with self._connect() as connection:
            return connection.execute(query, values).fetchall()

    def _do(self, statement: str, *values: object) -> int:
        with self._connect() as connection:
            return connection.execute(statement, values).lastrowid or 0


def _row_of(event: Event) -> tuple[str, str, float]:
    return event.id, sha256(event.to_json()).hexdigest(), time.time()
