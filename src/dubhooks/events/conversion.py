"""Leads and sales (Dub docs: webhook event types)."""

from typing import ClassVar, Literal

from pydantic import Field

from ._base import Event, Model, key_of
from ._fields import Cents, Filled, Metadata, OpenEnum, Text
from .click import Click
from .customer import ConversionCustomer
from .link import Link
from .partner import WebhookPartner


class LeadData(Model, frozen=True):
    """What ``lead.created`` reports."""

    __shown__: ClassVar[tuple[str, ...]] = ("customer", "click", "link", "partner")

    event_name: Text = Field(default="", alias="eventName")
    """Free text, for example ``Signup``."""
    customer: ConversionCustomer
    """The customer."""
    click: Click
    """The click that the customer came from."""
    link: Link
    """The link that was clicked."""
    partner: WebhookPartner | None = None
    """``None`` without a partner, and in some flows even for a partner's link."""
    metadata: Metadata = None
    """What the caller of Dub's API passed along."""


class Sale(Model, frozen=True):
    """The money of a sale."""

    __shown__: ClassVar[tuple[str, ...]] = ("amount", "currency")

    amount: Cents
    """In cents."""
    currency: str
    """Lower-case ISO 4217, mostly ``usd`` (converted); Shopify's is not converted."""
    payment_processor: Filled[
        OpenEnum[
            Literal["stripe", "shopify", "polar", "paddle", "apple", "revenuecat", "dub", "custom"]
        ]
    ] = Field(default="", alias="paymentProcessor")
    """Who took the payment."""
    invoice_id: str | None = Field(default=None, alias="invoiceId")
    """An empty string when the sale has no invoice."""


class SaleData(LeadData, frozen=True):
    """What ``sale.created`` reports."""

    __shown__: ClassVar[tuple[str, ...]] = ("customer", "click", "link", "partner", "sale")

    sale: Sale
    """The money."""


class LeadCreated(Event, frozen=True):
    """Somebody became a lead."""

    event: Literal["lead.created"]
    data: LeadData

    @property
    def natural_key(self) -> str | None:
        """``lead:<customer id>:<click id>:<event name>``."""
        data = self.data
        return key_of("lead", data.customer.id, data.click.id, text=data.event_name)


class SaleCreated(Event, frozen=True):
    """A customer bought something."""

    event: Literal["sale.created"]
    data: SaleData

    @property
    def natural_key(self) -> str | None:
        """``invoice:<customer id>:<invoice id>``, or ``None`` for a sale without an invoice.

        An invoice id alone is the merchant's own numbering, and repeats.
        """
        return key_of("invoice", self.data.customer.id, self.data.sale.invoice_id or "")
