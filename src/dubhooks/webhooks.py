"""The webhook events that Dub sends to a workspace: models, union and parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .events._family import Family
from .events.application import (
    Application,
    ApplicationPartner,
    FormAnswer,
    PartnerApplicationSubmitted,
    Platform,
    ProgramApplication,
    ProgramApplicationCreated,
    ProgramApplicationPartner,
)
from .events.bounty import (
    Bounty,
    BountyCreated,
    BountyUpdated,
    ImageRequirement,
    IncrementalBonus,
    ObjectRef,
    PerformanceCondition,
    SocialMetrics,
    SubmissionRequirements,
    UrlRequirement,
)
from .events.click import Click
from .events.commission import Commission, CommissionCreated, CommissionStatus, CommissionType
from .events.conversion import LeadCreated, LeadData, Sale, SaleCreated, SaleData
from .events.customer import CommissionCustomer, ConversionCustomer
from .events.discount_code import Discount, DiscountCode, DiscountCodeCreated, DiscountCodeDeleted
from .events.enrollment import (
    BannedReason,
    EnrolledPartner,
    EnrollmentStatus,
    NetworkStatus,
    PartnerEnrolled,
    PartnerLink,
    PayoutMethod,
)
from .events.link import (
    Link,
    LinkClicked,
    LinkClickedData,
    LinkCreated,
    LinkDeleted,
    LinkRef,
    LinkTag,
    LinkUpdated,
    LinkVariant,
)
from .events.message import Message, MessageAttachment, MessagePartner, MessageReceived
from .events.partner import MergedPartner, PartnerMerged, PartnerMergedData, WebhookPartner
from .events.payout import Payout, PayoutConfirmed, PayoutPartner
from .events.unknown import UnknownEvent

if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = [
    "Application",
    "ApplicationPartner",
    "BannedReason",
    "Bounty",
    "BountyCreated",
    "BountyUpdated",
    "Click",
    "Commission",
    "CommissionCreated",
    "CommissionCustomer",
    "CommissionStatus",
    "CommissionType",
    "ConversionCustomer",
    "Discount",
    "DiscountCode",
    "DiscountCodeCreated",
    "DiscountCodeDeleted",
    "EnrolledPartner",
    "EnrollmentStatus",
    "FormAnswer",
    "ImageRequirement",
    "IncrementalBonus",
    "KnownWebhookEvent",
    "LeadCreated",
    "LeadData",
    "Link",
    "LinkClicked",
    "LinkClickedData",
    "LinkCreated",
    "LinkDeleted",
    "LinkRef",
    "LinkTag",
    "LinkUpdated",
    "LinkVariant",
    "MergedPartner",
    "Message",
    "MessageAttachment",
    "MessagePartner",
    "MessageReceived",
    "NetworkStatus",
    "ObjectRef",
    "PartnerApplicationSubmitted",
    "PartnerEnrolled",
    "PartnerLink",
    "PartnerMerged",
    "PartnerMergedData",
    "Payout",
    "PayoutConfirmed",
    "PayoutMethod",
    "PayoutPartner",
    "PerformanceCondition",
    "Platform",
    "ProgramApplication",
    "ProgramApplicationCreated",
    "ProgramApplicationPartner",
    "Sale",
    "SaleCreated",
    "SaleData",
    "SocialMetrics",
    "SubmissionRequirements",
    "UnknownEvent",
    "UrlRequirement",
    "WebhookEvent",
    "WebhookPartner",
    "parse",
]

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
