"""Servers fork their workers, and two processes cannot share a connection."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["renew_after_fork"]

ThingT = TypeVar("ThingT")

# What a parent process opened: kept, or the garbage collector would close the parent's session.
_inherited: list[object] = []


def renew_after_fork(thing: ThingT, renew: Callable[[ThingT], object]) -> None:
    """Let every child process begin with connections of its own.

    Args:
        thing: what holds connections; it is not kept alive for this.
        renew: called with ``thing`` in the child, before anything else runs there.  It forgets
            the connections, without closing them, and returns what held them.
    """
    if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
        reference = weakref.ref(thing)
        os.register_at_fork(after_in_child=lambda: _renew(reference, renew))


def _renew(
    reference: weakref.ref[ThingT], renew: Callable[[ThingT], object]
) -> None:  # pragma: no cover - in a forked child
    thing = reference()
    if thing is not None:
        _inherited.append(renew(thing))
