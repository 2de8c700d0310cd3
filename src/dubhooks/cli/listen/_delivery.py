"""One delivery as ``dubhooks listen`` shows it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..._explain import Explanation
from ..._explain.secrets import FamilyName
from ...errors import PayloadError
from ...events.unknown import UnknownEvent
from .._answers import describe_body
from .._drift import Compared
from .._sending import Answer

Headers = list[tuple[str, str]]
"""Lower-case names and values, as they came."""


@dataclass(frozen=True)
class Delivery:
    """One delivery and what became of it."""

    received: datetime
    path: str
    headers: Headers
    body: bytes = field(repr=False)
    family: FamilyName
    """The one whose secret fits; when none does, the one that the body is read as."""
    explanation: Explanation
    """Of the signature."""
    found: Compared | PayloadError
    """The event, or why there is none; whatever the signature is."""
    saved_as: str | None
    """The path of the body's file."""
    answer: Answer
    """The application's, or that of a receiver without handlers."""
    is_forwarded: bool
    """The answer is the application's."""
    replay_of: int | None = None
    number: int = 0
    """In the order in which answers came."""

    @property
    def status(self) -> int:
        """What the sender is answered."""
        return self.answer.status or 502

    @property
    def reading(self) -> str:
        """What the body holds, in words."""
        if not isinstance(self.found, Compared):
            return str(self.found)
        if self.found.event is None:
            return "does not fit its model"
        if isinstance(self.found.event, UnknownEvent):
            return "this version does not know the event"
        return type(self.found.event).__name__

    def as_json(self) -> dict[str, Any]:
        """Return what a machine may log: nothing of the payload."""
        found = self.found if isinstance(self.found, Compared) else None
        # Why a signature is not valid says more than the advice about a 401.
        is_explained = self.status == 401 and not self.explanation.valid
        advice = self.answer.advice if self.is_forwarded and not is_explained else None
        return {
            "number": self.number,
            "replay_of": self.replay_of,
            "received": self.received.isoformat(timespec="milliseconds"),
            "valid": self.explanation.valid,
            "proven": self.explanation.proven,
            "causes": [cause.code for cause in self.explanation.causes],
            "family": self.family if self.explanation.valid else None,
            "event": found.name if found else None,
            "event_id": found.event_id if found else None,
            "fits": bool(found and found.event),
            "reading": self.reading,
            "differences": [vars(one) for one in found.differences] if found else [],
            "saved_as": self.saved_as,
            "status": self.status,
            "outcome": self.answer.outcome,
            "advice": f"{self.answer.problem}; {advice}" if self.answer.problem else advice,
            "seconds": round(self.answer.seconds, 6) if self.is_forwarded else None,
        }

    def for_page(self) -> dict[str, Any]:
        """Return everything, for the page."""
        event = self.found.event if isinstance(self.found, Compared) else None
        typed = event.model_dump(mode="json") if event else None
        return {
            **self.as_json(),
            "explanation": str(self.explanation),
            "path": self.path,
            "headers": self.headers,
            "body": self.body.decode("utf-8", "backslashreplace"),
            "typed": json.dumps(typed, indent=2, ensure_ascii=False) if typed else "",
            "answer": describe_body(self.answer.headers, self.answer.body),
        }
