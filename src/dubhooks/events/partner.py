"""The partner of a conversion, and merged partners (Dub docs: webhook event types)."""

from typing import ClassVar, Literal

from pydantic import Field, StrictBool

from ._base import Event, Model
from ._fields import Id, Maybe, Text, Timestamp, Whole


class WebhookPartner(Model, frozen=True):
    """The partner who earns on a lead, a sale or a commission.

    The totals are sums over the partner's links in this program.
    """

    id: Id
    """``pn_…``"""
    name: Text = ""
    """The partner's name."""
    email: Maybe[str] = None
    """The partner's e-mail address."""
    image: Maybe[str] = None
    """Address of the partner's picture."""
    payouts_enabled_at: Maybe[Timestamp] = Field(default=None, alias="payoutsEnabledAt")
    """Since when the partner can be paid."""
    country: Maybe[str] = None
    """ISO 3166-1 alpha-2 code."""
    group_id: str | None = Field(default=None, alias="groupId")
    """The partner's group in the program."""
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
    total_commissions: Maybe[Whole] = Field(default=None, alias="totalCommissions")
    """In cents; negative after clawbacks.  In a lead or a sale it does not yet include the
    commission that this event may create."""


class MergedPartner(Model, frozen=True):
    """One side of a merge."""

    id: str
    """``pn_…``"""
    tenant_id: str | None = Field(default=None, alias="tenantId")
    """Your own id of this user."""
    email: Maybe[str] = None
    """The partner's e-mail address."""


class PartnerMergedData(Model, frozen=True):
    """What ``partner.merged`` reports."""

    __shown__: ClassVar[tuple[str, ...]] = ("source_partner", "target_partner")

    source_partner: MergedPartner = Field(alias="sourcePartner")
    """The account that was merged away."""
    target_partner: MergedPartner = Field(alias="targetPartner")
    """The account that remains."""
    target_already_enrolled: StrictBool = Field(alias="targetAlreadyEnrolled")
    """True: two enrolments became one.  False: the enrolment moved to the target."""


class PartnerMerged(Event, frozen=True):
    """Two partner accounts became one.

    Dub sends it once per program of the source partner and does not name the
    program, so there is no natural key.
    """

    event: Literal["partner.merged"]
    data: PartnerMergedData
