"""The contract of a queue, as a test class: every queue must pass all of it."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, ClassVar, Protocol

from ..events._base import Event
from ..queues import Queue
from ..webhooks import CommissionCreated, LeadCreated, SaleCreated
from ._contract_case import expect
from .events import make_event
from .recording import HeldQueue
from .shop import PLACE, SECRET, QueueShop

__all__ = ["QueueContract", "QueueWorker"]

_DELIVERED = 200
_PERSON = "Contract Person"
_KINDS = (SaleCreated, LeadCreated, CommissionCreated)


class QueueWorker(Protocol):
    """A real worker process of the engine."""

    def kill(self) -> None:
        """End all of its processes with SIGKILL."""
        ...

    def stop(self) -> None:
        """Ask it to end (SIGTERM), and wait until it has."""
        ...


class QueueContract:
    """Inherit from it and say how your queue and its worker are made; pytest does the rest.

    For example::

        class TestMyQueue(QueueContract):
            def make_queue(self) -> MyQueue:
                return MyQueue(URL)

            def worker(self) -> AbstractContextManager[QueueWorker]:
                return my_worker("my_worker_module")  # a process of its own

    The worker's module makes the same queue and opens ``QueueShop(queue)``.  Each test has a
    directory of its own, which the variable ``DUBHOOKS_QUEUE_SHOP`` tells the worker; so start
    workers with the environment of the test.  All of it takes some minutes.
    """

    kills: ClassVar[int] = 60
    """How many times workers are killed."""
    patience: ClassVar[float] = 120.0
    """Seconds until the engine has given a killed worker's message to another one."""

    def make_queue(self) -> Queue:
        """Return the queue, as an application makes it."""
        raise NotImplementedError

    def worker(self) -> AbstractContextManager[QueueWorker]:
        """Return a context manager that starts a worker, and ends it."""
        raise NotImplementedError

    def read_storage(self) -> str:
        """Return what the engine stores and what its workers have logged, as text."""
        raise NotImplementedError

    def setup_method(self) -> None:
        """Open a shop in a new directory; pytest calls it before each test."""
        self.directory: Path = Path(mkdtemp(prefix="dubhooks-queue-"))
        os.environ[PLACE] = str(self.directory)
        self.queue: Queue = self.make_queue()
        self.shop: QueueShop = QueueShop(self.queue, self.directory)
        self.shop.hooks.warm_up()

    def teardown_method(self) -> None:
        """Close the shop."""
        self.shop.store.close()
        del os.environ[PLACE]
        rmtree(self.directory, ignore_errors=True)

    # -- one message after the other ----------------------------------------------------------

    def test_bytes_arrive_as_they_were_sent_and_once(self) -> None:
        """NUL, lone surrogates and 1 MiB, in sync and async handlers; of three copies one runs."""
        events = [make_event(kind, {"+note": "\0 \ud800 \u2028 é"}) for kind in _KINDS]
        events.append(make_event(SaleCreated, {"+note": "x" * (1_048_576 - 4_000)}))
        with self.worker(), self.worker(), self.worker():
            self._deliver(*events * 3)
            self._wait_for_effects(*events)
            self._pass_another_event()
        for event in events:
            digests = [digest for digest, _ in self.shop.list_effects(event)]
            expect(len(digests) == 1, "an event had several effects")
            expect(digests[0] == sha256(event.to_json()).hexdigest(), "the bytes have changed")

    def test_after_is_honoured(self) -> None:
        """A message is worked no sooner than it was to be, which may be in 900 seconds."""
        soon, late = make_event(SaleCreated), make_event(SaleCreated)
        self.queue.put(self._pack(late), 900.0)
        put = time.time()
        self.queue.put(self._pack(soon), 3.0)
        with self.worker():
            [(_, at)] = self._wait_for_effects(soon)
            self._pass_another_event()
        expect(at - put > 2.9, f"worked {at - put:.1f} s after it was put, and not after 3")
        expect(self.shop.count_runs(late) == 0, "what was to wait 900 s was worked at once")

    def test_every_ending(self) -> None:
        """What fails runs after 10 and 20 seconds, what is busy waits, what is rejected is done."""
        failing = make_event(SaleCreated, {"+plan": "fail fail"})
        late = make_event(LeadCreated, {"+plan": "retry retry"})
        rejected, busy = make_event(SaleCreated, {"+plan": "reject"}), make_event(SaleCreated)
        digest = sha256(busy.to_json()).hexdigest()
        with self.worker():
            begin = time.time()
            self.shop.store.claim(
                f"default:{busy.id}", "another", fingerprint=digest, lease=4, retention=900
            )
            self._deliver(failing, late, rejected, busy)
            [(_, freed)] = self._wait_for_effects(busy)
            [(_, ended)] = self._wait_for_effects(late, failing)
            self._deliver(rejected)
            self._pass_another_event()
        expect(freed - begin > 4, "it ran while another held its claim")
        expect(ended - begin > 29, f"it ran again after {ended - begin:.0f} s, and not after 30")
        runs = [*map(self.shop.count_runs, (failing, late, rejected, busy))]
        expect(runs == [3, 3, 1, 1], f"[3, 3, 1, 1] runs are wanted, got {runs}")

    def test_store_down(self) -> None:
        """While the store is away events are acknowledged and wait; then they run."""
        event, claims = make_event(SaleCreated), self.directory / "claims.db"
        with closing(sqlite3.connect(claims, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            with self.worker():
                self._deliver(event)
                time.sleep(12)  # longer than the store waits for a lock
                expect(self.shop.count_runs(event) == 0, "it ran without a claim")
                connection.execute("ROLLBACK")
                self._wait_for_effects(event)

    def test_given_up_event_is_one_dead_letter(self) -> None:
        """After retry_for it is kept, the engine is done with it, and a replay has its effect."""
        event = make_event(SaleCreated, {"+plan": "fail"})
        content = json.loads(self._pack(event))
        content["received_at"] -= self.queue.retry_for + 1
        letters = self.directory / "letters"
        with self.worker():
            self.queue.put(json.dumps(content))
            [letter] = self._wait(lambda: [*letters.glob("*.json")], "there is a dead letter")
            self._pass_another_event()
            expect(self.shop.count_runs(event) == 1, "the engine ran it again")
            headers = json.loads(letter.read_bytes())["headers"]
            reply = self.shop.hooks.handle(letter.with_suffix(".body").read_bytes(), headers)
            expect(reply.status == 202, f"the replay was answered {reply.status}")
            self._wait_for_effects(event)

    def test_messages_that_cannot_be_worked(self) -> None:
        """Unreadable, newer, foreign and forged ones run nothing, and stop nothing."""
        event = make_event(SaleCreated)
        content = json.loads(self._pack(event))
        forged = content["delivery"][:-8] + "AAAAAAA="
        with self.worker():
            self.queue.put("no JSON")
            for change in ({"v": 2}, {"receiver": "webhook:elsewhere"}, {"delivery": forged}):
                self.queue.put(json.dumps(content | change))
            self._pass_another_event()
        expect(self.shop.count_runs(event) == 0, "one of them ran")

    def test_nothing_personal_in_clear(self) -> None:
        """The engine's storage and its workers' logs show no secret, signature or person."""
        event = make_event(SaleCreated, {"+plan": "retry fail", "+note": _PERSON})
        self._deliver(event)
        with self.worker():
            self._wait(lambda: self.shop.count_runs(event) >= 2, "it has failed")
            seen = self.read_storage()
        expect(bool(seen), "there is nothing to look at")
        for what in (SECRET, _PERSON, _PERSON.encode("utf-16-le").decode("latin-1")):
            expect(what not in seen, f"{what} is in clear in the engine's storage or its logs")

    # -- kills --------------------------------------------------------------------------------

    def test_killed_workers(self) -> None:
        """Workers are killed at random moments: nothing is lost, and hardly anything runs twice.

        An effect is repeated at most once for each kill inside a handler; with an inbox never.
        """
        chance = random.Random(7)
        share = _DELIVERED * 15 // 100
        plans = ["retry"] * share + [""] * (_DELIVERED - share)
        events = [make_event(chance.choice(_KINDS), {"+plan": plan}) for plan in plans]
        waiting = [*events, *chance.sample(events, share)]
        chance.shuffle(waiting)
        for at in range(self.kills):
            with self.worker() as worker:
                self._deliver(*waiting[at :: self.kills])
                self._wait_for_a_run()
                time.sleep(chance.uniform(0.0, 0.2))
                worker.kill()
        with self.worker():
            self._wait(lambda: len(self.shop.count_effects()) == len(events), "every event has run")
            self._pass_another_event()
        counts, cut_off = self.shop.count_effects(), self.shop.count_cut_off()
        repeated = sum(counts.values()) - len(counts)
        print(f"kills {self.kills}, cut off {cut_off}, lost 0, repeated {repeated}")
        expect(repeated <= cut_off, f"{repeated} effects are repeated, {cut_off} runs cut off")
        once = {counts[each.id] for each in events if isinstance(each, CommissionCreated)}
        expect(once == {1}, "an effect with an inbox was repeated")

    def test_stopped_worker(self) -> None:
        """SIGTERM in a handler: nothing is lost and nothing runs twice."""
        events = [make_event(kind, {"+plan": "sleep"}) for kind in _KINDS]
        with self.worker() as worker:
            self._deliver(*events)
            self._wait(self.shop.count_all_runs, "a handler runs")
            worker.stop()
        with self.worker():
            self._wait_for_effects(*events)
        expect(set(self.shop.count_effects().values()) == {1}, "an effect was repeated")

    # -- what the tests share -----------------------------------------------------------------

    def _pack(self, event: Event) -> str:
        """Return the message that intake makes of an event."""
        held = HeldQueue()
        shop = QueueShop(held, self.directory)
        shop.deliver(event)
        shop.store.close()
        return held.messages[0].text

    def _deliver(self, *events: Event) -> None:
        for reply in map(self.shop.deliver, events):
            expect(reply.status == 202, f"an event was answered {reply.status} {reply.outcome}")

    def _wait_for_effects(self, *events: Event) -> list[tuple[str, float]]:
        """Wait until every event has its effect; return those of the last one."""
        self._wait(lambda: all(map(self.shop.list_effects, events)), "the events have run")
        return self.shop.list_effects(events[-1])

    def _wait_for_a_run(self) -> None:
        """Wait until a worker has begun a run; what is left may still wait for a lease."""
        before, deadline = self.shop.count_all_runs(), time.monotonic() + 8
        while self.shop.count_all_runs() == before and time.monotonic() < deadline:
            time.sleep(0.01)

    def _pass_another_event(self) -> None:
        """Let a worker work off what it has, up to an event that comes now."""
        event = make_event(SaleCreated)
        self._deliver(event)
        self._wait_for_effects(event)

    def _wait(self, condition: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + self.patience
        while not (value := condition()):
            expect(time.monotonic() < deadline, f"waited {self.patience:.0f} s in vain: {what}")
            time.sleep(0.05)
        return value
