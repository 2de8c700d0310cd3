"""An event that this version of the library has no model for."""

from typing import Any, cast

from pydantic import Field

from ._base import Event, key_of
from ._fields import JSON

__all__ = ["UnknownEvent"]


class UnknownEvent(Event, frozen=True):
    """An event whose name this version has no model for; ``data`` is plain JSON."""

    event: str = Field(min_length=1)
    data: JSON

    @property
    def natural_key(self) -> str | None:
        """``payout:<payout id>`` for what looks like a payout by its id, else ``None``."""
        data: object = self.data
        payout_id = cast("dict[str, Any]", data).get("id") if isinstance(data, dict) else None
        if isinstance(payout_id, str) and payout_id.startswith("po_"):
            return key_of("payout", payout_id)
        return None
