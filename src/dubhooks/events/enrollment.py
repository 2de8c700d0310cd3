"""Partners joining a program (Dub docs: partner.enrolled)."""

from typing import ClassVar, Literal

from pydantic import Field

from ._base import Event, Model, key_of
from ._fields import JSON, Count, Filled, Items, Maybe, Number, OpenEnum, Text, Timestamp, Whole

EnrollmentStatus = OpenEnum[
    Literal[
        "pending",
        "approved",
        "rejected",
        "invited",
        "declined",
        "deactivated",
        "banned",
        "archived",
    ]
]

NetworkStatus = OpenEnum[Literal["draft", "submitted", "approved", "rejected", "trusted"]]

PayoutMethod = OpenEnum[Literal["connect", "stablecoin", "paypal", "tremendous"]]

BannedReason = OpenEnum[
    Literal[
        "tos_violation", "inappropriate_content", "fake_traffic", "fraud", "spam", "brand_abuse"
    ]
]


class PartnerLink(Model, frozen=True):
    """One of a partner's links."""

    id: str
    domain: Text = ""
    key: Text = ""
    short_link: Text = Field(default="", alias="shortLink")
    url: Text = ""
    clicks: Count = 0
    leads: Count = 0
    conversions: Maybe[Whole] = None
    sales: Count = 0
    sale_amount: Count = Field(default=0, alias="saleAmount")
    """In cents."""


class EnrolledPartner(Model, frozen=True):
    """A partner and the enrolment in one program."""

    __shown__: ClassVar[tuple[str, ...]] = ("id", "program_id")

    id: str
    """``pn_…``"""
    name: Text = ""
    username: Maybe[str] = None
    email: Maybe[str] = None
    image: Maybe[str] = None
    description: Maybe[str] = None
    country: Maybe[str] = None
    company_name: Maybe[str] = Field(default=None, alias="companyName")
    network_status: Maybe[NetworkStatus] = Field(default=None, alias="networkStatus")
    default_payout_method: Maybe[PayoutMethod] = Field(default=None, alias="defaultPayoutMethod")
    paypal_email: Maybe[str] = Field(default=None, alias="paypalEmail")
    stripe_connect_id: str | None = Field(default=None, alias="stripeConnectId")
    payouts_enabled_at: Maybe[Timestamp] = Field(default=None, alias="payoutsEnabledAt")
    identity_verified_at: Maybe[Timestamp] = Field(default=None, alias="identityVerifiedAt")
    program_id: str = Field(alias="programId")
    """``prog_…``"""
    group_id: str | None = Field(default=None, alias="groupId")
    partner_id: str | None = Field(default=None, alias="partnerId")
    """The same as ``id``."""
    tenant_id: str | None = Field(default=None, alias="tenantId")
    created_at: Maybe[Timestamp] = Field(default=None, alias="createdAt")
    """When the partner enrolled; after an approved application, when the partner's account
    was created."""
    status: Filled[EnrollmentStatus] = ""
    """``approved`` in practice."""
    links: Items[PartnerLink] = Field(default_factory=list[PartnerLink])
    total_commissions: Maybe[Whole] = Field(default=None, alias="totalCommissions")
    """In cents."""
    click_reward_id: str | None = Field(default=None, alias="clickRewardId")
    lead_reward_id: str | None = Field(default=None, alias="leadRewardId")
    sale_reward_id: str | None = Field(default=None, alias="saleRewardId")
    referral_reward_id: str | None = Field(default=None, alias="referralRewardId")
    custom_reward_id: str | None = Field(default=None, alias="customRewardId")
    discount_id: str | None = Field(default=None, alias="discountId")
    application_id: str | None = Field(default=None, alias="applicationId")
    banned_at: Maybe[Timestamp] = Field(default=None, alias="bannedAt")
    banned_reason: Maybe[BannedReason] = Field(default=None, alias="bannedReason")
    referral_form_data: JSON = Field(default=None, alias="referralFormData")
    """In the sender's schema, never sent so far."""
    application: JSON = None
    """In the sender's schema, never sent so far."""
    tags: JSON = None
    """In the sender's schema, never sent so far."""
    total_clicks: Maybe[Whole] = Field(default=None, alias="totalClicks")
    total_leads: Maybe[Whole] = Field(default=None, alias="totalLeads")
    total_conversions: Maybe[Whole] = Field(default=None, alias="totalConversions")
    total_sales: Maybe[Whole] = Field(default=None, alias="totalSales")
    total_sale_amount: Maybe[Whole] = Field(default=None, alias="totalSaleAmount")
    """In cents."""
    net_revenue: Maybe[Whole] = Field(default=None, alias="netRevenue")
    """In cents; can be negative."""
    earnings_per_click: Maybe[Number] = Field(default=None, alias="earningsPerClick")
    average_lifetime_value: Maybe[Number] = Field(default=None, alias="averageLifetimeValue")
    click_to_lead_rate: Maybe[Number] = Field(default=None, alias="clickToLeadRate")
    """A fraction from 0 to 1, as are the two below."""
    click_to_conversion_rate: Maybe[Number] = Field(default=None, alias="clickToConversionRate")
    lead_to_conversion_rate: Maybe[Number] = Field(default=None, alias="leadToConversionRate")
    return_on_ad_spend: Maybe[Number] = Field(default=None, alias="returnOnAdSpend")
    website: Maybe[str] = None
    youtube: Maybe[str] = None
    """A handle, as are the four below."""
    twitter: Maybe[str] = None
    linkedin: Maybe[str] = None
    instagram: Maybe[str] = None
    tiktok: Maybe[str] = None
    trusted_at: Maybe[Timestamp] = Field(default=None, alias="trustedAt")
    """Deprecated: see ``network_status``."""


class PartnerEnrolled(Event, frozen=True):
    """A partner joined the program."""

    event: Literal["partner.enrolled"]
    data: EnrolledPartner

    @property
    def natural_key(self) -> str | None:
        """``enrollment:<program id>:<partner id>``."""
        return key_of("enrollment", self.data.program_id, self.data.id)
