"""The deliveries of the demo and what must come of each.

The expectations are constants, on purpose not taken from the code that they
judge: a library that answers or runs something else makes the demo fail.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from ..._samples import load_abridged
from ...signature import sign
from ...testing import make_event, make_unknown_event
from ...webhooks import LeadCreated, PayoutConfirmed, SaleCreated
from .._options import make_sample
from ._receivers import POSTBACK_SECRET, WEBHOOK_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Path: TypeAlias = Literal["/webhooks", "/postbacks", "/without-payouts"]

__all__ = ["BURST", "Step", "steps"]

BURST: Final = 50

HANDLED: Final = "200 handled"
DUPLICATE: Final = "200 duplicate"
IGNORED: Final = "200 ignored"
BUSY: Final = "409 busy"
CONFLICT: Final = "422 conflict"
MALFORMED: Final = "400 malformed"
UNAUTHORIZED: Final = "401 unauthorized"
FAILED: Final = "500 failed"
NOT_TAKEN: Final = "501 unhandled_payout"

_WEBHOOKS: Final = {
    "link.created": "LinkCreated",
    "link.updated": "LinkUpdated",
    "link.deleted": "LinkDeleted",
    "link.clicked": "LinkClicked",
    "lead.created": "LeadCreated",
    "sale.created": "SaleCreated",
    "commission.created": "CommissionCreated",
    "partner.enrolled": "PartnerEnrolled",
    "partner.application_submitted": "PartnerApplicationSubmitted",
    "program_application.created": "ProgramApplicationCreated",
    "partner.merged": "PartnerMerged",
    "bounty.created": "BountyCreated",
    "bounty.updated": "BountyUpdated",
    "payout.confirmed": "PayoutConfirmed",
    "external_payout.confirmed": "PayoutConfirmed",
    "discount_code.created": "DiscountCodeCreated",
    "discount_code.deleted": "DiscountCodeDeleted",
    "message.received": "MessageReceived",
}
_POSTBACKS: Final = {
    "lead.created": "LeadCreated",
    "sale.created": "SaleCreated",
    "commission.created": "CommissionCreated",
}


@dataclass(frozen=True)
class Step:
    """One row: a delivery, how often it is sent, and what must come of it."""

    title: str
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    path: Path
    answer: str
    """What exactly one of the deliveries is answered."""
    runs: str | None = None
    """Name of the class of the one event that must run; ``None``: nothing may run."""
    event_id: str = ""
    other_answers: tuple[str, ...] = ()
    """What each of the others is answered."""
    copies: int = 1
    """How many are sent at the same time."""
    fails: bool = False
    """The handler fails this time."""

    @property
    def expected(self) -> str:
        """What must be answered, in words."""
        if self.copies == 1:
            return self.answer
        return f"1 x {self.answer}, {self.copies - 1} x {' or '.join(self.other_answers)}"


def steps() -> Iterator[tuple[str, list[Step]]]:
    """Yield the parts of the demo: a heading and its steps."""
    good = [*_every_webhook(), *_every_postback()]
    yield "every event", good
    yield "every delivery again", [_again(step, DUPLICATE) for step in good]
    yield "payloads with fewer keys", list(_abridged())
    yield f"{BURST} copies at the same time", list(_burst())
    yield "a handler that fails once", list(_failing())
    yield "payouts that no handler took", list(_payouts())
    yield "events of tomorrow", [_unknown()]
    yield "not from Dub", list(_forged())
    yield "from Dub, but wrong", list(_wrong())


def _every_webhook() -> Iterator[Step]:
    for name, model in _WEBHOOKS.items():
        yield _step(name, make_sample(name, postback=False).to_json(), HANDLED, model)


def _every_postback() -> Iterator[Step]:
    for name, model in _POSTBACKS.items():
        body = make_sample(name, postback=True).to_json()
        yield _step(f"{name} (postback)", body, HANDLED, model, "/postbacks")


def _abridged() -> Iterator[Step]:
    for title, body in load_abridged().items():
        yield _step(title, body, HANDLED, _WEBHOOKS[str(json.loads(body)["event"])])


def _burst() -> Iterator[Step]:
    one = _step("sale.created", make_event(SaleCreated).to_json(), HANDLED, "SaleCreated")
    yield replace(one, copies=BURST, other_answers=(DUPLICATE, BUSY))
    yield _again(one, DUPLICATE)


def _failing() -> Iterator[Step]:
    one = _step("lead.created", make_event(LeadCreated).to_json(), FAILED, "LeadCreated")
    yield replace(one, fails=True)
    yield replace(_again(one, HANDLED), runs="LeadCreated")
    yield _again(one, DUPLICATE)


def _payouts() -> Iterator[Step]:
    for name in ("payout.confirmed", "external_payout.confirmed"):
        payout = make_event(PayoutConfirmed, event=name)
        yield _step(payout.event, payout.to_json(), NOT_TAKEN, path="/without-payouts")
    sent = make_unknown_event("payout.sent").to_json()
    yield _step("payout.sent, an unknown name", sent, NOT_TAKEN)
    data = {"id": "po_1K0DEMO", "mode": "external"}
    transfer = make_unknown_event("transfer.sent", data).to_json()
    yield _step("transfer.sent, a payout inside", transfer, NOT_TAKEN)


def _unknown() -> Step:
    return _step("invoice.refunded", make_unknown_event("invoice.refunded").to_json(), IGNORED)


def _forged() -> Iterator[Step]:
    body = make_event(SaleCreated, {"data.sale.amount": 1_900}).to_json()
    headers = _signed(body, WEBHOOK_SECRET)
    unsigned = {"Content-Type": headers["Content-Type"]}
    tampered = body.replace(b'"amount":1900', b'"amount":9900')

    def forged(title: str, headers: dict[str, str], body: bytes = body) -> Step:
        return Step(title, body, headers, "/webhooks", UNAUTHORIZED)

    yield forged("body tampered with", headers, tampered)
    yield forged("no signature", unsigned)
    yield forged("empty signature", {**unsigned, "Dub-Signature": ""})
    yield forged("non-ASCII signature", {**unsigned, "Dub-Signature": "\xe9\xff" * 32})
    yield forged("secret of a postback", _signed(body, POSTBACK_SECRET))


def _wrong() -> Iterator[Step]:
    event = make_event(SaleCreated)
    yield _step("sale.created", event.to_json(), HANDLED, "SaleCreated")
    other = make_event(SaleCreated, id=event.id).to_json()
    yield _step("same id, another body", other, CONFLICT)
    broken = event.to_json()[:-1]
    yield Step("not JSON", broken, _signed(broken, WEBHOOK_SECRET), "/webhooks", MALFORMED)


def _again(step: Step, answer: str) -> Step:
    return replace(step, title=f"{step.title}, again", answer=answer, runs=None)


def _step(
    title: str, body: bytes, answer: str, runs: str | None = None, path: Path = "/webhooks"
) -> Step:
    secret = POSTBACK_SECRET if path == "/postbacks" else WEBHOOK_SECRET
    event_id = str(json.loads(body)["id"])
    return Step(title, body, _signed(body, secret), path, answer, runs, event_id)


def _signed(body: bytes, secret: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Dub-Signature": sign(body, secret)}
