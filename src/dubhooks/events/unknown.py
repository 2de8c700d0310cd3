"""An event that this version of the library has no model for."""

from pydantic import Field

from ._base import JSON, Event

__all__ = ["UnknownEvent"]


class UnknownEvent(Event, frozen=True):
    """An event whose name this version has no model for; ``data`` is plain JSON."""

    event: str = Field(min_length=1)
    data: JSON
