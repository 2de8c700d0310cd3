"""Fixtures for tests of receivers."""

import logging
from collections.abc import Iterator

import pytest

from tests.support.receiving import MARKERS, WORLDS, World


@pytest.fixture(params=WORLDS.values(), ids=WORLDS.keys())
def any_world(request: pytest.FixtureRequest) -> World:
    """Return every way to deliver, in turn."""
    return World(*request.param)


@pytest.fixture(
    params=[world for world in WORLDS.values() if world[2]],
    ids=[name for name, world in WORLDS.items() if world[2]],
)
def world(request: pytest.FixtureRequest) -> World:
    """Return every way to deliver to a receiver with a store, in turn."""
    return World(*request.param)


@pytest.fixture
def discreet(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Return the log, and fail the test when a record of ours holds a secret or a person."""
    caplog.set_level(logging.DEBUG, "dubhooks")
    yield caplog
    for record in caplog.records:
        if record.name == "dubhooks":
            shown = f"{record.getMessage()} {record.args!r} {record.exc_info!r}"
            assert not [marker for marker in MARKERS if marker in shown], shown
