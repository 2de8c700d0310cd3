"""What ``dubhooks listen`` does with a delivery: verify, explain, compare, save, forward, tell."""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timezone
from queue import Full, Queue
from typing import TYPE_CHECKING, Any, Final

from ... import Postbacks, Webhooks
from ..._body import Request
from ..._explain import explain
from ..._headers import find_signature
from ...errors import DubhooksError, PayloadError
from ...signature import Keyring, check_request
from .._drift import Difference, compared
from .._options import family_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..._explain import Explanation
    from ..._explain.secrets import FamilyName
    from ...events._base import Event
    from ...receiver import Receiver
    from ...reply import Reply
    from ...signature import Key
    from .._sending import Answer, Sender

__all__ = ["MAX_BODY", "Delivery", "Inspector"]

MAX_BODY: Final = 1_048_576
_KEPT, _KEPT_BYTES = 200, 50 * 1_048_576
_FORWARDED: Final = ("content-type", "dub-signature", "x-dub-signature", "user-agent")
_WAITING: Final = 1_000


@dataclass
class Delivery:
    """One delivery and what became of it."""

    number: int
    received: datetime
    path: str
    headers: list[tuple[str, str]]
    """Lower-case names."""
    body: bytes = field(repr=False)
    family: FamilyName | None
    """``None`` when no secret fits."""
    explanation: Explanation
    name: str | None = None
    """Name of the event; ``None`` when there is none."""
    event_id: str | None = None
    event: Event | None = None
    """``None`` also when it does not fit its model."""
    problem: str | None = None
    """Why there is no event in it."""
    differences: list[Difference] = field(default_factory=list[Difference])
    saved_as: str | None = None
    status: int = 0
    """What was answered."""
    seconds: float | None = None
    """How long the application took; ``None`` when it was not asked."""
    answer: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return what a machine may log: nothing of the payload."""
        return {
            "number": self.number,
            "received": self.received.isoformat(timespec="milliseconds"),
            "valid": self.explanation.valid,
            "proven": self.explanation.proven,
            "causes": [cause.code for cause in self.explanation.causes],
            "family": self.family,
            "event": self.name,
            "event_id": self.event_id,
            "problem": self.problem,
            "differences": [
                {"kind": one.kind, "path": one.path, "detail": one.detail}
                for one in self.differences
            ],
            "bytes": len(self.body),
            "saved_as": self.saved_as,
            "status": self.status,
            "seconds": self.seconds,
        }

    def for_page(self) -> dict[str, Any]:
        """Return everything, for the page."""
        typed = self.event.model_dump(mode="json") if self.event else None
        return {
            **self.as_json(),
            "explanation": None if self.explanation.valid else str(self.explanation),
            "path": self.path,
            "headers": self.headers,
            "body": self.body.decode("utf-8", "backslashreplace"),
            "model": type(self.event).__name__ if self.event else None,
            "typed": json.dumps(typed, indent=2, ensure_ascii=False) if typed else None,
            "answer": self.answer,
        }


class Inspector:
    """Takes deliveries, keeps the last ones, and tells whoever watches.  Threads may share it."""

    def __init__(
        self,
        secrets: dict[FamilyName, str],
        *,
        forward_to: Sender | None = None,
        save: Path | None = None,
        told: Callable[[Delivery], None] = lambda _: None,
    ) -> None:
        self._secrets = secrets
        self._first: FamilyName = next(iter(secrets))
        self._keys: dict[FamilyName, tuple[Key, ...]] = {
            name: Keyring(secret).keys() for name, secret in secrets.items()
        }
        self._receivers = {name: _receiver(name, secret) for name, secret in secrets.items()}
        self._forward_to = forward_to
        self._save_in = save
        self._told = told
        self._lock = threading.Lock()
        self._kept: deque[Delivery] = deque()
        self._bytes = 0
        self._number = 0
        self._watchers: list[Queue[dict[str, Any]]] = []

    @property
    def can_replay(self) -> bool:
        """There is an application to replay to."""
        return self._forward_to is not None

    def take(self, path: str, headers: list[tuple[str, str]], body: bytes) -> tuple[Delivery, Any]:
        """Take a delivery; return it and the reply or answer to pass on."""
        delivery = self._examined(path, headers, body)
        self._save(delivery)
        passed_on: Reply | Answer
        if self._forward_to is None:
            passed_on = self._receivers[delivery.family or self._first].handle(body, headers)
            delivery.status = passed_on.status
        else:
            passed_on = self._forwarded(delivery, self._forward_to)
        self._keep(delivery)
        self._told(delivery)
        return delivery, passed_on

    def replay(self, number: int) -> Delivery | None:
        """Forward a kept delivery again; ``None`` when it is not kept or there is nowhere."""
        with self._lock:
            found = next((one for one in self._kept if one.number == number), None)
        if found is None or self._forward_to is None:
            return None
        self._forwarded(found, self._forward_to)
        self._publish(found.for_page())
        return found

    def watch(self, after: int) -> tuple[list[dict[str, Any]], Queue[dict[str, Any]]]:
        """Return the deliveries kept since number ``after`` and a queue of those to come."""
        queue: Queue[dict[str, Any]] = Queue(_WAITING)
        with self._lock:
            kept = [one.for_page() for one in self._kept if one.number > after]
            self._watchers.append(queue)
        return kept, queue

    def unwatch(self, queue: Queue[dict[str, Any]]) -> None:
        """Send no more to ``queue``."""
        with self._lock:
            self._watchers.remove(queue)

    def _examined(self, path: str, headers: list[tuple[str, str]], body: bytes) -> Delivery:
        with self._lock:
            self._number += 1
            number = self._number
            others = [one.body for one in self._kept]
        signature, family = self._verified(headers, body)
        name = family or self._first
        explanation = explain(
            body,
            signature,
            self._secrets[name],
            family=name,
            other_secrets=[one for other, one in self._secrets.items() if other != name],
            other_bodies=others,
        )
        delivery = Delivery(
            number, datetime.now(timezone.utc), path, headers, body, family, explanation
        )
        try:
            found = compared(body, family_of(name == "postback"))
        except PayloadError as error:
            delivery.problem = str(error)
        else:
            delivery.name, delivery.event_id, delivery.event, delivery.differences = found
        return delivery

    def _verified(
        self, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[str | None, FamilyName | None]:
        signature = find_signature(headers)
        if isinstance(signature, DubhooksError):
            doubled = [value for name, value in headers if name.endswith("dub-signature")]
            return ", ".join(doubled), None
        for name, keys in self._keys.items():
            if check_request(keys, Request(body, headers)) is None:
                return signature, name
        return signature, None

    def _forwarded(self, delivery: Delivery, sender: Sender) -> Answer:
        headers = {name: value for name, value in delivery.headers if name in _FORWARDED}
        answer = sender.send(delivery.body, headers)
        delivery.status = answer.status or 502
        delivery.seconds = round(answer.seconds, 6)
        delivery.answer = answer.problem or answer.body.decode("utf-8", "backslashreplace")
        return answer

    def _keep(self, delivery: Delivery) -> None:
        with self._lock:
            self._kept.append(delivery)
            self._bytes += len(delivery.body)
            while len(self._kept) > _KEPT or self._bytes > _KEPT_BYTES:
                self._bytes -= len(self._kept.popleft().body)
        self._publish(delivery.for_page())

    def _publish(self, message: dict[str, Any]) -> None:
        with self._lock:
            for queue in self._watchers:
                try:
                    queue.put_nowait(message)
                except Full:
                    continue  # a page that does not read misses some

    def _save(self, delivery: Delivery) -> None:
        if self._save_in is None:
            return
        name = f"{delivery.received:%Y%m%dT%H%M%S%f}-{delivery.number:06d}"
        causes = delivery.explanation.causes
        letter = {"headers": dict(delivery.headers), "error": causes[0].code if causes else None}
        # Nobody else may read them: they hold personal data.  The body goes first, because a
        # delivery is there once its .json is.
        for ending, content in (
            (".body", delivery.body),
            (".json", json.dumps(letter, indent=2).encode() + b"\n"),
        ):
            path = self._save_in / (name + ending)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
        delivery.saved_as = name


def _receiver(name: FamilyName, secret: str) -> Receiver[Any]:
    return Postbacks(secret) if name == "postback" else Webhooks(secret)
