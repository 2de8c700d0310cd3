"""The postback events that Dub sends to partners: models, union and parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .events._family import Family
from .events.click import Click
from .events.commission import CommissionStatus, CommissionType
from .events.customer import PostbackCustomer
from .events.link import LinkRef
from .events.postback import (
    CommissionCreated,
    LeadCreated,
    PostbackCommission,
    PostbackLeadData,
    PostbackSale,
    PostbackSaleData,
    SaleCreated,
)
from .events.unknown import UnknownEvent

if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = [
    "Click",
    "CommissionCreated",
    "CommissionStatus",
    "CommissionType",
    "KnownPostbackEvent",
    "LeadCreated",
    "LinkRef",
    "PostbackCommission",
    "PostbackCustomer",
    "PostbackEvent",
    "PostbackLeadData",
    "PostbackSale",
    "PostbackSaleData",
    "SaleCreated",
    "UnknownEvent",
    "parse",
]

KnownPostbackEvent: TypeAlias = LeadCreated | SaleCreated | CommissionCreated
"""An event that this version has a model for."""

PostbackEvent: TypeAlias = KnownPostbackEvent | UnknownEvent
"""Any event of this family, told apart by ``match`` or ``isinstance``."""

family: Family[PostbackEvent] = Family("postback", KnownPostbackEvent)

# The family's own method, because a function around it would cost a call per event.
parse = family.parse
