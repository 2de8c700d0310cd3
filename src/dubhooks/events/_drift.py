"""Values that no longer have the type that this version knows: noted, never refused."""

from __future__ import annotations

import logging

logger = logging.getLogger("dubhooks")


class Drift:
    """Logs each field of a family once."""

    def __init__(self, family: str) -> None:
        self._family = family
        self._noted: set[str] = set()

    def note(self, field: str) -> None:
        """Log that a value of ``field`` was left out, unless that was logged before."""
        if field in self._noted:
            return
        self._noted.add(field)
        logger.warning(
            "drift: %s of a %s event has a value of another type than this version knows, and is "
            "left empty; the event is handled: run dubhooks diff on a body, and report it",
            field,
            self._family,
            extra={"family": self._family},
        )
