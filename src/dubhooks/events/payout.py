"""External payouts: the events whose answer moves money (Dub docs: external payouts)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ._base import Event, Id, Integer, Model, Open, Timestamp, key_of
from .enrollment import EnrollmentStatus, PayoutMethod

__all__ = ["Payout", "PayoutConfirmed", "PayoutPartner"]


class PayoutPartner(Model, frozen=True):
    """Who is to be paid."""

    id: Id
    name: str | None = None
    email: str | None = None
    image: str | None = None
    country: str | None = None
    tenant_id: str | None = Field(default=None, alias="tenantId")
    """Your own id of this user."""
    status: EnrollmentStatus | None = None


class Payout(Model, frozen=True):
    """Money that you owe a partner."""

    __shown__: ClassVar[tuple[str, ...]] = ("id", "amount", "currency", "partner")

    id: Id
    """``po_…``: the key to pay by, so that nobody is paid twice."""
    invoice_id: str | None = Field(default=None, alias="invoiceId")
    amount: Integer
    """In cents."""
    currency: str
    """Upper-case ``USD``, unlike everywhere else."""
    status: (
        Annotated[
            Literal["pending", "processing", "processed", "sent", "completed", "failed", "canceled"]
            | str,
            Open(),
        ]
        | None
    ) = None
    """``processing``; ``completed`` in Dub's test event."""
    description: str | None = None
    period_start: Timestamp | None = Field(default=None, alias="periodStart")
    period_end: Timestamp | None = Field(default=None, alias="periodEnd")
    created_at: Timestamp | None = Field(default=None, alias="createdAt")
    updated_at: Timestamp | None = Field(default=None, alias="updatedAt")
    initiated_at: Timestamp | None = Field(default=None, alias="initiatedAt")
    paid_at: Timestamp | None = Field(default=None, alias="paidAt")
    """``None`` at this point."""
    mode: Annotated[Literal["internal", "external"] | str, Open()] | None = None
    method: PayoutMethod | None = None
    trace_id: str | None = Field(default=None, alias="traceId")
    """In the sender's schema, never sent so far."""
    partner: PayoutPartner


class PayoutConfirmed(Event, frozen=True):
    """A payout that you make outside Dub is due.

    **The status of the answer is the payout's result**: any answer below 400
    marks it as paid, and it fails when the retries run out or the answer is
    489.  So a handler returns only after it has durably taken the payment over.

    Dub renamed the event; both names give this class.
    """

    event: Literal["payout.confirmed", "external_payout.confirmed"]
    data: Payout

    @property
    def natural_key(self) -> str | None:
        """``payout:<payout id>``: the sender's job can send a payout again."""
        return key_of("payout", self.data.id)
