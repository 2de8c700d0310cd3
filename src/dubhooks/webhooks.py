"""The webhook events that Dub sends to a workspace: models, union and parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .events import (
    application,
    bounty,
    click,
    commission,
    conversion,
    discount_code,
    enrollment,
    link,
    message,
    partner,
    payout,
    unknown,
)
from .events._family import Family
from .events.application import *
from .events.bounty import *
from .events.click import *
from .events.commission import *
from .events.conversion import *
from .events.customer import CommissionCustomer, ConversionCustomer
from .events.discount_code import *
from .events.enrollment import *
from .events.link import *
from .events.message import *
from .events.partner import *
from .events.payout import *
from .events.unknown import *

if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = ["CommissionCustomer", "ConversionCustomer", "KnownWebhookEvent", "WebhookEvent", "parse"]
__all__ += application.__all__
__all__ += bounty.__all__
__all__ += click.__all__
__all__ += commission.__all__
__all__ += conversion.__all__
__all__ += discount_code.__all__
__all__ += enrollment.__all__
__all__ += link.__all__
__all__ += message.__all__
__all__ += partner.__all__
__all__ += payout.__all__
__all__ += unknown.__all__

KnownWebhookEvent: TypeAlias = (
    LinkCreated
    | LinkUpdated
    | LinkDeleted
    | LinkClicked
    | LeadCreated
    | SaleCreated
    | CommissionCreated
    | PartnerEnrolled
    | PartnerApplicationSubmitted
    | ProgramApplicationCreated
    | PartnerMerged
    | BountyCreated
    | BountyUpdated
    | PayoutConfirmed
    | DiscountCodeCreated
    | DiscountCodeDeleted
    | MessageReceived
)
"""An event that this version has a model for."""

WebhookEvent: TypeAlias = KnownWebhookEvent | UnknownEvent
"""Any event of this family, told apart by ``match`` or ``isinstance``."""

family: Family[WebhookEvent] = Family("webhook", KnownWebhookEvent)

# The family's own method, because a function around it would cost a call per event.
parse = family.parse
