"""The customer of a lead, a sale or a commission, in three shapes."""

from pydantic import Field

from ._base import Model
from ._fields import Decisive, Maybe, Timestamp, Whole


class PostbackCustomer(Model, frozen=True):
    """The customer in a partner's postback: without name and e-mail address."""

    id: str
    """``cus_…``, or a bare id for old customers."""
    country: Maybe[str] = None
    created_at: Maybe[Timestamp] = Field(default=None, alias="createdAt")
    first_sale_at: Maybe[Timestamp] = Field(default=None, alias="firstSaleAt")
    subscription_canceled_at: Maybe[Timestamp] = Field(default=None, alias="subscriptionCanceledAt")


class ConversionCustomer(PostbackCustomer, frozen=True):
    """The customer of ``lead.created`` and ``sale.created``.

    Dub never sends ``country`` in these two events.  The counters do not include
    the sale that the event reports, except for Shopify sales.
    """

    name: Maybe[str] = None
    """When Dub knows neither name nor e-mail address: a random name, another one in each event."""
    email: Maybe[str] = None
    avatar: Maybe[str] = None
    external_id: Decisive[str] = Field(default="", alias="externalId")
    """Your own id of the customer; an empty string when there is none."""
    stripe_customer_id: str | None = Field(default=None, alias="stripeCustomerId")
    sales: Maybe[Whole] = None
    sale_amount: Maybe[Whole] = Field(default=None, alias="saleAmount")
    """Sum of the sales, in cents."""


class CommissionCustomer(ConversionCustomer, frozen=True):
    """The customer of ``commission.created``: with ``country``; ``name`` can be null."""
