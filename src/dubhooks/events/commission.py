"""Commissions (Dub docs: commission.created)."""

from typing import Any, ClassVar, Literal, cast

from pydantic import Field

from ._base import Event, Model, key_of
from ._fields import Filled, Id, Maybe, Metadata, OpenEnum, Timestamp, Whole
from .customer import CommissionCustomer
from .link import LinkRef
from .partner import WebhookPartner

CommissionType = OpenEnum[Literal["click", "lead", "sale", "referral", "custom"]]
"""What a commission is for."""

CommissionStatus = OpenEnum[
    Literal["pending", "processed", "paid", "refunded", "duplicate", "fraud", "canceled", "hold"]
]
"""What became of a commission."""


class Commission(Model, frozen=True):
    """What a partner earned."""

    __shown__: ClassVar[tuple[str, ...]] = ("id", "amount", "earnings", "currency", "partner")

    id: Id
    """``cm_…``"""
    type: Filled[CommissionType] = ""
    """What the commission is for."""
    amount: Whole
    """The sale's amount in cents; 0 for lead, custom and referral commissions."""
    earnings: Whole | None = None
    """What the partner earns, in cents; negative for clawbacks.  ``None`` only in the payload
    that third-party documentation prints."""
    currency: str
    """Lower-case ISO 4217, normally ``usd``."""
    status: Filled[CommissionStatus] = ""
    """Where the commission is on its way to a payout."""
    invoice_id: str | None = Field(default=None, alias="invoiceId")
    """The sale's invoice; for referral commissions a made-up one, ``referral:…``."""
    description: Maybe[str] = None
    """A note on the commission."""
    quantity: Whole | None = None
    """How many units it is for, normally 1."""
    user_id: str | None = Field(default=None, alias="userId")
    """The user who created a manual commission."""
    metadata: Metadata = None
    """Metadata of the lead or sale, or of the Stripe webhook; sent since 2026-08-25."""
    created_at: Maybe[Timestamp] = Field(default=None, alias="createdAt")
    """For manual and imported commissions it may be long ago."""
    updated_at: Maybe[Timestamp] = Field(default=None, alias="updatedAt")
    """When the commission was last changed."""
    partner: WebhookPartner
    """The partner who earns it."""
    customer: CommissionCustomer | None = None
    """``None`` for commissions without a customer, referral commissions among them."""
    link: LinkRef | None = None
    """The link that led to it; ``None`` when there was none."""


class CommissionCreated(Event, frozen=True):
    """A partner earned or lost a commission.  Dub sends nothing for click commissions."""

    event: Literal["commission.created"]
    data: Commission

    @property
    def natural_key(self) -> str | None:
        """``commission:<commission id>``: Dub's workflow can run again."""
        return key_of("commission", self.data.id)

    @classmethod
    def mend_old_shape(cls, data: Any) -> None:
        """Accept ``partnerId`` in place of ``partner``, as third-party documentation prints it."""
        members = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
        if members.get("partner") is None and members.get("partnerId"):
            members["partner"] = {"id": members["partnerId"]}
