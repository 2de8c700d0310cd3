"""Sending what an endpoint must take and what it must refuse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...signature import sign
from ...testing import make_unknown_event
from .._options import make_sample
from .._sending import Answer, Sender


class Probe:
    """Deliveries to one endpoint, and all of its answers."""

    def __init__(self, sender: Sender, secret: str, event: str, *, postback: bool) -> None:
        self._sender = sender
        self.secret = secret
        self.event = event
        self.postback = postback
        self.genuine = Answer(None, 0.0)
        """What the first genuine event was answered."""
        self.answers: list[tuple[Answer, str]] = []
        """Every answer, and the right signature of what was sent."""

    def make_document(self) -> dict[str, Any]:
        """Return a new event as JSON."""
        document: dict[str, Any] = json.loads(self.make_body())
        return document

    def make_body(self) -> bytes:
        """Return the body of a new event."""
        return make_sample(self.event, self.postback).to_json()

    def make_unknown_body(self, name: str, data: Mapping[str, object]) -> bytes:
        """Return the body of a new event that nobody knows."""
        return make_unknown_event(name, data).to_json()

    def post(self, body: bytes, signature: str | None) -> Answer:
        """Send a body with any signature."""
        headers = {"Content-Type": "application/json"}
        if signature is not None:
            headers["Dub-Signature"] = signature
        answer = self._sender.send(body, headers)
        self.answers.append((answer, sign(body, self.secret)))
        return answer

    def deliver(self, body: bytes) -> Answer:
        """Send a body with its right signature."""
        return self.post(body, sign(body, self.secret))

    def deliver_document(self, document: Mapping[str, object]) -> Answer:
        """Send JSON, written as Dub writes it, with its right signature."""
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        return self.deliver(text.encode())

    def deliver_copies(self, body: bytes, copies: int) -> list[Answer]:
        """Deliver a body several times at once."""
        with ThreadPoolExecutor(copies) as pool:
            return list(pool.map(self.deliver, [body] * copies))
