"""Leads and sales (Dub docs: webhook event types)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ._base import JSON, Event, Model, Number, Open, key_of
from .click import Click
from .customer import ConversionCustomer
from .link import Link
from .partner import WebhookPartner

__all__ = ["LeadCreated", "LeadData", "Sale", "SaleCreated", "SaleData"]


class LeadData(Model, frozen=True):
    """What ``lead.created`` reports."""

    __shown__: ClassVar[tuple[str, ...]] = ("customer", "click", "link", "partner")

    event_name: str | None = Field(default=None, alias="eventName")
    """Free text, for example ``Signup``."""
    customer: ConversionCustomer
    click: Click
    link: Link
    partner: WebhookPartner | None = None
    """``None`` without a partner, and in some flows even for a partner's link."""
    metadata: dict[str, JSON] | None = None
    """What the caller of Dub's API passed along."""


class Sale(Model, frozen=True):
    """The money of a sale."""

    __shown__: ClassVar[tuple[str, ...]] = ("amount", "currency")

    amount: Number
    """In cents.  Always whole in practice, but the sender's schema allows fractions."""
    currency: str
    """Lower-case ISO 4217, mostly ``usd`` (converted); Shopify's is not converted."""
    payment_processor: (
        Annotated[
            Literal["stripe", "shopify", "polar", "paddle", "apple", "revenuecat", "dub", "custom"]
            | str,
            Open(),
        ]
        | None
    ) = Field(default=None, alias="paymentProcessor")
    invoice_id: str | None = Field(default=None, alias="invoiceId")
    """An empty string when the sale has no invoice."""


class SaleData(LeadData, frozen=True):
    """What ``sale.created`` reports."""

    __shown__: ClassVar[tuple[str, ...]] = ("customer", "click", "link", "partner", "sale")

    sale: Sale


class LeadCreated(Event, frozen=True):
    """Somebody became a lead."""

    event: Literal["lead.created"]
    data: LeadData

    @property
    def natural_key(self) -> str | None:
        """``lead:<customer id>:<click id>:<event name>``."""
        data = self.data
        return key_of("lead", data.customer.id, data.click.id, text=data.event_name or "")


class SaleCreated(Event, frozen=True):
    """A customer bought something."""

    event: Literal["sale.created"]
    data: SaleData

    @property
    def natural_key(self) -> str | None:
        """``invoice:<invoice id>``, or ``None`` for a sale without an invoice."""
        return key_of("invoice", self.data.sale.invoice_id or "")
