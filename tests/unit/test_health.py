"""Watching an endpoint as Dub watches it."""

import logging
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dubhooks import ConfigurationError, DeliveryRecord, Webhooks
from dubhooks.health import FailureWatch
from tests.support.receiving import SECRET, sale, signed

Log = pytest.LogCaptureFixture

FAILED = DeliveryRecord(
    outcome="failed",
    status=500,
    family="webhook",
    namespace="shop",
    event_name="sale.created",
    event_id="evt_1",
    handler="record_sale",
    attempt=1,
    seconds=0.1,
    age=2.0,
    error_code=None,
)
HANDLED = replace(FAILED, outcome="handled", status=200)


def levels(log: Log) -> list[tuple[str, int]]:
    """Return level and first number of what was logged."""
    return [(it.levelname, int(it.getMessage().split()[0])) for it in log.records]


def test_the_counts_that_dub_acts_on(caplog: Log) -> None:
    """It warns where Dub mails, and from where Dub disables the endpoint it logs errors."""
    watch = FailureWatch()
    for _ in range(45):
        watch(FAILED)
    assert levels(caplog) == [
        ("WARNING", 5),
        ("WARNING", 10),
        ("WARNING", 15),
        ("ERROR", 20),
        ("ERROR", 40),
    ]
    assert "the last one failed (500)" in caplog.messages[0]
    assert "disabled" in caplog.messages[3]
    assert watch.failures == 45
    for record in caplog.records:
        assert (vars(record)["family"], vars(record)["namespace"]) == ("webhook", "shop")


@pytest.mark.parametrize(
    ("status", "failures"), [(200, 0), (202, 0), (399, 0), (400, 2), (409, 2), (489, 2), (503, 2)]
)
def test_what_counts(status: int, failures: int) -> None:
    """Every answer from 400 on counts, asking for a retry included; any other starts anew."""
    watch = FailureWatch()
    watch(FAILED)
    watch(replace(FAILED, status=status))
    assert watch.failures == failures
    # Dub only sends POST: another method was a monitor or a curious person.
    watch(replace(FAILED, outcome="wrong_method", status=405))
    assert watch.failures == failures


def test_slow_answers(caplog: Log) -> None:
    """An answer slower than the limit is logged, whatever it was."""
    watch = FailureWatch(slow=2.0)
    watch(replace(HANDLED, seconds=2.0))
    assert not caplog.records
    watch(replace(HANDLED, seconds=2.1))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "took 2.1 s" in caplog.messages[0]
    FailureWatch(slow=timedelta(minutes=1))(replace(HANDLED, seconds=59.0))
    FailureWatch()(replace(HANDLED, seconds=29.0))
    assert len(caplog.records) == 1
    FailureWatch()(replace(HANDLED, seconds=31.0))
    assert len(caplog.records) == 2


@pytest.mark.parametrize("slow", [0, -1, True, "30", None, float("nan"), timedelta(0)])
def test_what_is_slow_is_a_duration(slow: Any) -> None:
    """Seconds or a timedelta above zero; anything else is refused when the watch is made."""
    with pytest.raises(ConfigurationError, match=re.escape("FailureWatch(slow=...) takes seconds")):
        FailureWatch(slow=slow)


def test_as_an_observer(caplog: Log) -> None:
    """It watches a receiver when it is one of its observers."""
    watch = FailureWatch()
    hooks = Webhooks(SECRET, observers=[watch])
    for _ in range(5):
        hooks.handle(b"{}", {})
    assert watch.failures == 5
    assert "5 failed deliveries in a row, the last one unauthorized (401)" in caplog.text
    hooks.handle(*signed(sale()))
    assert watch.failures == 0
