"""The events that Dub sends to partners (Dub docs: postbacks).

They share three names with webhook events and carry less data: no name, e-mail
address, metadata, partner or invoice.
"""

from typing import ClassVar, Literal

from pydantic import Field

from ._base import Event, Model, key_of
from ._fields import Cents, Filled, Id, Maybe, Text, Timestamp, Whole
from .click import Click
from .commission import CommissionStatus, CommissionType
from .customer import PostbackCustomer
from .link import LinkRef


class PostbackLeadData(Model, frozen=True):
    """What a partner's ``lead.created`` reports."""

    __shown__: ClassVar[tuple[str, ...]] = ("customer", "click", "link")

    event_name: Text = Field(default="", alias="eventName")
    """Free text, for example ``Signup``."""
    click: Click
    """The click that the customer came from."""
    link: LinkRef
    """The partner's link that was clicked."""
    customer: PostbackCustomer
    """The customer."""


class PostbackSale(Model, frozen=True):
    """The money of a sale, without processor and invoice."""

    __shown__: ClassVar[tuple[str, ...]] = ("amount", "currency")

    amount: Cents
    """In cents."""
    currency: str
    """Lower-case ISO 4217."""


class PostbackSaleData(PostbackLeadData, frozen=True):
    """What a partner's ``sale.created`` reports.

    ``click.timestamp`` has lost its milliseconds, unlike in the webhook of the same sale.
    """

    __shown__: ClassVar[tuple[str, ...]] = ("customer", "click", "link", "sale")

    sale: PostbackSale
    """The money."""


class PostbackCommission(Model, frozen=True):
    """What the partner earned.  Dub sends no postback for referral commissions."""

    __shown__: ClassVar[tuple[str, ...]] = ("id", "amount", "earnings", "currency")

    id: Id
    """``cm_…``"""
    type: Filled[CommissionType] = ""
    """What the commission is for."""
    amount: Whole
    """The sale's amount in cents; 0 for lead and custom commissions."""
    earnings: Whole
    """What the partner earns, in cents; negative for clawbacks."""
    currency: str
    """Lower-case ISO 4217."""
    status: Filled[CommissionStatus] = ""
    """Where the commission is on its way to a payout."""
    description: Maybe[str] = None
    """A note on the commission."""
    quantity: Whole | None = None
    """How many units it is for, normally 1."""
    created_at: Maybe[Timestamp] = Field(default=None, alias="createdAt")
    """When the commission was created."""
    link: LinkRef | None = None
    """The link that led to it; ``None`` when there was none."""
    customer: PostbackCustomer | None = None
    """The customer; ``None`` when there is none."""


class LeadCreated(Event, frozen=True):
    """The partner referred a lead."""

    __family__: ClassVar[str] = "postback"

    event: Literal["lead.created"]
    data: PostbackLeadData

    @property
    def natural_key(self) -> str | None:
        """``lead:<customer id>:<click id>:<event name>``."""
        data = self.data
        return key_of("lead", data.customer.id, data.click.id, text=data.event_name)


class SaleCreated(Event, frozen=True):
    """A customer of the partner bought something.  No invoice id, so no natural key."""

    __family__: ClassVar[str] = "postback"

    event: Literal["sale.created"]
    data: PostbackSaleData


class CommissionCreated(Event, frozen=True):
    """The partner earned or lost a commission."""

    __family__: ClassVar[str] = "postback"

    event: Literal["commission.created"]
    data: PostbackCommission

    @property
    def natural_key(self) -> str | None:
        """``commission:<commission id>``: Dub's workflow can run again."""
        return key_of("commission", self.data.id)
