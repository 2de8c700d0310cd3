"""A name for each completion, by which a store knows one that is sent again."""

from __future__ import annotations

import os
import random

__all__ = ["completion_name"]

# No secret, so there is no need to ask the operating system each time: that lets go of Python's
# lock, and a thread among many waits long to get it back.  Not the random numbers that everybody
# uses, because somebody may seed those with the same number in every process.
_numbers = random.Random()

if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_numbers.seed)


def completion_name(bits: int) -> str:
    """Return a random number of that many bits in hex."""
    return f"{_numbers.getrandbits(bits):0{bits // 4}x}"
