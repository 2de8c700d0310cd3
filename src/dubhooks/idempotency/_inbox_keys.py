"""The keys that inboxes note events under."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ._keys import event_key, natural_key

if TYPE_CHECKING:
    from ..events._base import Event
    from ._keys import Dedupe

__all__ = ["inbox_key"]


def inbox_key(namespace: str, event: Event, dedupe: Dedupe) -> str:
    """Return the one key of ``event``: its retries have its natural key as well.

    Raises:
        ConfigurationError: ``dedupe`` is misspelt.
    """
    if dedupe not in ("id", "natural"):
        raise ConfigurationError('dedupe must be "id" or "natural"')
    natural = event.natural_key if dedupe == "natural" else None
    if natural is None:
        return event_key(namespace, event.id)
    return natural_key(namespace, event.__family__, natural)
