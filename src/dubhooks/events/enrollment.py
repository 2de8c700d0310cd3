"""Partners joining a program (Dub docs: partner.enrolled)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ._base import JSON, Count, Event, Items, Model, Open, Rate, Timestamp, key_of

__all__ = [
    "BannedReason",
    "EnrolledPartner",
    "EnrollmentStatus",
    "NetworkStatus",
    "PartnerEnrolled",
    "PartnerLink",
    "PayoutMethod",
]

EnrollmentStatus = Annotated[
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
    | str,
    Open(),
]

NetworkStatus = Annotated[
    Literal["draft", "submitted", "approved", "rejected", "trusted"] | str, Open()
]

PayoutMethod = Annotated[Literal["connect", "stablecoin", "paypal", "tremendous"] | str, Open()]

BannedReason = Annotated[
    Literal[
        "tos_violation", "inappropriate_content", "fake_traffic", "fraud", "spam", "brand_abuse"
    ]
    | str,
    Open(),
]


class PartnerLink(Model, frozen=True):
    """One of a partner's links."""

    id: str
    domain: str | None = None
    key: str | None = None
    short_link: str | None = Field(default=None, alias="shortLink")
    url: str | None = None
    clicks: Count | None = None
    leads: Count | None = None
    conversions: Count | None = None
    sales: Count | None = None
    sale_amount: Count | None = Field(default=None, alias="saleAmount")
    """In cents."""


class EnrolledPartner(Model, frozen=True):
    """A partner and the enrolment in one program."""

    __shown__: ClassVar[tuple[str, ...]] = ("id", "program_id")

    id: str
    """``pn_…``"""
    name: str | None = None
    username: str | None = None
    email: str | None = None
    image: str | None = None
    description: str | None = None
    country: str | None = None
    company_name: str | None = Field(default=None, alias="companyName")
    network_status: NetworkStatus | None = Field(default=None, alias="networkStatus")
    default_payout_method: PayoutMethod | None = Field(default=None, alias="defaultPayoutMethod")
    paypal_email: str | None = Field(default=None, alias="paypalEmail")
    stripe_connect_id: str | None = Field(default=None, alias="stripeConnectId")
    payouts_enabled_at: Timestamp | None = Field(default=None, alias="payoutsEnabledAt")
    identity_verified_at: Timestamp | None = Field(default=None, alias="identityVerifiedAt")
    program_id: str = Field(alias="programId")
    """``prog_…``"""
    group_id: str | None = Field(default=None, alias="groupId")
    partner_id: str | None = Field(default=None, alias="partnerId")
    """The same as ``id``."""
    tenant_id: str | None = Field(default=None, alias="tenantId")
    created_at: Timestamp | None = Field(default=None, alias="createdAt")
    """When the partner enrolled; after an approved application, when the partner's account
    was created."""
    status: EnrollmentStatus | None = None
    """``approved`` in practice."""
    links: Items[PartnerLink] = Field(default_factory=list[PartnerLink])
    total_commissions: Count | None = Field(default=None, alias="totalCommissions")
    """In cents."""
    click_reward_id: str | None = Field(default=None, alias="clickRewardId")
    lead_reward_id: str | None = Field(default=None, alias="leadRewardId")
    sale_reward_id: str | None = Field(default=None, alias="saleRewardId")
    referral_reward_id: str | None = Field(default=None, alias="referralRewardId")
    custom_reward_id: str | None = Field(default=None, alias="customRewardId")
    discount_id: str | None = Field(default=None, alias="discountId")
    application_id: str | None = Field(default=None, alias="applicationId")
    banned_at: Timestamp | None = Field(default=None, alias="bannedAt")
    banned_reason: BannedReason | None = Field(default=None, alias="bannedReason")
    referral_form_data: JSON = Field(default=None, alias="referralFormData")
    """In the sender's schema, never sent so far."""
    application: JSON = None
    """In the sender's schema, never sent so far."""
    tags: JSON = None
    """In the sender's schema, never sent so far."""
    total_clicks: Count | None = Field(default=None, alias="totalClicks")
    total_leads: Count | None = Field(default=None, alias="totalLeads")
    total_conversions: Count | None = Field(default=None, alias="totalConversions")
    total_sales: Count | None = Field(default=None, alias="totalSales")
    total_sale_amount: Count | None = Field(default=None, alias="totalSaleAmount")
    """In cents."""
    net_revenue: Count | None = Field(default=None, alias="netRevenue")
    """In cents; can be negative."""
    earnings_per_click: Rate | None = Field(default=None, alias="earningsPerClick")
    average_lifetime_value: Rate | None = Field(default=None, alias="averageLifetimeValue")
    click_to_lead_rate: Rate | None = Field(default=None, alias="clickToLeadRate")
    """A fraction from 0 to 1, as are the two below."""
    click_to_conversion_rate: Rate | None = Field(default=None, alias="clickToConversionRate")
    lead_to_conversion_rate: Rate | None = Field(default=None, alias="leadToConversionRate")
    return_on_ad_spend: Rate | None = Field(default=None, alias="returnOnAdSpend")
    website: str | None = None
    youtube: str | None = None
    """A handle, as are the four below."""
    twitter: str | None = None
    linkedin: str | None = None
    instagram: str | None = None
    tiktok: str | None = None
    trusted_at: Timestamp | None = Field(default=None, alias="trustedAt")
    """Deprecated: see ``network_status``."""


class PartnerEnrolled(Event, frozen=True):
    """A partner joined the program."""

    event: Literal["partner.enrolled"]
    data: EnrolledPartner

    @property
    def natural_key(self) -> str | None:
        """``enrollment:<program id>:<partner id>``."""
        return key_of("enrollment", self.data.program_id, self.data.id)
