"""The postback events that Dub sends to partners: models, union and parser."""

from typing import TYPE_CHECKING

from .events._family import Family as _Family
from .events._family import Parser as _Parser
from .events.click import Click as Click
from .events.commission import CommissionStatus as CommissionStatus
from .events.commission import CommissionType as CommissionType
from .events.customer import PostbackCustomer as PostbackCustomer
from .events.link import LinkRef as LinkRef
from .events.postback import CommissionCreated as CommissionCreated
from .events.postback import LeadCreated as LeadCreated
from .events.postback import PostbackCommission as PostbackCommission
from .events.postback import PostbackLeadData as PostbackLeadData
from .events.postback import PostbackSale as PostbackSale
from .events.postback import PostbackSaleData as PostbackSaleData
from .events.postback import SaleCreated as SaleCreated
from .events.unknown import UnknownEvent as UnknownEvent

KnownPostbackEvent = LeadCreated | SaleCreated | CommissionCreated
"""An event that this version has a model for."""

PostbackEvent = KnownPostbackEvent | UnknownEvent
"""Any event of this family, told apart by ``match`` or ``isinstance``."""

family: _Family[PostbackEvent] = _Family("postback", KnownPostbackEvent)

# The family's own method, because a function around it would cost a call per event.
parse: _Parser[PostbackEvent] = family.parse

if not TYPE_CHECKING:  # type checkers read the imports above
    __all__ = [it for it in dir() if it[0].isalpha() and it not in ("TYPE_CHECKING", "family")]
