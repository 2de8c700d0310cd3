"""The errors: one tree, stable codes, pickling, and the two that handlers raise."""

import copy
import inspect
import math
import pickle
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from dubhooks import errors
from dubhooks.errors import (
    ConfigurationError,
    DubhooksError,
    EventTooOld,
    InvalidEvent,
    PayloadError,
    Problem,
    Reject,
    RetryLater,
    VerificationError,
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


def _pickled(error: DubhooksError) -> Any:
    return pickle.loads(pickle.dumps(error))


def test_codes_are_stable() -> None:
    """Every error has the code that replies and users rely on; none is added unseen."""
    assert {name: cls.code for name, cls in _classes().items()} == CODES
    assert sorted([*CODES, "Problem"]) == sorted(errors.__all__)


def test_tree() -> None:
    """Every error can be caught as ours, and by what kind of fault it is."""
    kinds = {name: cls.__mro__[1].__name__ for name, cls in _classes().items()}
    assert {name for name, kind in kinds.items() if kind == "VerificationError"} == {
        "SignatureMissing",
        "SignatureMalformed",
        "SignatureMismatch",
    }
    assert {name for name, kind in kinds.items() if kind == "DubhooksError"} == {
        "ConfigurationError",
        "VerificationError",
        "PayloadError",
        "GivenUp",
        "RetryLater",
        "Reject",
    }
    assert not issubclass(VerificationError, PayloadError)
    assert all(cls.__doc__ for cls in _classes().values())


def test_pickle_of_plain_errors() -> None:
    """An error crosses a process boundary, as in a task queue."""
    for name in sorted(set(CODES) - {"InvalidEvent", "RetryLater", "Reject"}):
        error = _classes()[name]("what to do next")
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.args, again.code) == (type(error), error.args, error.code)


def test_pickle_of_errors_with_details() -> None:
    """Their details cross it too."""
    invalid = InvalidEvent("sale.created", "evt_1", (Problem("data.sale", "missing"),), True)
    makers: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy, _pickled]
    for make in makers:
        again = make(invalid)
        assert (again.event_name, again.event_id) == ("sale.created", "evt_1")
        assert (again.problems, again.payout_like) == (invalid.problems, True)
        assert str(again) == str(invalid)
        for asked in (RetryLater(after=5, reason="why"), RetryLater(), Reject("why"), Reject()):
            again = make(asked)
            assert (vars(again), str(again)) == (vars(asked), str(asked))
        old = make(EventTooOld("x", "sale.created", "evt_1"))
        assert (old.event_name, old.event_id, str(old)) == ("sale.created", "evt_1", "x")


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
