"""``make_postback``: a realistic postback event for every name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from .. import postbacks
from .._samples._postbacks import POSTBACKS
from .._samples._sample import Sample
from ._making import Changes, check_name, made

if TYPE_CHECKING:
    from ..postbacks import KnownPostbackEvent, PostbackEvent
    from ._making import Paths, Seed

__all__ = ["make_postback"]


@overload
def make_postback(
    name: Literal["lead.created"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> postbacks.LeadCreated: ...


@overload
def make_postback(
    name: Literal["sale.created"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> postbacks.SaleCreated: ...


@overload
def make_postback(
    name: Literal["commission.created"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> postbacks.CommissionCreated: ...


@overload
def make_postback(
    name: postbacks.EventName,
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> KnownPostbackEvent: ...
def make_postback(
    name: str,
    paths: Paths = None,
    /,
    *,
    add: Paths = None,
    seed: Seed = None,
    **overrides: object,
) -> PostbackEvent:
    """Return a postback event as Dub would send it to a partner.

    Everything else is as with :func:`make_event`.
    """
    check_name(name, postbacks.family)
    sample = Sample(f"postback:{name}", seed)
    changes = Changes(paths, overrides, add)
    return made(postbacks.family, name, sample, POSTBACKS[name], changes)
