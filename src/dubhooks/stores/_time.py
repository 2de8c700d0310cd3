"""Durations as servers want them."""

from __future__ import annotations

from math import ceil


def to_milliseconds(seconds: float) -> int:
    """Return whole milliseconds, and never 0: that would be no duration."""
    return max(1, ceil(seconds * 1000))
