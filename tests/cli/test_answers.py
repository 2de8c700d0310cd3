"""What an answer means, for every command that sends."""

from typing import get_args

import pytest

from dubhooks import Outcome
from dubhooks.cli._answers import explain_answer
from dubhooks.errors import BodyIncomplete, SignatureMissing
from dubhooks.reply import build_refusal, build_reply

SUCCESSES = {"handled", "queued", "duplicate", "ignored"}


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_replies_of_dubhooks(outcome: Outcome) -> None:
    """Every reply gives its outcome, and advice unless it is a success."""
    reply = build_reply(outcome)
    meaning = explain_answer(reply.status, reply.body)
    assert meaning.outcome == outcome
    assert (meaning.advice is None) == (outcome in SUCCESSES)


def test_the_code_says_more_than_the_outcome() -> None:
    """A code of its own advice is preferred, and FastAPI's ``detail`` is read like a reply."""
    reply = build_refusal(SignatureMissing())
    assert "no signature arrived" in str(explain_answer(reply.status, reply.body).advice)
    meaning = explain_answer(400, b'{"detail":"%s"}' % BodyIncomplete.code.encode())
    assert meaning == ("malformed", "the body broke off before its end")


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (None, "whether it runs"),
        (302, "usually to a login"),
        (305, "takes it for success"),
        (308, "a slash too many or too few"),
        (401, "another secret"),
        (403, "CSRF"),
        (404, "nothing is mounted"),
        (418, "refused"),
        (500, "failed: see its log"),
        (501, "a payout needs a handler"),
        (503, "is down"),
    ],
)
def test_answers_of_others(status: int | None, told: str) -> None:
    """An answer that is not ours has no outcome, and advice by its status."""
    outcome, advice = explain_answer(status, b'{"outcome":"strange"}')
    assert outcome is None
    assert told in str(advice)


@pytest.mark.parametrize("body", [b"", b"ok", b'{"detail":1}', b"[" * 100_000])
def test_a_success_needs_no_advice(body: bytes) -> None:
    """Any body may come with a 2xx."""
    assert explain_answer(201, body) == (None, None)


@pytest.mark.parametrize("body", [b'{"outcome":"unauthorized"}', b'{"detail":"failed"}'])
@pytest.mark.parametrize("status", [200, 302])
def test_a_status_that_somebody_changed(status: int, body: bytes) -> None:
    """A refusal that arrives as a success is named: an exception handler changed its status."""
    assert "an exception handler of the application changed" in str(
        explain_answer(status, body).advice
    )
