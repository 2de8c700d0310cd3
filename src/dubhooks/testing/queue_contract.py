"""The contract of a queue, as a test class: every queue must pass all of it."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from contextlib import closing
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from ..webhooks import CommissionCreated, LeadCreated, SaleCreated
from ._contract_case import expect
from ._queue_case import QueueCase, QueueServer, QueueWorker, add_note
from .events import make_event
from .shop import SECRET

if TYPE_CHECKING:
    pass

__all__ = ["QueueContract", "QueueServer", "QueueWorker"]

_DELIVERED = 200
_PERSON = "Contract Person"
_KINDS = (SaleCreated, LeadCreated, CommissionCreated)


class QueueContract(QueueCase):
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

    # -- one message after the other ----------------------------------------------------------

    def test_bytes_arrive_as_they_were_sent(self) -> None:
        """NUL and lone surrogates as escapes, and a body of 1 MiB, in sync and async handlers."""
        odd = [add_note(kind, r"\u0000 \ud800 \u2028 é") for kind in _KINDS]
        large = add_note(SaleCreated, "x" * (1_048_576 - 4_000))
        with self.worker():
            for event in (*odd, large):
                self._deliver(event)
            for event in (*odd, large):
                [(digest, _)] = self._wait_for_effects(event)
                expect(digest == sha256(event.to_json()).hexdigest(), "the bytes have changed")

    def test_after_is_honoured(self) -> None:
        """A message is worked no sooner than it was to be."""
        event = make_event(SaleCreated)
        with self._recording() as messages:
            self._deliver(event)
        put = time.time()
        self.queue.put(messages[0], 3.0)
        with self.worker():
            [(_, at)] = self._wait_for_effects(event)
        expect(at - put > 2.9, f"worked {at - put:.1f} s after it was put, and not after 3")

    def test_the_longest_delay_is_taken(self) -> None:
        """900 seconds are held, and not worked at once."""
        event = make_event(SaleCreated)
        with self._recording() as messages:
            self._deliver(event)
        self.queue.put(messages[0], 900.0)
        with self.worker():
            self._pass_another_event()
        expect(self.shop.count_runs(event) == 0, "it was worked at once")

    def test_many_copies_and_workers_have_one_effect(self) -> None:
        """Every delivery is acknowledged, and the event runs once."""
        events = [make_event(kind) for kind in _KINDS for _ in range(3)]
        with self.worker(), self.worker(), self.worker():
            for event in events * 3:
                self._deliver(event)
            for event in events:
                self._wait_for_effects(event)
            self._pass_another_event()
        expect(set(self.shop.count_effects().values()) == {1}, "an event had several effects")

    def test_failures_run_again(self) -> None:
        """What fails twice runs after 10 and then 20 seconds."""
        event, late = make_event(SaleCreated), make_event(LeadCreated)
        self.shop.plan(event, "fail", "fail")
        self.shop.plan(late, "retry", "retry")
        with self.worker():
            begin = time.time()
            self._deliver(event)
            self._deliver(late)
            self._wait_for_effects(late)
            [(_, at)] = self._wait_for_effects(event)
        expect(at - begin > 29, f"it ran again after {at - begin:.0f} s, and not after 30")
        for each in (event, late):
            runs = self.shop.count_runs(each)
            expect(runs == 3, f"it ran {runs} times, and not 3")

    def test_rejected_event_is_done(self) -> None:
        """Reject is final: it runs no more, not even when it is delivered again."""
        event = make_event(SaleCreated)
        self.shop.plan(event, "reject")
        with self.worker():
            self._deliver(event)
            self._wait(lambda: self.shop.count_runs(event), "it runs")
            self._deliver(event)
            self._pass_another_event()
        expect(self.shop.count_runs(event) == 1, "a rejected event ran again")

    def test_busy_event_waits(self) -> None:
        """While another holds the claim the event waits, and then runs."""
        event = make_event(SaleCreated)
        print_of = sha256(event.to_json()).hexdigest()
        self.shop.store.claim(
            f"default:{event.id}", "another", fingerprint=print_of, lease=4, retention=900
        )
        with self.worker():
            self._deliver(event)
            self._pass_another_event()
            expect(self.shop.count_runs(event) == 0, "it ran while another held its claim")
            self._wait_for_effects(event)

    def test_store_down(self) -> None:
        """While the store is away events are acknowledged and wait; then they run."""
        event = make_event(SaleCreated)
        with closing(sqlite3.connect(self.shop.claims, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            with self.worker():
                self._deliver(event)
                time.sleep(12)  # longer than the store waits for a lock
                expect(self.shop.count_runs(event) == 0, "it ran without a claim")
                connection.execute("ROLLBACK")
                self._wait_for_effects(event)

    def test_given_up_event_is_one_dead_letter(self) -> None:
        """After retry_for it is kept, the engine is done with it, and a replay has its effect."""
        event = make_event(SaleCreated)
        self.shop.plan(event, "fail")
        with self._recording() as messages:
            self._deliver(event)
        content = json.loads(messages[0])
        content["received_at"] -= self.queue.retry_for + 1
        with self.worker():
            self.queue.put(json.dumps(content))
            [body] = self._wait(self.shop.list_letters, "there is a dead letter")
            letter = json.loads(self._read(body.with_suffix(".json")))
            self._pass_another_event()
            expect(self.shop.count_runs(event) == 1, "the engine ran it again")
            reply = self.shop.hooks.handle(body.read_bytes(), letter["headers"])
            expect(reply.status == 202, f"the replay was answered {reply.status}")
            self._wait_for_effects(event)

    def test_messages_that_cannot_be_worked(self) -> None:
        """Unreadable, newer, foreign and forged ones run nothing, and stop nothing."""
        event = make_event(SaleCreated)
        with self._recording() as messages:
            self._deliver(event)
        content = json.loads(messages[0])
        with self.worker():
            for text in (
                "no JSON",
                json.dumps(content | {"v": 2}),
                json.dumps(content | {"receiver": "webhook:elsewhere"}),
                json.dumps(content | {"delivery": content["delivery"][:-8] + "AAAAAAA="}),
            ):
                self.queue.put(text)
            self._pass_another_event()
        expect(self.shop.count_runs(event) == 0, "one of them ran")

    def test_nothing_personal_in_clear(self) -> None:
        """The engine's storage and its workers' logs show no secret, signature or person."""
        event = add_note(SaleCreated, _PERSON)
        self.shop.plan(event, "retry", "fail")
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
        events = [make_event(chance.choice(_KINDS)) for _ in range(_DELIVERED)]
        for event in chance.sample(events, _DELIVERED * 15 // 100):
            self.shop.plan(event, "retry")
        waiting = [*events, *chance.sample(events, _DELIVERED * 15 // 100)]
        chance.shuffle(waiting)
        share = -(-len(waiting) // self.kills)
        for _ in range(self.kills):
            with self.worker() as worker:
                for event in waiting[:share]:
                    self._deliver(event)
                del waiting[:share]
                self._wait_for_a_run()
                time.sleep(chance.uniform(0.0, 0.2))
                worker.kill()
        with self.worker():
            self._wait(lambda: len(self.shop.count_effects()) == len(events), "every event has run")
            self._pass_another_event()
        repeated = sum(self.shop.count_effects().values()) - len(events) - 1
        cut_off = self.shop.count_cut_off()
        print(f"kills {self.kills}, cut off {cut_off}, lost 0, repeated {repeated}")
        expect(repeated <= cut_off, f"{repeated} effects are repeated, {cut_off} runs cut off")
        once = {event.id for event in events if isinstance(event, CommissionCreated)}
        counts = self.shop.count_effects()
        expect({counts[each] for each in once} == {1}, "an effect with an inbox was repeated")

    def test_stopped_worker(self) -> None:
        """SIGTERM in a handler: nothing is lost and nothing runs twice."""
        events = [make_event(kind) for kind in _KINDS]
        for event in events:
            self.shop.plan(event, "sleep")
        with self.worker() as worker:
            for event in events:
                self._deliver(event)
            self._wait(lambda: any(map(self.shop.count_runs, events)), "a handler runs")
            worker.stop()
        with self.worker():
            for event in events:
                self._wait_for_effects(event)
        expect(set(self.shop.count_effects().values()) == {1}, "an effect was repeated")

    def test_killed_server(self) -> None:
        """The engine's server is killed and started again: what was acknowledged runs."""
        events = [make_event(chance) for chance in _KINDS for _ in range(10)]
        for event in events[::2]:
            self._deliver(event)
        self.server.kill()
        self.server.start()
        with self.worker():
            for event in events[1::2]:
                self._wait(partial(self._is_taken, event), "the server takes events")
            self.server.kill()
            self.server.start()
        with self.worker():
            for event in events:
                self._wait_for_effects(event)

    def test_stopped_server(self) -> None:
        """A server that does not answer: 503 within 15 seconds; then all is as before."""
        first, event = make_event(SaleCreated), make_event(SaleCreated)
        self._wait(partial(self._is_taken, first), "the server takes events")
        self.server.freeze()
        try:
            begin = time.monotonic()
            reply = self.shop.deliver(event)
            took = time.monotonic() - begin
        finally:
            self.server.thaw()
        expect(reply.status == 503, f"it was answered {reply.status}")
        expect(took < 15.5, f"the answer took {took:.1f} s")
        self._wait(lambda: self._is_taken(event), "the server takes events again")
        with self.worker():
            self._wait_for_effects(event)

    def test_server_gone_while_a_message_is_put_back(self) -> None:
        """The server dies under a handler that fails: nothing is lost."""
        event = make_event(SaleCreated)
        self.shop.plan(event, "sleep", "retry")
        with self.worker():
            self._deliver(event)
            self._wait(lambda: self.shop.count_runs(event), "it runs")
            self.server.kill()
            time.sleep(5)
            self.server.start()
            time.sleep(1)
        with self.worker():
            self._wait_for_effects(event)
