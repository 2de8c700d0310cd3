"""Fixtures for tests of receivers."""

import logging
from collections.abc import Iterator

import pytest

from tests.support.receiving import MARKERS


@pytest.fixture
def discreet(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Return the log; fail when a line holds a secret or a person, or names no receiver."""
    caplog.set_level(logging.DEBUG, "dubhooks")
    yield caplog
    for record in caplog.records:
        if record.name == "dubhooks":
            shown = f"{record.getMessage()} {record.args!r} {record.exc_info!r}"
            assert not [marker for marker in MARKERS if marker in shown], shown
            assert {"family", "namespace"} <= vars(record).keys(), shown
