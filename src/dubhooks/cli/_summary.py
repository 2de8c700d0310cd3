"""What came of deliveries, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from statistics import median

from ._answers import describe_body
from ._sending import Answer

_SHOWN = 300


class Summary:
    """Counts answers and their times."""

    def __init__(self) -> None:
        self.sent = 0
        self.accepted = 0
        self.outcomes: Counter[str] = Counter()
        """How often each outcome; an answer may have none."""
        self.answers: Counter[str] = Counter()
        """How often each status, or each reason for none."""
        self.advice: dict[str, str] = {}
        """What to do about each status (or reason) and outcome that is no success."""
        self.seconds: list[float] = []

    def add(self, answer: Answer, advice: str | None) -> None:
        """Count one answer; ``advice``: what to do about it."""
        told = str(answer.status or printable(answer.problem))
        self.sent += 1
        self.accepted += answer.accepted
        self.answers[told] += 1
        self.seconds.append(answer.seconds)
        if answer.outcome:
            self.outcomes[answer.outcome] += 1
        if advice:
            self.advice[f"{told} {answer.outcome or ''}".rstrip()] = advice

    def as_json(self) -> dict[str, object]:
        """Return the summary for machines."""
        return {
            "sent": self.sent,
            "accepted": self.accepted,
            "outcomes": dict(self.outcomes),
            "answers": dict(self.answers),
            "advice": self.advice,
            "seconds": {
                "median": round(median(self.seconds), 6),
                "slowest": round(max(self.seconds), 6),
            },
        }

    def lines(self) -> Iterator[str]:
        """Yield the summary for people: one line, and one for each advice."""
        outcomes = ", ".join(f"{count} {told}" for told, count in self.outcomes.most_common())
        answers = ", ".join(f"{count} x {told}" for told, count in self.answers.most_common())
        yield (
            f"{self.sent} sent{f': {outcomes}' if outcomes else ''} ({answers}); "
            f"median {_milliseconds(median(self.seconds))}, "
            f"slowest {_milliseconds(max(self.seconds))}"
        )
        for told, advice in self.advice.items():
            yield f"{told}: {advice}"


def describe(answer: Answer) -> str:
    """Return an answer on one line: its outcome, else its text."""
    if answer.status is None:
        return f"no answer after {_milliseconds(answer.seconds)}: {printable(answer.problem)}"
    took = _milliseconds(answer.seconds)
    if answer.outcome:
        return f"{answer.status} {answer.outcome} in {took}"
    text = printable(describe_body(answer.headers, answer.body))
    return f"{answer.status} in {took}: {text or '(no body)'}"


def describe_as_json(answer: Answer) -> dict[str, object]:
    """Return an answer for machines."""
    return {
        "status": answer.status,
        "outcome": answer.outcome,
        "advice": answer.advice,
        "seconds": round(answer.seconds, 6),
        "answer": describe_body(answer.headers, answer.body),
        "problem": answer.problem or None,
    }


def printable(text: str) -> str:
    """Return ``text`` on one line, shortened, without what a terminal would obey."""
    shown = "".join(char if char.isprintable() else " " for char in text[:_SHOWN])
    shown = " ".join(shown.split())
    return shown + "..." if len(text) > _SHOWN else shown


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 10 else f"{seconds:.1f} s"
