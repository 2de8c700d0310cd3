"""Which lines a logger gets that nobody has configured: Python's default level is WARNING."""

import logging

import pytest

from dubhooks import Reject, Webhooks
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import SECRET, sale, signed


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
def test_a_rejection_is_a_warning(level: int, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever configures no logging sees that a handler rejected an event, and why."""
    hooks = Webhooks(SECRET)

    @hooks.on(SaleCreated)
    def refuse(event: SaleCreated) -> None:
        raise Reject(f"no partner for {event.event}")

    with caplog.at_level(level, "dubhooks"):
        assert hooks.handle(*signed(sale())).outcome == "rejected"
    [line] = caplog.records
    assert line.levelno == logging.WARNING
    assert line.getMessage().startswith("rejected 'sale.created' 'evt_")
    assert line.getMessage().endswith(" s: no partner for sale.created")
