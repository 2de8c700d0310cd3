"""Sending what an endpoint must take and what it must refuse."""

from __future__ import annotations

import json
import select
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Barrier
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ...signature import sign
from ...testing import make_unknown_event
from .._options import make_sample

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._sending import Answer, Sender

__all__ = ["Probe", "outcome_of"]

_ANNOUNCED: Final = 64 * 1_048_576
_SENT: Final = 8 * 1_048_576
_CHUNK: Final = 65_536


class Probe:
    """Deliveries to one endpoint, and all of its answers."""

    def __init__(
        self, sender: Sender, secret: str, event: str, *, postback: bool, timeout: float
    ) -> None:
        self._sender = sender
        self.secret = secret
        self.event = event
        self.postback = postback
        self.timeout = timeout
        self.accepts = True
        """A good event was accepted; what needs that makes no sense otherwise."""
        self.answers_at_all = True
        """A good event was answered in time, whatever the answer was."""
        self.answers: list[tuple[Answer, str]] = []
        """Every answer, and the right signature of what was sent."""

    def body(self, added: Mapping[str, object] | None = None) -> bytes:
        """Return the body of a new event, with keys that nobody knows."""
        return make_sample(self.event, self.postback, added=added).to_json()

    def unknown_body(self, name: str, data: Mapping[str, object]) -> bytes:
        """Return the body of a new event that nobody knows."""
        return make_unknown_event(name, data).to_json()

    def post(self, body: bytes, signature: str | None, header: str = "Dub-Signature") -> Answer:
        """Send a body with any signature."""
        headers = {"Content-Type": "application/json"}
        if signature is not None:
            headers[header] = signature
        return self._noted(self._sender.send(body, headers), body)

    def deliver(self, body: bytes) -> Answer:
        """Send a body with its right signature."""
        return self.post(body, sign(body, self.secret))

    def get(self) -> Answer:
        """Send a GET."""
        return self._noted(self._sender.send(b"", {}, method="GET"), b"")

    def burst(self, body: bytes, copies: int) -> list[Answer]:
        """Deliver a body several times at once."""
        ready = Barrier(copies)

        def one() -> Answer:
            ready.wait()
            return self.deliver(body)

        with ThreadPoolExecutor(copies) as pool:
            return [sent.result() for sent in [pool.submit(one) for _ in range(copies)]]

    def _noted(self, answer: Answer, body: bytes) -> Answer:
        self.answers.append((answer, sign(body, self.secret)))
        return answer

    def stops_reading(self) -> bool:
        """Tell whether an endless body is refused before all of it was sent."""
        parts = urlsplit(self._sender.url)
        place = parts.hostname or "", parts.port
        connection: HTTPConnection = (
            HTTPSConnection(*place, timeout=self.timeout, context=ssl.create_default_context())
            if parts.scheme == "https"
            else HTTPConnection(*place, timeout=self.timeout)
        )
        try:
            connection.putrequest("POST", parts.path + (f"?{parts.query}" if parts.query else ""))
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Dub-Signature", "0" * 64)
            connection.putheader("Content-Length", str(_ANNOUNCED))
            connection.endheaders()
            return _is_cut_off(connection, self.timeout)
        except (OSError, HTTPException):
            return True
        finally:
            connection.close()


def outcome_of(answer: Answer) -> str | None:
    """Return the outcome that a receiver of this library answers with."""
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(answer.body)["outcome"])
    return None


def _is_cut_off(connection: HTTPConnection, timeout: float) -> bool:
    stream = connection.sock
    deadline = monotonic() + timeout
    left = _SENT
    stream.settimeout(min(timeout, 2.0))
    chunk = b'{"' + b" " * (_CHUNK - 2)
    while left > 0 and monotonic() < deadline:
        if select.select([stream], [], [], 0)[0]:
            return True
        try:
            stream.sendall(chunk)
        except TimeoutError:
            # The other side reads no more but does not say so either.
            break
        left -= len(chunk)
    return bool(select.select([stream], [], [], min(timeout, 1.0))[0])
