"""Replies: constant codes, and a status for every outcome that Dub's queue understands."""

import json
from typing import get_args

import pytest

from dubhooks import Outcome, errors
from dubhooks.reply import build_refusal, build_reply, find_outcome


def test_the_body_is_the_outcome() -> None:
    """A body is one short JSON object of constant codes."""
    for outcome in get_args(Outcome):
        reply = build_reply(outcome, "evt_1", code="some_code")
        assert json.loads(reply.body) == {"outcome": outcome, "code": "some_code"}
        assert json.loads(build_reply(outcome, "evt_1").body) == {"outcome": outcome}
        assert reply.headers["Content-Type"] == "application/json"
        assert reply.event_id == "evt_1"
        assert len(reply.body) < 100
    assert build_reply("queued").status == 202  # of the others, what comes of deliveries tells


@pytest.mark.parametrize(
    ("seconds", "header"), [(0, "0"), (0.001, "1"), (30, "30"), (45.2, "46"), (1e9, "1000000000")]
)
def test_retry_after(seconds: float, header: str) -> None:
    """Seconds are rounded up: the header knows no parts of them."""
    assert build_reply("busy", retry_after=seconds).headers["Retry-After"] == header


def test_headers_are_not_shared() -> None:
    """An adapter that adds a header to one reply does not add it to the next."""
    build_reply("rejected").headers["X-Added"] = "1"
    assert build_reply("rejected").headers == {
        "Content-Type": "application/json",
        "Upstash-NonRetryable-Error": "true",
    }


REFUSALS = [
    (errors.SignatureMissing("x"), 401, "signature_missing"),
    (errors.SignatureMalformed("x"), 401, "signature_malformed"),
    (errors.SignatureMismatch("x"), 401, "signature_mismatch"),
    (errors.VerificationError("x"), 401, "unauthorized"),
    (errors.PayloadError("x"), 400, "payload"),
    (errors.BodyEmpty("x"), 400, "body_empty"),
    (errors.BodyTooLarge("x"), 413, "body_too_large"),
    (errors.BodyTooSlow("x"), 408, "body_too_slow"),
    (errors.BodyIncomplete("x"), 400, "body_incomplete"),
    (errors.BodyCompressed("x"), 415, "body_compressed"),
    (errors.MethodNotAllowed("x"), 405, "method_not_allowed"),
    (errors.InvalidJSON("x"), 400, "invalid_json"),
    (errors.InvalidEnvelope("x"), 400, "invalid_envelope"),
    (errors.EventTooOld("x", "sale.created", "evt_1"), 400, "event_too_old"),
    (errors.EventFromFuture("x", "sale.created", "evt_1"), 400, "event_from_future"),
    (errors.InvalidEvent("sale.created", "evt_1", ()), 422, "invalid_event"),
]


@pytest.mark.parametrize(
    ("error", "status", "code"), REFUSALS, ids=lambda it: getattr(it, "code", "")
)
def test_refusals(error: errors.PayloadError, status: int, code: str) -> None:
    """Every error that refuses a delivery has its status, and its code in the body."""
    reply = build_refusal(error)
    assert reply.status == status
    assert json.loads(reply.body)["code"] == code
    assert reply.event_id == getattr(error, "event_id", None)


def test_every_error_of_a_delivery_is_listed() -> None:
    """The table above leaves no error out."""
    families = (errors.VerificationError, errors.PayloadError)
    public = {getattr(errors, name) for name in errors.__all__}
    refusing = {it for it in public if isinstance(it, type) and issubclass(it, families)}
    assert {type(error) for error, _, _ in REFUSALS} == refusing


def test_the_outcome_of_a_code() -> None:
    """Where a code is all that was answered, it says what became of the delivery."""
    for error, _, code in REFUSALS:
        assert find_outcome(code) == build_refusal(error).outcome  # type: ignore[arg-type]
    assert find_outcome("retry_later") == "retry"
    assert all(find_outcome(outcome) == outcome for outcome in get_args(Outcome))
    assert find_outcome("configuration") is None
    assert find_outcome("Not Found") is None
