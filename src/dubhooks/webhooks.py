"""The webhook events that Dub sends to a workspace: models, union and parser."""

from typing import TYPE_CHECKING

from .events._family import Family as _Family
from .events._family import Parser as _Parser
from .events.application import Application as Application
from .events.application import ApplicationPartner as ApplicationPartner
from .events.application import FormAnswer as FormAnswer
from .events.application import PartnerApplicationSubmitted as PartnerApplicationSubmitted
from .events.application import Platform as Platform
from .events.application import ProgramApplication as ProgramApplication
from .events.application import ProgramApplicationCreated as ProgramApplicationCreated
from .events.application import ProgramApplicationPartner as ProgramApplicationPartner
from .events.bounty import Bounty as Bounty
from .events.bounty import BountyCreated as BountyCreated
from .events.bounty import BountyUpdated as BountyUpdated
from .events.bounty import ImageRequirement as ImageRequirement
from .events.bounty import IncrementalBonus as IncrementalBonus
from .events.bounty import ObjectRef as ObjectRef
from .events.bounty import PerformanceCondition as PerformanceCondition
from .events.bounty import SocialMetrics as SocialMetrics
from .events.bounty import SubmissionRequirements as SubmissionRequirements
from .events.bounty import UrlRequirement as UrlRequirement
from .events.click import Click as Click
from .events.commission import Commission as Commission
from .events.commission import CommissionCreated as CommissionCreated
from .events.commission import CommissionStatus as CommissionStatus
from .events.commission import CommissionType as CommissionType
from .events.conversion import LeadCreated as LeadCreated
from .events.conversion import LeadData as LeadData
from .events.conversion import Sale as Sale
from .events.conversion import SaleCreated as SaleCreated
from .events.conversion import SaleData as SaleData
from .events.customer import CommissionCustomer as CommissionCustomer
from .events.customer import ConversionCustomer as ConversionCustomer
from .events.discount_code import Discount as Discount
from .events.discount_code import DiscountCode as DiscountCode
from .events.discount_code import DiscountCodeCreated as DiscountCodeCreated
from .events.discount_code import DiscountCodeDeleted as DiscountCodeDeleted
from .events.enrollment import BannedReason as BannedReason
from .events.enrollment import EnrolledPartner as EnrolledPartner
from .events.enrollment import EnrollmentStatus as EnrollmentStatus
from .events.enrollment import NetworkStatus as NetworkStatus
from .events.enrollment import PartnerEnrolled as PartnerEnrolled
from .events.enrollment import PartnerLink as PartnerLink
from .events.enrollment import PayoutMethod as PayoutMethod
from .events.link import Link as Link
from .events.link import LinkClicked as LinkClicked
from .events.link import LinkClickedData as LinkClickedData
from .events.link import LinkCreated as LinkCreated
from .events.link import LinkDeleted as LinkDeleted
from .events.link import LinkRef as LinkRef
from .events.link import LinkTag as LinkTag
from .events.link import LinkUpdated as LinkUpdated
from .events.link import LinkVariant as LinkVariant
from .events.message import Message as Message
from .events.message import MessageAttachment as MessageAttachment
from .events.message import MessagePartner as MessagePartner
from .events.message import MessageReceived as MessageReceived
from .events.partner import MergedPartner as MergedPartner
from .events.partner import PartnerMerged as PartnerMerged
from .events.partner import PartnerMergedData as PartnerMergedData
from .events.partner import WebhookPartner as WebhookPartner
from .events.payout import Payout as Payout
from .events.payout import PayoutConfirmed as PayoutConfirmed
from .events.payout import PayoutPartner as PayoutPartner
from .events.unknown import UnknownEvent as UnknownEvent

KnownWebhookEvent = (
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

WebhookEvent = KnownWebhookEvent | UnknownEvent
"""Any event of this family, told apart by ``match`` or ``isinstance``."""

family: _Family[WebhookEvent] = _Family("webhook", KnownWebhookEvent)

# The family's own method, because a function around it would cost a call per event.
parse: _Parser[WebhookEvent] = family.parse

if not TYPE_CHECKING:  # type checkers read the imports above
    __all__ = [it for it in dir() if it[0].isalpha() and it not in ("TYPE_CHECKING", "family")]
