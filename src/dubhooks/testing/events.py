"""``make_event``: a realistic webhook event for every name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from .. import webhooks
from .._samples._sample import Sample
from .._samples._webhooks import WEBHOOKS
from ._making import Changes, check_name, made

if TYPE_CHECKING:
    from ..webhooks import (
        BountyCreated,
        BountyUpdated,
        CommissionCreated,
        DiscountCodeCreated,
        DiscountCodeDeleted,
        KnownWebhookEvent,
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
    from ._making import Paths, Seed

__all__ = ["make_event"]


@overload
def make_event(
    name: Literal["link.created"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> LinkCreated: ...


@overload
def make_event(
    name: Literal["link.updated"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> LinkUpdated: ...


@overload
def make_event(
    name: Literal["link.deleted"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> LinkDeleted: ...


@overload
def make_event(
    name: Literal["link.clicked"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> LinkClicked: ...


@overload
def make_event(
    name: Literal["lead.created"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> LeadCreated: ...


@overload
def make_event(
    name: Literal["sale.created"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> SaleCreated: ...


@overload
def make_event(
    name: Literal["commission.created"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> CommissionCreated: ...


@overload
def make_event(
    name: Literal["partner.enrolled"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> PartnerEnrolled: ...


@overload
def make_event(
    name: Literal["partner.application_submitted"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> PartnerApplicationSubmitted: ...


@overload
def make_event(
    name: Literal["program_application.created"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> ProgramApplicationCreated: ...


@overload
def make_event(
    name: Literal["partner.merged"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> PartnerMerged: ...


@overload
def make_event(
    name: Literal["bounty.created"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> BountyCreated: ...


@overload
def make_event(
    name: Literal["bounty.updated"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> BountyUpdated: ...


@overload
def make_event(
    name: Literal["payout.confirmed", "external_payout.confirmed"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> PayoutConfirmed: ...


@overload
def make_event(
    name: Literal["discount_code.created"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> DiscountCodeCreated: ...


@overload
def make_event(
    name: Literal["discount_code.deleted"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> DiscountCodeDeleted: ...


@overload
def make_event(
    name: Literal["message.received"],
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> MessageReceived: ...


@overload
def make_event(
    name: webhooks.EventName,
    paths: Paths = ...,
    /,
    *,
    add: Paths = ...,
    seed: Seed = ...,
    **overrides: object,
) -> KnownWebhookEvent: ...
def make_event(
    name: str,
    paths: Paths = None,
    /,
    *,
    add: Paths = None,
    seed: Seed = None,
    **overrides: object,
) -> WebhookEvent:
    """Return a webhook event as Dub would send it, every key of production in place.

    ``event.to_json()`` is the body to send.  Events that this version does not
    know come from :func:`make_unknown_event`.

    Without ``seed`` the ids are random and the times are now, so that a
    receiver takes it for a new event.  With one, the same name and seed give
    the same id and the same ``data`` for ever, with times of early 2026 in
    ``data``; only ``created_at`` is now, and the same in all of a process, so
    that no receiver refuses the event as too old.  Give it as well for the
    same bytes for ever.

    Overrides change the sample, the more specific after the more general:

    * ``id=...``, ``created_at=...``, ``data={"sale": {"amount": 1900}}``: an
      envelope field.  Objects are merged; ``None`` for the first two means the default.
    * ``{"data.sale.amount": 1900, "data.links.0.key": "ada"}`` as the second
      argument: any path.  The value there is replaced as a whole.
    * ``data__sale__amount=1900``: the same as a keyword.
    * ``add={"data.newKey": 1}``: any path, and the only way to keys that the
      models do not know; elsewhere such a key is taken for a misspelt one.

    Names are those of the wire or of the attributes (``shortLink``,
    ``short_link``).  ``ABSENT`` removes a key that the sample has, and an
    aware ``datetime`` is written as Dub does.

    Raises:
        ConfigurationError: there is no such event, or an override cannot be applied.
        InvalidEvent, InvalidEnvelope: the changed event does not parse.  To
            send such a body give raw bytes to :func:`signed_request`.
    """
    check_name(name, webhooks.family)
    sample = Sample(f"webhook:{name}", seed)
    changes = Changes(paths, overrides, add)
    return made(webhooks.family, name, sample, WEBHOOKS[name], changes)
