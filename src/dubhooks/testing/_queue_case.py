"""What the queue contract runs on: a shop in a directory of its own, and waiting for it."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ..webhooks import SaleCreated, parse
from ._contract_case import expect
from .events import make_event
from .shop import PLACE, QueueShop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from ..events._base import Event
    from ..queues import Queue


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


class QueueCase:
    """A queue, its workers, its server, and the shop of one test."""

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


def add_note(kind: type[Any], note: str) -> Any:
    """Return an event with one more key, whose text is ``note`` as it stands in JSON."""
    body = make_event(kind).to_json()
    return parse(b'{"note":"' + note.encode() + b'",' + body[1:])


def _restore(before: str | None) -> None:
    os.environ.pop(PLACE, None)
    if before is not None:
        os.environ[PLACE] = before
