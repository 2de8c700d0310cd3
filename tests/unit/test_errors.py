"""The errors: one tree, stable codes, pickling, and the two that handlers raise."""

import copy
import inspect
import math
import pickle
from datetime import timedelta
from typing import Any

import pytest

from dubhooks import errors
from dubhooks.errors import (
    ConfigurationError,
    DubhooksError,
    EventTooOld,
    InvalidEvent,
    Problem,
    Reject,
    RetryLater,
    to_seconds,
)

CODES = {
    "BodyCompressed": "body_compressed",
    "BodyEmpty": "body_empty",
    "BodyIncomplete": "body_incomplete",
    "BodyTooLarge": "body_too_large",
    "BodyTooSlow": "body_too_slow",
    "ConfigurationError": "configuration",
    "DubhooksError": "dubhooks_error",
    "EventFromFuture": "event_from_future",
    "EventTooOld": "event_too_old",
    "GivenUp": "given_up",
    "InvalidEnvelope": "invalid_envelope",
    "InvalidEvent": "invalid_event",
    "InvalidJSON": "invalid_json",
    "MethodNotAllowed": "method_not_allowed",
    "PayloadError": "payload",
    "Reject": "rejected",
    "RetryLater": "retry_later",
    "SignatureMalformed": "signature_malformed",
    "SignatureMismatch": "signature_mismatch",
    "SignatureMissing": "signature_missing",
    "VerificationError": "unauthorized",
}


def _classes() -> dict[str, type[DubhooksError]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, DubhooksError)
    }


def test_codes_are_stable() -> None:
    """Every error has the code that replies and users rely on; none is added unseen."""
    assert {name: cls.code for name, cls in _classes().items()} == CODES
    assert sorted([*CODES, "Problem"]) == sorted(errors.__all__)


def test_tree() -> None:
    """Every error can be caught as ours, and by what kind of fault it is."""
    kinds: dict[str, list[str]] = {}
    for name, cls in sorted(_classes().items()):
        kinds.setdefault(cls.__mro__[1].__name__, []).append(name)
        assert cls.__doc__
    signatures = ["SignatureMalformed", "SignatureMismatch", "SignatureMissing"]
    assert kinds["VerificationError"] == signatures
    kinds_of_faults = ["ConfigurationError", "GivenUp", "PayloadError", "Reject", "RetryLater"]
    assert kinds["DubhooksError"] == [*kinds_of_faults, "VerificationError"]


def test_pickle() -> None:
    """An error crosses a process boundary, as in a task queue, with all that it tells."""
    problems = (Problem("data.sale", "missing"),)
    plain = sorted(set(CODES) - {"InvalidEvent", "RetryLater", "Reject"})
    for error in (
        *(_classes()[name]("what to do next") for name in plain),
        InvalidEvent("sale.created", "evt_1", problems, True),
        EventTooOld("x", "sale.created", "evt_1"),
        *(RetryLater(after=5, reason="why"), RetryLater(), Reject("why"), Reject()),
    ):
        for again in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
            assert (type(again), str(again), again.code) == (type(error), str(error), error.code)
            assert vars(again) == vars(error)


def test_invalid_event_lists_its_problems() -> None:
    """The message names every field and what is wrong with it, and not the event's id."""
    problems = (Problem("data.id", "missing"), Problem("data.sale.amount", "int_type"))
    error = InvalidEvent("sale.created", "evt_1", problems)
    assert str(error) == (
        "a sale.created event does not fit its model (data.id: missing; data.sale.amount: int_type)"
    )
    assert error.payout_like is False


def test_invalid_event_with_many_problems() -> None:
    """The message stays short; the attribute has all of them."""
    problems = tuple(Problem(f"data.links.{number}.id", "missing") for number in range(1000))
    error = InvalidEvent("partner.enrolled", "evt_1", problems)
    assert len(str(error)) < 1000
    assert "data.links.19.id: missing; and 980 more" in str(error)
    assert error.problems == problems


@pytest.mark.parametrize(
    ("after", "seconds"),
    [(None, None), (0, 0.0), (0.5, 0.5), (300, 300.0), (timedelta(days=1), 86_400.0)],
)
def test_retry_later(after: Any, seconds: float | None) -> None:
    """The time to wait is kept in seconds, however it was given."""
    assert RetryLater(after=after).after == seconds
    assert RetryLater(after).after == seconds
    assert RetryLater(after).reason is None


@pytest.mark.parametrize(
    "after", [-1, -0.001, math.inf, -math.inf, math.nan, "5", True, timedelta(-1), timedelta.max]
)
def test_retry_later_refuses_what_is_no_delay(after: Any) -> None:
    """A delay that no header can carry is found where it is written."""
    message = r"RetryLater\(after=\.\.\.\) takes seconds or a timedelta, 0 or more"
    with pytest.raises(ConfigurationError, match=message):
        RetryLater(after=after)


@pytest.mark.parametrize("given", [0, -1, 10**10, 10**400, math.nan, True, None, "1", timedelta(0)])
def test_what_is_no_duration(given: Any) -> None:
    """It is refused with an example, and the setting is named."""
    with pytest.raises(ConfigurationError) as raised:
        to_seconds("lease", given)
    assert str(raised.value) == (
        "lease takes seconds or a timedelta, more than 0: for example 60 or timedelta(days=30)"
    )
