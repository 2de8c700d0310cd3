"""What came of many deliveries, in memory that does not grow with their number."""

from __future__ import annotations

import threading
from collections import Counter
from math import exp, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._sending import Answer

__all__ = ["Summary", "in_words", "is_accepted", "printable"]

_PER_UNIT = 20
"""Classes of time per factor of e: percentiles are exact to some 3 %."""

_SHOWN = 300
_OTHERS = "other problems"


class Summary:
    """Counts answers and their times.  Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: Counter[int] = Counter()
        self.sent = 0
        self.accepted = 0
        self.answers: Counter[str] = Counter()
        """How often each status, or each reason for none."""
        self.slowest = 0.0
        """Seconds."""

    def add(self, answer: Answer) -> None:
        """Count one answer."""
        told = str(answer.status) if answer.status is not None else printable(answer.problem)
        with self._lock:
            self.sent += 1
            self.accepted += is_accepted(answer)
            # Reasons may differ without end, statuses cannot.
            self.answers[told if told in self.answers or len(self.answers) < 50 else _OTHERS] += 1
            self._times[round(_PER_UNIT * log(max(answer.seconds, 1e-6)))] += 1
            self.slowest = max(self.slowest, answer.seconds)

    def seconds_of(self, share: float) -> float:
        """Return the time within which this share of the answers came, in seconds."""
        left = share * self.sent
        for time, count in sorted(self._times.items()):
            left -= count
            if left <= 0:
                return min(exp(time / _PER_UNIT), self.slowest)
        return self.slowest

    def as_json(self) -> dict[str, object]:
        """Return the summary for machines."""
        return {
            "sent": self.sent,
            "accepted": self.accepted,
            "answers": dict(self.answers),
            "seconds": {
                "median": round(self.seconds_of(0.5), 6),
                "p95": round(self.seconds_of(0.95), 6),
                "slowest": round(self.slowest, 6),
            },
        }

    def __str__(self) -> str:
        answers = ", ".join(f"{count} x {told}" for told, count in self.answers.most_common())
        return (
            f"{self.sent} sent, {self.accepted} accepted ({answers}); "
            f"median {_milliseconds(self.seconds_of(0.5))}, "
            f"95 % within {_milliseconds(self.seconds_of(0.95))}, "
            f"slowest {_milliseconds(self.slowest)}"
        )


def is_accepted(answer: Answer) -> bool:
    """Tell whether Dub's queue takes the answer for success: 2xx, nothing else."""
    return answer.status is not None and 200 <= answer.status < 300


def in_words(answer: Answer) -> str:
    """Return an answer on one line."""
    if answer.status is None:
        return f"no answer after {_milliseconds(answer.seconds)}: {printable(answer.problem)}"
    text = printable(answer.body[: 4 * _SHOWN].decode("utf-8", "replace"))
    return f"{answer.status} in {_milliseconds(answer.seconds)}: {text or '(no body)'}"


def printable(text: str) -> str:
    """Return ``text`` on one line, shortened, without what a terminal would obey."""
    shown = "".join(char if char.isprintable() else " " for char in text[:_SHOWN])
    shown = " ".join(shown.split())
    return shown + "..." if len(text) > _SHOWN else shown


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 10 else f"{seconds:.1f} s"
