"""The partner of a conversion, and merged partners (Dub docs: webhook event types)."""

from typing import ClassVar, Literal

from pydantic import Field

from ._base import Count, Event, Id, Model, Timestamp

__all__ = ["MergedPartner", "PartnerMerged", "PartnerMergedData", "WebhookPartner"]


class WebhookPartner(Model, frozen=True):
    """The partner who earns on a lead, a sale or a commission.

    The totals are sums over the partner's links in this program.
    """

    id: Id
    """``pn_…``"""
    name: str | None = None
    email: str | None = None
    image: str | None = None
    payouts_enabled_at: Timestamp | None = Field(default=None, alias="payoutsEnabledAt")
    country: str | None = None
    group_id: str | None = Field(default=None, alias="groupId")
    total_clicks: Count | None = Field(default=None, alias="totalClicks")
    total_leads: Count | None = Field(default=None, alias="totalLeads")
    total_conversions: Count | None = Field(default=None, alias="totalConversions")
    total_sales: Count | None = Field(default=None, alias="totalSales")
    total_sale_amount: Count | None = Field(default=None, alias="totalSaleAmount")
    """In cents."""
    total_commissions: Count | None = Field(default=None, alias="totalCommissions")
    """In cents; negative after clawbacks.  In a lead or a sale it does not yet include the
    commission that this event may create."""


class MergedPartner(Model, frozen=True):
    """One side of a merge."""

    id: str
    tenant_id: str | None = Field(default=None, alias="tenantId")
    email: str | None = None


class PartnerMergedData(Model, frozen=True):
    """What ``partner.merged`` reports."""

    __shown__: ClassVar[tuple[str, ...]] = ("source_partner", "target_partner")

    source_partner: MergedPartner = Field(alias="sourcePartner")
    """The account that was merged away."""
    target_partner: MergedPartner = Field(alias="targetPartner")
    """The account that remains."""
    target_already_enrolled: bool | None = Field(default=None, alias="targetAlreadyEnrolled")
    """True: two enrolments became one.  False: the enrolment moved to the target."""


class PartnerMerged(Event, frozen=True):
    """Two partner accounts became one.

    Dub sends it once per program of the source partner and does not name the
    program, so there is no natural key.
    """

    event: Literal["partner.merged"]
    data: PartnerMergedData
