"""What ``dubhooks listen`` does with a delivery: verify, explain, compare, save, answer, tell."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from ... import Postbacks, Webhooks
from ..._explain import Explanation, explain
from ..._explain.secrets import FamilyName
from ..._headers import SIGNATURE_NAMES
from ...errors import PayloadError
from .._drift import Compared, compared
from .._options import family_of
from .._sending import Answer, Sender, shown_url
from ._delivery import Delivery, Headers

_KEPT: Final = 200
_FORWARDED: Final = ("content-type", "user-agent", *SIGNATURE_NAMES)
_BATCH: Final = 20
"""The most deliveries in one message to the page."""
_PATIENCE: Final = 20.0
"""Seconds that a page waits for something new before it asks again."""


class Inspector:
    """Takes deliveries, keeps the last ones, and tells whoever asks.  Threads may share it."""

    def __init__(
        self,
        secrets: dict[FamilyName, str],
        sender: Sender | None,
        save_in: Path | None,
        told: Callable[[Delivery], None],
    ) -> None:
        """Begin to inspect.

        Args:
            secrets: by family; a body that no secret fits is read as one of the first family.
            sender: of the application to forward to, if there is one.
            save_in: the directory for deliveries, if they are saved.
            told: is given each delivery when it has its answer.

        Raises:
            ConfigurationError: a secret cannot be right.
        """
        self._secrets = secrets
        self._receivers = {
            name: Postbacks(secret) if name == "postback" else Webhooks(secret)
            for name, secret in secrets.items()
        }
        self._sender = sender
        self._save_in = save_in
        self._told = told
        self._changed = threading.Condition()
        self._kept: deque[Delivery] = deque(maxlen=_KEPT)
        self._number = 0
        self._run = token_hex(8)

    def take(self, path: str, headers: Headers, body: bytes) -> Delivery:
        """Take a delivery and return it with its answer.

        Args:
            path: where it was sent to.
            headers: names in lower case.
            body: the raw body.

        Raises:
            OSError: it cannot be saved.
        """
        received = datetime.now(timezone.utc)
        family, explanation = self._explain(headers, body)
        saved_as = self._save(received, headers, body, explanation)
        delivery = Delivery(
            received=received,
            path=path,
            headers=headers,
            body=body,
            family=family,
            explanation=explanation,
            found=_find_event(body, family),
            saved_as=saved_as,
            answer=self._forward(headers, body) or self._reply(family, headers, body),
            is_forwarded=self._sender is not None,
        )
        return self._keep(delivery)

    def replay(self, number: int) -> Delivery | None:
        """Forward a kept delivery again, as a new one; ``None``: it is not kept, or nowhere to."""
        with self._changed:
            found = next((one for one in self._kept if one.number == number), None)
        answer = self._forward(found.headers, found.body) if found else None
        if found is None or answer is None:
            return None
        now = datetime.now(timezone.utc)
        return self._keep(replace(found, received=now, answer=answer, replay_of=number))

    def feed(self, run: str, after: int) -> dict[str, Any]:
        """Return what a page shows next; wait a while when there is nothing new.

        Args:
            run: the ``run`` that the page shows; of another one there is nothing to wait for.
            after: the number of the last delivery that the page has.
        """
        with self._changed:
            self._changed.wait_for(lambda: run != self._run or self._number > after, _PATIENCE)
            kept = [one for one in self._kept if one.number > after][:_BATCH]
            gone = self._number - len(self._kept)
        return {
            "run": self._run,
            "gone": gone,
            "forwardTo": shown_url(self._sender.url) if self._sender else None,
            "deliveries": [one.for_page() for one in kept],
        }

    def _explain(self, headers: Headers, body: bytes) -> tuple[FamilyName, Explanation]:
        given = [value for name, value in headers if name in SIGNATURE_NAMES]
        found: dict[FamilyName, Explanation] = {
            name: explain(
                body,
                ", ".join(given) if given else None,
                secret,
                family=name,
                other_secrets=[one for other, one in self._secrets.items() if other != name],
            )
            for name, secret in self._secrets.items()
        }
        return next((one for one in found.items() if one[1].valid), next(iter(found.items())))

    def _forward(self, headers: Headers, body: bytes) -> Answer | None:
        if self._sender is None:
            return None
        return self._sender.send(body, {key: value for key, value in headers if key in _FORWARDED})

    def _reply(self, family: FamilyName, headers: Headers, body: bytes) -> Answer:
        reply = self._receivers[family].handle(body, headers)
        lower = {key.lower(): value for key, value in reply.headers.items()}
        return Answer(reply.status, 0.0, lower, reply.body)

    def _keep(self, delivery: Delivery) -> Delivery:
        with self._changed:
            self._number += 1
            kept = replace(delivery, number=self._number)
            self._kept.append(kept)
            self._changed.notify_all()
        with suppress(BrokenPipeError):  # nobody reads the terminal, and the answer stands
            self._told(kept)
        return kept

    def _save(
        self, received: datetime, headers: Headers, body: bytes, explanation: Explanation
    ) -> str | None:
        if self._save_in is None:
            return None
        name = f"{received:%Y%m%dT%H%M%S%f}-{token_hex(4)}"
        code = next((one.code for one in explanation.causes), None)
        letter = json.dumps({"headers": dict(headers), "error": code}, indent=2)
        # Nobody else may read them: they hold personal data.  The body goes first, because a
        # delivery is there once its .json is.
        for ending, content in ((".body", body), (".json", letter.encode() + b"\n")):
            path = self._save_in / (name + ending)
            path.touch(mode=0o600, exist_ok=False)
            path.write_bytes(content)
        return str(self._save_in / f"{name}.body")


def _find_event(body: bytes, family: FamilyName) -> Compared | PayloadError:
    try:
        return compared(body, family_of(family == "postback"))
    except PayloadError as error:
        return error
