"""The customer of a lead, a sale or a commission, in three shapes."""

from pydantic import Field

from ._base import Count, Model, Timestamp

__all__ = ["CommissionCustomer", "ConversionCustomer", "PostbackCustomer"]


class PostbackCustomer(Model, frozen=True):
    """The customer in a partner's postback: without name and e-mail address."""

    id: str
    """``cus_…``, or a bare id for old customers."""
    country: str | None = None
    created_at: Timestamp | None = Field(default=None, alias="createdAt")
    first_sale_at: Timestamp | None = Field(default=None, alias="firstSaleAt")
    subscription_canceled_at: Timestamp | None = Field(default=None, alias="subscriptionCanceledAt")


class ConversionCustomer(PostbackCustomer, frozen=True):
    """The customer of ``lead.created`` and ``sale.created``.

    Dub never sends ``country`` in these two events.  The counters do not include
    the sale that the event reports, except for Shopify sales.
    """

    name: str | None = None
    """When Dub knows neither name nor e-mail address: a random name, another one in each event."""
    email: str | None = None
    avatar: str | None = None
    external_id: str | None = Field(default=None, alias="externalId")
    """Your own id of the customer; an empty string when there is none."""
    stripe_customer_id: str | None = Field(default=None, alias="stripeCustomerId")
    sales: Count | None = None
    sale_amount: Count | None = Field(default=None, alias="saleAmount")
    """Sum of the sales, in cents."""


class CommissionCustomer(ConversionCustomer, frozen=True):
    """The customer of ``commission.created``: with ``country``; ``name`` can be null."""
