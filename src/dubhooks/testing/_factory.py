"""``make_event`` and ``make_postback``: a realistic event for every name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar, overload

from .. import postbacks, webhooks
from ..events.unknown import UnknownEvent
from ._overrides import apply_overrides
from ._postbacks import POSTBACKS
from ._sample import Sample
from ._stringify import stringify
from ._webhooks import WEBHOOKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    from ..events._base import Event
    from ..events._family import Family
    from ..postbacks import PostbackEvent
    from ..webhooks import (
        BountyCreated,
        BountyUpdated,
        CommissionCreated,
        DiscountCodeCreated,
        DiscountCodeDeleted,
        LeadCreated,
        LinkClicked,
        LinkCreated,
        LinkDeleted,
        LinkUpdated,
        MessageReceived,
        PartnerApplicationSubmitted,
        PartnerEnrolled,
        PartnerMerged,
        PayoutConfirmed,
        ProgramApplicationCreated,
        SaleCreated,
        WebhookEvent,
    )

    Paths: TypeAlias = Mapping[str, object] | None
    Seed: TypeAlias = int | None

__all__ = ["make_event", "make_postback"]

EventT = TypeVar("EventT", bound="Event")


@overload
def make_event(
    name: Literal["link.created"], paths: Paths = ..., /, *, seed: Seed = ..., **overrides: object
) -> LinkCreated: ...


@overload
def make_event(
    name: Literal["link.updated"], paths: Paths = ..., /, *, seed: Seed = ..., **overrides: object
) -> LinkUpdated: ...


@overload
def make_event(
    name: Literal["link.deleted"], paths: Paths = ..., /, *, seed: Seed = ..., **overrides: object
) -> LinkDeleted: ...


@overload
def make_event(
    name: Literal["link.clicked"], paths: Paths = ..., /, *, seed: Seed = ..., **overrides: object
) -> LinkClicked: ...


@overload
def make_event(
    name: Literal["lead.created"], paths: Paths = ..., /, *, seed: Seed = ..., **overrides: object
) -> LeadCreated: ...


@overload
def make_event(
    name: Literal["sale.created"], paths: Paths = ..., /, *, seed: Seed = ..., **overrides: object
) -> SaleCreated: ...


@overload
def make_event(
    name: Literal["commission.created"],
    paths: Paths = ...,
    /,
    *,
    seed: Seed = ...,
    **overrides: object,
) -> CommissionCreated: ...


@overload
def make_event(
    name: Literal["partner.enrolled"],
    paths: Paths = ...,
    /,
    *,
    seed: Seed = ...,
    **overrides: object,
) -> PartnerEnrolled: ...


@overload
def make_event(
    name: Literal["partner.application_submitted"],
    paths: Paths = ...,
    /,
    *,
    seed: Seed = ...,
    **overrides: object,
) -> PartnerApplicationSubmitted: ...


@overload
def make_event(
    name: Literal["program_application.created"],
    paths: Paths = ...,
    /,
    *,
    seed: Seed = ...,
    **overrides: object,
) -> ProgramApplicationCreated: ...


@overload
def make_event(
    name: Literal["partner.merged"], paths: Paths = ..., /, *, seed: Seed = ..., **overrides: object
) -> PartnerMerged: ...


@overload
def make_event(
    name: Literal["bounty.created"], paths: Paths = ..., /, *, seed: Seed = ..., **overrides: object
) -> BountyCreated: ...


@overload
def make_event(
    name: Literal["bounty.updated"], paths: Paths = ..., /, *, seed: Seed = ..., **overrides: object
) -> BountyUpdated: ...


@overload
def make_event(
    name: Literal["payout.confirmed", "external_payout.confirmed"],
    paths: Paths = ...,
    /,
    *,
    seed: Seed = ...,
    **overrides: object,
) -> PayoutConfirmed: ...


@overload
def make_event(
    name: Literal["discount_code.created"],
    paths: Paths = ...,
    /,
    *,
    seed: Seed = ...,
    **overrides: object,
) -> DiscountCodeCreated: ...


@overload
def make_event(
    name: Literal["discount_code.deleted"],
    paths: Paths = ...,
    /,
    *,
    seed: Seed = ...,
    **overrides: object,
) -> DiscountCodeDeleted: ...


@overload
def make_event(
    name: Literal["message.received"],
    paths: Paths = ...,
    /,
    *,
    seed: Seed = ...,
    **overrides: object,
) -> MessageReceived: ...


@overload
def make_event(
    name: str, paths: Paths = ..., /, *, seed: Seed = ..., **overrides: object
) -> WebhookEvent: ...
def make_event(
    name: str, paths: Paths = None, /, *, seed: Seed = None, **overrides: object
) -> WebhookEvent:
    """Return a webhook event as Dub would send it, every key of production in place.

    ``event.to_json()`` is the body to send.  An unknown name gives an
    ``UnknownEvent`` with empty ``data``.

    Without ``seed`` the ids are random and the times are now, so that a
    receiver takes it for a new event.  With one, the same name and seed give
    the same bytes for ever; ``created_at`` then lies in early 2026, which a
    receiver with ``max_age`` (with a store, 30 days) refuses as too old, so
    give ``created_at`` as well for it.

    Overrides change the sample, the more specific after the more general:

    * ``id=...``, ``created_at=...``, ``data={"sale": {"amount": 1900}}``: an
      envelope field.  Objects are merged; ``None`` for the first two means the default.
    * ``{"data.sale.amount": 1900, "data.links.0.key": "ada"}`` as the second
      argument: any path.  The value there is replaced as a whole.
    * ``data__sale__amount=1900``: the same as a keyword.

    Names are those of the wire or of the attributes (``shortLink``,
    ``short_link``).  Keys that the sample does not have are added, ``ABSENT``
    removes one that it has, and an aware ``datetime`` is written as Dub does.

    Raises:
        ConfigurationError: an override cannot be applied.
        InvalidEvent, InvalidEnvelope: the changed event does not parse.  To
            send such a body give raw bytes to :func:`signed_request`.
    """
    return _make(webhooks.family, WEBHOOKS, name, paths, seed, overrides)


@overload
def make_postback(
    name: Literal["lead.created"], paths: Paths = ..., /, *, seed: Seed = ..., **overrides: object
) -> postbacks.LeadCreated: ...


@overload
def make_postback(
    name: Literal["sale.created"], paths: Paths = ..., /, *, seed: Seed = ..., **overrides: object
) -> postbacks.SaleCreated: ...


@overload
def make_postback(
    name: Literal["commission.created"],
    paths: Paths = ...,
    /,
    *,
    seed: Seed = ...,
    **overrides: object,
) -> postbacks.CommissionCreated: ...


@overload
def make_postback(
    name: str, paths: Paths = ..., /, *, seed: Seed = ..., **overrides: object
) -> PostbackEvent: ...
def make_postback(
    name: str, paths: Paths = None, /, *, seed: Seed = None, **overrides: object
) -> PostbackEvent:
    """Return a postback event as Dub would send it to a partner.

    Everything else is as with :func:`make_event`.
    """
    return _make(postbacks.family, POSTBACKS, name, paths, seed, overrides)


def _make(
    family: Family[EventT],
    builders: Mapping[str, Callable[[Sample], dict[str, Any]]],
    name: str,
    paths: Paths,
    seed: Seed,
    overrides: Mapping[str, object],
) -> EventT:
    sample = Sample(f"{family.name}:{name}", seed)
    build = builders.get(name)
    document: dict[str | int, object] = {
        "id": sample.event_id(),
        "event": name,
        "createdAt": sample.now,
        "data": build(sample) if build else {},
    }
    apply_overrides(document, family.classes.get(name, UnknownEvent), paths, overrides)
    return family.parse(stringify(document))
