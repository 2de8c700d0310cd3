"""The contract of a queue whose engine has a server, which is killed and frozen too."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Protocol

from dubhooks.testing import QueueContract, make_event
from dubhooks.webhooks import CommissionCreated, LeadCreated, SaleCreated

_KINDS = (SaleCreated, LeadCreated, CommissionCreated)


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


class ServerContract(QueueContract):
    """What every queue of dubhooks keeps, also when its server does not."""

    @property
    def server(self) -> QueueServer:
        """The engine's server."""
        raise NotImplementedError

    def test_killed_server(self) -> None:
        """The engine's server is killed and started again: what was acknowledged runs."""
        events = [make_event(kind) for kind in _KINDS * 10]
        self._deliver(*events[::2])
        self.server.kill()
        self.server.start()
        with self.worker():
            self._deliver_patiently(*events[1::2])
            self.server.kill()
            self.server.start()
        with self.worker():
            self._wait_for_effects(*events)

    def test_stopped_server(self) -> None:
        """A server that does not answer: 503 within 15 seconds; then all is as before."""
        event = make_event(SaleCreated)
        self._deliver_patiently(make_event(SaleCreated))
        self.server.freeze()
        try:
            begin = time.monotonic()
            reply = self.shop.deliver(event)
            took = time.monotonic() - begin
        finally:
            self.server.thaw()
        assert (reply.status, reply.outcome) == (503, "unavailable")
        assert took < 15.5
        self._deliver_patiently(event)
        with self.worker():
            self._wait_for_effects(event)

    def test_server_gone_while_a_message_is_put_back(self) -> None:
        """The server dies under a handler that fails: nothing is lost."""
        event = make_event(SaleCreated, {"+plan": "sleep retry"})
        with self.worker():
            self._deliver(event)
            self._wait(lambda: self.shop.count_runs(event), "it runs")
            self.server.kill()
            time.sleep(5)
            self.server.start()
            time.sleep(1)
        with self.worker():
            self._wait_for_effects(event)

    def _deliver_patiently(self, *events: Any) -> None:
        """Deliver each until the server takes it."""
        for event in events:
            self._wait(partial(self._is_taken, event), "the server takes events")

    def _is_taken(self, event: Any) -> bool:
        return self.shop.deliver(event).status == 202
