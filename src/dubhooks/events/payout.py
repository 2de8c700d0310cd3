"""External payouts: the events whose reply moves money (Dub docs: external payouts)."""

from typing import ClassVar, Literal

from pydantic import Field

from ._base import Event, Model, key_of
from ._fields import Decisive, Filled, Id, Maybe, OpenEnum, Text, Timestamp, Whole
from .enrollment import EnrollmentStatus, PayoutMethod


class PayoutPartner(Model, frozen=True):
    """The partner to pay."""

    id: Id
    """``pn_…``"""
    name: Text = ""
    """The partner's name."""
    email: Maybe[str] = None
    """The partner's e-mail address."""
    image: Maybe[str] = None
    """Address of the partner's picture."""
    country: Maybe[str] = None
    """ISO 3166-1 alpha-2 code."""
    tenant_id: str | None = Field(default=None, alias="tenantId")
    """Your own id of this user."""
    status: Filled[EnrollmentStatus] = ""
    """The partner's enrolment."""


class Payout(Model, frozen=True):
    """Money that you owe a partner."""

    __shown__: ClassVar[tuple[str, ...]] = ("id", "amount", "currency", "partner")

    id: Id
    """``po_…``: use it as the idempotency key of the payment."""
    invoice_id: str | None = Field(default=None, alias="invoiceId")
    """Dub's invoice that holds the payout, ``inv_…``."""
    amount: Whole
    """In cents."""
    currency: str
    """Upper-case ``USD``, unlike everywhere else."""
    status: Decisive[
        OpenEnum[
            Literal["pending", "processing", "processed", "sent", "completed", "failed", "canceled"]
        ]
    ] = ""
    """``processing``; ``completed`` in Dub's test event."""
    description: Maybe[str] = None
    """A note on the payout."""
    period_start: Maybe[Timestamp] = Field(default=None, alias="periodStart")
    """Start of the time that it is for."""
    period_end: Maybe[Timestamp] = Field(default=None, alias="periodEnd")
    """End of the time that it is for."""
    created_at: Maybe[Timestamp] = Field(default=None, alias="createdAt")
    """When the payout was created."""
    updated_at: Maybe[Timestamp] = Field(default=None, alias="updatedAt")
    """When the payout was last changed."""
    initiated_at: Maybe[Timestamp] = Field(default=None, alias="initiatedAt")
    """When the payout was started."""
    paid_at: Maybe[Timestamp] = Field(default=None, alias="paidAt")
    """``None`` at this point."""
    mode: Maybe[OpenEnum[Literal["internal", "external"]]] = None
    """``external``: you pay; Dub pays an ``internal`` one."""
    method: Maybe[PayoutMethod] = None
    """How the partner prefers to be paid."""
    trace_id: str | None = Field(default=None, alias="traceId")
    """In the sender's schema, never sent so far."""
    partner: PayoutPartner
    """The partner to pay."""


class PayoutConfirmed(Event, frozen=True):
    """A payout that you make outside Dub is due.

    **Dub takes the reply as the payout's result**: any status below 400 marks it as
    paid, and it fails with 489 or when the retries run out.  Return from the
    handler only when the payment is safely recorded on your side.

    Dub renamed the event; this class serves both names.
    """

    event: Literal["payout.confirmed", "external_payout.confirmed"]
    data: Payout

    @property
    def natural_key(self) -> str | None:
        """``payout:<payout id>``: Dub's job can send a payout again."""
        return key_of("payout", self.data.id)
