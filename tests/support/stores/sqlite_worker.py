"""A program of real workers on one SQLite file, run and killed by test_sqlite_processes.

``burst``: deliver the body on standard input from several threads at once, print the outcomes.
``hang``: deliver it to a handler that says so and never ends.
``farm``: fork workers that deliver a stream of events, kill them at random, then drain.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dubhooks import SQLiteInbox, SQLiteStore, Webhooks
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated

if TYPE_CHECKING:
    from collections.abc import Callable

    from dubhooks.webhooks import SaleCreated

SECRET = "whsec_" + "0" * 32
WORKERS, WINDOW, EVENTS_A_SECOND = 3, 12, 200


def noted(log: Path, *words: object) -> None:
    """Append a line to ``log``; one write, so that it is there whole or not at all."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())
    finally:
        os.close(descriptor)


def leased(directory: Path, lease: float, handler: Callable[[SaleCreated], None]) -> Webhooks:
    """Return a receiver whose claims are in the store's file."""
    hooks = Webhooks(SECRET, store=SQLiteStore(directory / "claims.db"), lease=lease)
    hooks.on(SaleCreated)(handler)
    return hooks


def inboxed(directory: Path) -> Webhooks:
    """Return a receiver without a store, whose effects are rows beside the inbox's."""
    inbox, own = SQLiteInbox(), threading.local()

    def handle(event: SaleCreated) -> None:
        if not hasattr(own, "connection"):
            own.connection = sqlite3.connect(directory / "effects.db", timeout=30.0)
        with own.connection as connection:
            if inbox.first(connection, event):
                connection.execute("INSERT INTO effects VALUES (?)", (event.id,))

    hooks = Webhooks(SECRET)
    hooks.on(SaleCreated)(handle)
    return hooks


def burst(directory: Path, mode: str, threads: int, lease: float) -> None:
    """Deliver one body from ``threads`` threads at once, when told to."""
    body, headers = signed_request(sys.stdin.buffer.readline().rstrip(b"\n"), SECRET)

    def handle(event: SaleCreated) -> None:
        noted(directory / "effects.log", event.id)

    hooks = inboxed(directory) if mode == "inbox" else leased(directory, lease, handle)
    hooks.warm_up()
    outcomes: list[tuple[str, int]] = []
    start = threading.Barrier(threads)

    def deliver() -> None:
        start.wait()
        reply = hooks.handle(body, headers)
        outcomes.append((reply.outcome, reply.status))

    print("ready", flush=True)
    sys.stdin.buffer.readline()
    running = [threading.Thread(target=deliver) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    print(json.dumps(outcomes), flush=True)


def hang(directory: Path, lease: float) -> None:
    """Deliver one body to a handler that never ends."""
    body, headers = signed_request(sys.stdin.buffer.readline().rstrip(b"\n"), SECRET)

    def handle(_: SaleCreated) -> None:
        print("started", flush=True)
        threading.Event().wait()

    leased(directory, lease, handle).handle(body, headers)


@dataclass
class Farm:
    """Workers that are killed at random instants and replaced."""

    directory: Path
    mode: str
    kills: int
    seconds: float
    lease: float
    log: Path = field(init=False)
    template: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.directory / "log"
        self.template = make_event(SaleCreated, id="evt_TEMPLATE").to_json()
        self.hooks = (
            inboxed(self.directory)
            if self.mode == "inbox"
            else leased(self.directory, self.lease, self._effect)
        )
        self.hooks.warm_up()

    def _effect(self, event: SaleCreated) -> None:
        # Kills must fall before the effect, and between it and the completion.
        time.sleep(random.uniform(0, 0.002))
        noted(self.log, "effect", event.id, os.getpid())
        time.sleep(random.uniform(0, 0.002))

    def deliver(self, number: int) -> int:
        """Deliver the event of that number and return the status."""
        event_id = f"evt_{number}"
        body = self.template.replace(b"evt_TEMPLATE", event_id.encode())
        noted(self.log, "sent", event_id, os.getpid())
        reply = self.hooks.handle(*signed_request(body, SECRET))
        noted(self.log, "answered", event_id, os.getpid(), reply.outcome)
        return reply.status

    def work(self, begin: float) -> None:
        """Deliver events for ever; workers are at about the same ones."""
        while True:
            self.deliver(
                int((time.monotonic() - begin) * EVENTS_A_SECOND) + random.randrange(WINDOW)
            )

    def run(self) -> None:
        """Kill until there were enough kills or it took too long, then drain the queue."""
        begin = time.monotonic()
        workers: list[int] = []
        killed: list[int] = []
        while len(killed) < self.kills and time.monotonic() - begin < self.seconds:
            while len(workers) < WORKERS:
                workers.append(self._fork(begin))
            time.sleep(random.uniform(0.01, 0.07))
            killed.append(workers.pop(random.randrange(WORKERS)))
            self._kill(killed[-1])
        for worker in workers:
            killed.append(worker)
            self._kill(worker)
        highest = int((time.monotonic() - begin) * EVENTS_A_SECOND) + WINDOW
        self._drain(list(range(highest)))
        print(json.dumps({"killed": killed, "events": highest}), flush=True)

    def _fork(self, begin: float) -> int:
        worker = os.fork()
        if worker == 0:
            try:
                random.seed()
                self.work(begin)
            finally:
                os._exit(70)
        return worker

    @staticmethod
    def _kill(worker: int) -> None:
        os.kill(worker, signal.SIGKILL)
        _, status = os.waitpid(worker, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            raise RuntimeError("a worker ended by itself")

    def _drain(self, numbers: list[int]) -> None:
        deadline = time.monotonic() + 10 * self.lease + 30
        while numbers:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(numbers)} events are not done")
            numbers = [number for number in numbers if self.deliver(number) != 200]
            time.sleep(0.05)


def main() -> None:
    """Run the program that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("program", choices=["burst", "hang", "farm"])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--mode", default="lease", choices=["lease", "inbox"])
    parser.add_argument("--lease", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=10)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    if given.program == "burst":
        burst(given.directory, given.mode, given.threads, given.lease)
    elif given.program == "hang":
        hang(given.directory, given.lease)
    else:
        Farm(given.directory, given.mode, given.kills, given.seconds, given.lease).run()


if __name__ == "__main__":
    main()
