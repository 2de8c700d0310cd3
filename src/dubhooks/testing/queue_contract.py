"""The contract of a queue, as a test class: every queue must pass all of it."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import time
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ..events._base import Event
from ..webhooks import CommissionCreated, LeadCreated, SaleCreated, parse
from ._contract_case import expect
from .events import make_event
from .shop import PLACE, SECRET, QueueShop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from ..queues import Queue

__all__ = ["QueueContract", "QueueServer", "QueueWorker"]

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


class QueueServer(Protocol):
    """The server that holds the engine's messages."""

    def kill(self) -> None:
        """End it with SIGKILL."""
        ...

    def start(self) -> None:
        """Start it again with what it has kept."""
        ...

    def freeze(self) -> None:
        """Stop it where it is: it keeps connections and answers nothing."""
        ...

    def thaw(self) -> None:
        """Let it go on."""
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

    @property
    def server(self) -> QueueServer:
        """The engine's server."""
        raise NotImplementedError

    def read_storage(self) -> str:
        """Return what the engine stores and what its workers have logged, as text."""
        raise NotImplementedError

    def setup_method(self) -> None:
        """Open a shop for one test."""
        self._places = ExitStack()
        self.directory = Path(self._places.enter_context(TemporaryDirectory()))
        before = os.environ.get(PLACE)
        os.environ[PLACE] = str(self.directory)
        self._places.callback(_restore, before)
        self.queue = self.make_queue()
        self.shop = QueueShop(self.queue, self.directory)

    def teardown_method(self) -> None:
        """Close the shop."""
        self.shop.store.close()
        self._places.close()

    # -- one message after the other ----------------------------------------------------------

    def test_bytes_arrive_as_they_were_sent(self) -> None:
        """NUL and lone surrogates as escapes, and a body of 1 MiB, in sync and async handlers."""
        odd = [_with_note(kind, r"\u0000 \ud800 \u2028 é") for kind in _KINDS]
        large = _with_note(SaleCreated, "x" * (1_048_576 - 4_000))
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
        event = _with_note(SaleCreated, _PERSON)
        self.shop.plan(event, "retry", "fail")
        with self._recording() as messages:
            self._deliver(event)
        content = json.loads(messages[0])
        self._deliver(event)
        with self.worker():
            self._wait(lambda: self.shop.count_runs(event) >= 2, "it has failed")
            seen = self.read_storage()
        expect(content["id"] in seen or bool(seen), "there is nothing to look at")
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

    # -- helpers ------------------------------------------------------------------------------

    def _deliver(self, event: Event) -> None:
        reply = self.shop.deliver(event)
        expect(reply.status == 202, f"an event was answered {reply.status} {reply.outcome}")

    def _is_taken(self, event: Event) -> bool:
        return self.shop.deliver(event).status == 202

    def _wait_for_effects(self, event: Event) -> list[tuple[str, float]]:
        effects: list[tuple[str, float]] = self._wait(
            lambda: self.shop.list_effects(event), "the event has its effect"
        )
        return effects

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

    def _read(self, path: Path) -> str:
        return str(
            self._wait(lambda: path.exists() and path.read_text(), f"{path.suffix} is there")
        )

    @contextmanager
    def _recording(self) -> Generator[list[str]]:
        """Keep the messages that intake puts, instead of putting them."""
        messages: list[str] = []
        put = self.queue.put
        self.queue.put = lambda message, after=0.0: messages.append(message)  # type: ignore[method-assign]  # noqa: ARG005
        try:
            yield messages
        finally:
            self.queue.put = put  # type: ignore[method-assign]


def _with_note(kind: type[Any], note: str) -> Any:
    """Return an event with one more key, whose text is ``note`` as it stands in JSON."""
    body = make_event(kind).to_json()
    return parse(b'{"note":"' + note.encode() + b'",' + body[1:])


def _restore(before: str | None) -> None:
    os.environ.pop(PLACE, None)
    if before is not None:
        os.environ[PLACE] = before
