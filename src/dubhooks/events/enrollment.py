"""Partners joining a program (Dub docs: partner.enrolled)."""

from typing import ClassVar, Literal

from pydantic import Field

from ._base import Event, Model, key_of
from ._fields import JSON, Count, Filled, Items, Maybe, Number, OpenEnum, Text, Timestamp, Whole
from .link import LinkRef

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
"""A partner's place in a program."""

NetworkStatus = OpenEnum[Literal["draft", "submitted", "approved", "rejected", "trusted"]]
"""A partner's standing in Dub's partner network."""

PayoutMethod = OpenEnum[Literal["connect", "stablecoin", "paypal", "tremendous"]]
"""How a partner prefers to be paid."""

BannedReason = OpenEnum[
    Literal[
        "tos_violation", "inappropriate_content", "fake_traffic", "fraud", "spam", "brand_abuse"
    ]
]
"""Why a partner was banned."""


class PartnerLink(LinkRef, frozen=True):
    """One of a partner's links."""

    url: Text = ""
    """The destination."""
    clicks: Count = 0
    """How often the link was clicked."""
    leads: Count = 0
    """How many leads it brought."""
    conversions: Maybe[Whole] = None
    """How many of its leads became customers."""
    sales: Count = 0
    """How many sales it brought."""
    sale_amount: Count = Field(default=0, alias="saleAmount")
    """Sum of the sales, in cents."""


class EnrolledPartner(Model, frozen=True):
    """A partner and the enrolment in one program."""

    __shown__: ClassVar[tuple[str, ...]] = ("id", "program_id")

    id: str
    """``pn_…``"""
    name: Text = ""
    """The partner's name."""
    username: Maybe[str] = None
    """The partner's name in Dub's network."""
    email: Maybe[str] = None
    """The partner's e-mail address."""
    image: Maybe[str] = None
    """Address of the partner's picture."""
    description: Maybe[str] = None
    """What the partner says about themselves."""
    country: Maybe[str] = None
    """ISO 3166-1 alpha-2 code."""
    company_name: Maybe[str] = Field(default=None, alias="companyName")
    """The partner's company."""
    network_status: Maybe[NetworkStatus] = Field(default=None, alias="networkStatus")
    """The partner's standing in Dub's partner network."""
    default_payout_method: Maybe[PayoutMethod] = Field(default=None, alias="defaultPayoutMethod")
    """How the partner prefers to be paid."""
    paypal_email: Maybe[str] = Field(default=None, alias="paypalEmail")
    """The partner's PayPal address."""
    stripe_connect_id: str | None = Field(default=None, alias="stripeConnectId")
    """The partner's Stripe account."""
    payouts_enabled_at: Maybe[Timestamp] = Field(default=None, alias="payoutsEnabledAt")
    """Since when the partner can be paid."""
    identity_verified_at: Maybe[Timestamp] = Field(default=None, alias="identityVerifiedAt")
    """When Dub verified who the partner is."""
    program_id: str = Field(alias="programId")
    """``prog_…``"""
    group_id: str | None = Field(default=None, alias="groupId")
    """The partner's group in the program."""
    partner_id: str | None = Field(default=None, alias="partnerId")
    """The same as ``id``."""
    tenant_id: str | None = Field(default=None, alias="tenantId")
    """Your own id of this user."""
    created_at: Maybe[Timestamp] = Field(default=None, alias="createdAt")
    """When the partner enrolled; after an approved application, when the partner's account
    was created."""
    status: Filled[EnrollmentStatus] = ""
    """``approved`` in practice."""
    links: Items[PartnerLink] = Field(default_factory=list[PartnerLink])
    """The partner's links in the program."""
    total_commissions: Maybe[Whole] = Field(default=None, alias="totalCommissions")
    """Sum of the partner's commissions, in cents."""
    click_reward_id: str | None = Field(default=None, alias="clickRewardId")
    """The reward for clicks."""
    lead_reward_id: str | None = Field(default=None, alias="leadRewardId")
    """The reward for leads."""
    sale_reward_id: str | None = Field(default=None, alias="saleRewardId")
    """The reward for sales."""
    referral_reward_id: str | None = Field(default=None, alias="referralRewardId")
    """The reward for referred partners."""
    custom_reward_id: str | None = Field(default=None, alias="customRewardId")
    """The reward of another kind."""
    discount_id: str | None = Field(default=None, alias="discountId")
    """The discount for those whom the partner refers."""
    application_id: str | None = Field(default=None, alias="applicationId")
    """The application that led to the enrolment, ``pga_…``."""
    banned_at: Maybe[Timestamp] = Field(default=None, alias="bannedAt")
    """When the partner was banned."""
    banned_reason: Maybe[BannedReason] = Field(default=None, alias="bannedReason")
    """Why the partner was banned."""
    referral_form_data: JSON = Field(default=None, alias="referralFormData")
    """In the sender's schema, never sent so far."""
    application: JSON = None
    """In the sender's schema, never sent so far."""
    tags: JSON = None
    """In the sender's schema, never sent so far."""
    total_clicks: Maybe[Whole] = Field(default=None, alias="totalClicks")
    """Clicks on the partner's links."""
    total_leads: Maybe[Whole] = Field(default=None, alias="totalLeads")
    """Leads of the partner's links."""
    total_conversions: Maybe[Whole] = Field(default=None, alias="totalConversions")
    """Leads of the partner's links that became customers."""
    total_sales: Maybe[Whole] = Field(default=None, alias="totalSales")
    """Sales of the partner's links."""
    total_sale_amount: Maybe[Whole] = Field(default=None, alias="totalSaleAmount")
    """Sum of the partner's sales, in cents."""
    net_revenue: Maybe[Whole] = Field(default=None, alias="netRevenue")
    """In cents; can be negative."""
    earnings_per_click: Maybe[Number] = Field(default=None, alias="earningsPerClick")
    """What the partner earns for a click, on average."""
    average_lifetime_value: Maybe[Number] = Field(default=None, alias="averageLifetimeValue")
    """What a customer of the partner spends, on average."""
    click_to_lead_rate: Maybe[Number] = Field(default=None, alias="clickToLeadRate")
    """Leads by clicks, a fraction from 0 to 1."""
    click_to_conversion_rate: Maybe[Number] = Field(default=None, alias="clickToConversionRate")
    """Conversions by clicks, a fraction from 0 to 1."""
    lead_to_conversion_rate: Maybe[Number] = Field(default=None, alias="leadToConversionRate")
    """Conversions by leads, a fraction from 0 to 1."""
    return_on_ad_spend: Maybe[Number] = Field(default=None, alias="returnOnAdSpend")
    """Revenue by what the partner cost."""
    website: Maybe[str] = None
    """The partner's website."""
    youtube: Maybe[str] = None
    """A YouTube handle."""
    twitter: Maybe[str] = None
    """A Twitter handle."""
    linkedin: Maybe[str] = None
    """A LinkedIn handle."""
    instagram: Maybe[str] = None
    """An Instagram handle."""
    tiktok: Maybe[str] = None
    """A TikTok handle."""
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
