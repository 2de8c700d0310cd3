"""Handlers of the receivers that the settings describe."""

from __future__ import annotations

from dubhooks import postbacks
from dubhooks.django import hooks, postback_hooks
from dubhooks.webhooks import SaleCreated

SALES: list[str] = []
"""Ids of the events that were handled."""


@hooks.on(SaleCreated)
def record_sale(event: SaleCreated) -> None:
    """Note the event."""
    SALES.append(event.id)


@postback_hooks.on(postbacks.SaleCreated)
async def record_postback(event: postbacks.SaleCreated) -> None:
    """Note the event."""
    SALES.append(event.id)
