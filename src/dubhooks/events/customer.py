"""The customer of a lead, a sale or a commission, in three shapes."""

from pydantic import Field

from ._base import Model
from ._fields import Decisive, Maybe, Timestamp, Whole


class PostbackCustomer(Model, frozen=True):
    """The customer in a partner's postback: without name and e-mail address."""

    id: str
    """``cus_…``, or a bare id for old customers."""
    country: Maybe[str] = None
    """ISO 3166-1 alpha-2 code."""
    created_at: Maybe[Timestamp] = Field(default=None, alias="createdAt")
    """When the customer was created in Dub."""
    first_sale_at: Maybe[Timestamp] = Field(default=None, alias="firstSaleAt")
    """When the customer first bought something."""
    subscription_canceled_at: Maybe[Timestamp] = Field(default=None, alias="subscriptionCanceledAt")
    """When the customer cancelled the subscription."""


class ConversionCustomer(PostbackCustomer, frozen=True):
    """The customer of ``lead.created`` and ``sale.created``.

    Dub never sends ``country`` in these two events.  The counters do not include
    the sale that the event reports, except for Shopify sales.
    """

    name: Maybe[str] = None
    """When Dub knows neither name nor e-mail address: a random name, another one in each event."""
    email: Maybe[str] = None
    """The customer's e-mail address."""
    avatar: Maybe[str] = None
    """Address of the customer's picture."""
    external_id: Decisive[str] = Field(default="", alias="externalId")
    """Your own id of the customer; an empty string when there is none."""
    stripe_customer_id: str | None = Field(default=None, alias="stripeCustomerId")
    """The customer in Stripe."""
    sales: Maybe[Whole] = None
    """How many times the customer bought something."""
    sale_amount: Maybe[Whole] = Field(default=None, alias="saleAmount")
    """Sum of the sales, in cents."""


class CommissionCustomer(ConversionCustomer, frozen=True):
    """The customer of ``commission.created``: with ``country``; ``name`` can be null."""
