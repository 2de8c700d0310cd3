"""The two receivers, typed: one for webhooks, one for partner postbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, overload

from .. import postbacks, webhooks
from . import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._registry import Dedupe

__all__ = ["Postbacks", "Webhooks"]

EventT = TypeVar("EventT")
ResultT = TypeVar("ResultT")
W1 = TypeVar("W1", bound=webhooks.KnownWebhookEvent)
W2 = TypeVar("W2", bound=webhooks.KnownWebhookEvent)
W3 = TypeVar("W3", bound=webhooks.KnownWebhookEvent)
W4 = TypeVar("W4", bound=webhooks.KnownWebhookEvent)
P1 = TypeVar("P1", bound=postbacks.KnownPostbackEvent)
P2 = TypeVar("P2", bound=postbacks.KnownPostbackEvent)
P3 = TypeVar("P3", bound=postbacks.KnownPostbackEvent)


class On(Protocol[EventT]):
    """A decorator for a handler, sync or async, that takes one argument, the event."""

    def __call__(self, handler: Callable[[EventT], ResultT], /) -> Callable[[EventT], ResultT]:
        """Register ``handler`` and return it unchanged."""
        ...


class Webhooks(Receiver["webhooks.WebhookEvent"]):
    """A receiver of the webhooks that Dub sends to a workspace; see :class:`Receiver`."""

    family = webhooks.family

    @overload
    def on(
        self, event: Literal["link.created"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.LinkCreated]: ...

    @overload
    def on(
        self, event: Literal["link.updated"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.LinkUpdated]: ...

    @overload
    def on(
        self, event: Literal["link.deleted"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.LinkDeleted]: ...

    @overload
    def on(
        self, event: Literal["link.clicked"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.LinkClicked]: ...

    @overload
    def on(
        self, event: Literal["lead.created"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.LeadCreated]: ...

    @overload
    def on(
        self, event: Literal["sale.created"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.SaleCreated]: ...

    @overload
    def on(
        self, event: Literal["commission.created"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.CommissionCreated]: ...

    @overload
    def on(
        self, event: Literal["partner.enrolled"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.PartnerEnrolled]: ...

    @overload
    def on(
        self, event: Literal["partner.application_submitted"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.PartnerApplicationSubmitted]: ...

    @overload
    def on(
        self, event: Literal["program_application.created"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.ProgramApplicationCreated]: ...

    @overload
    def on(
        self, event: Literal["partner.merged"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.PartnerMerged]: ...

    @overload
    def on(
        self, event: Literal["bounty.created"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.BountyCreated]: ...

    @overload
    def on(
        self, event: Literal["bounty.updated"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.BountyUpdated]: ...

    @overload
    def on(
        self,
        event: Literal["payout.confirmed", "external_payout.confirmed"],
        /,
        *,
        dedupe: Dedupe = "id",
    ) -> On[webhooks.PayoutConfirmed]: ...

    @overload
    def on(
        self, event: Literal["discount_code.created"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.DiscountCodeCreated]: ...

    @overload
    def on(
        self, event: Literal["discount_code.deleted"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.DiscountCodeDeleted]: ...

    @overload
    def on(
        self, event: Literal["message.received"], /, *, dedupe: Dedupe = "id"
    ) -> On[webhooks.MessageReceived]: ...

    @overload
    def on(self, a: type[W1], /, *, dedupe: Dedupe = "id") -> On[W1]: ...

    @overload
    def on(self, a: type[W1], b: type[W2], /, *, dedupe: Dedupe = "id") -> On[W1 | W2]: ...

    @overload
    def on(
        self, a: type[W1], b: type[W2], c: type[W3], /, *, dedupe: Dedupe = "id"
    ) -> On[W1 | W2 | W3]: ...

    @overload
    def on(
        self, a: type[W1], b: type[W2], c: type[W3], d: type[W4], /, *, dedupe: Dedupe = "id"
    ) -> On[W1 | W2 | W3 | W4]: ...

    @overload
    def on(
        self,
        a: type[W1],
        b: type[W2],
        c: type[W3],
        d: type[W4],
        /,
        *more: type[webhooks.KnownWebhookEvent],
        dedupe: Dedupe = "id",
    ) -> On[Any]: ...

    def on(self, *events: Any, dedupe: Dedupe = "id") -> Any:
        """Register the handler of one event, by name or class, or of several classes.

        With ``dedupe="natural"`` the event's ``natural_key`` is claimed as well, so
        that the same thing under a new event id does not run again.

        Raises:
            ConfigurationError: an event is unknown or has a handler, or deliveries
                have begun.
        """
        return self._on(events, dedupe)

    @property
    def on_unhandled(self) -> On[webhooks.WebhookEvent]:
        """Register what is told about events without a handler, unknown ones included.

        It does not change the answer: an event that a payout may hang on stays 501.
        """
        return self._on_unhandled()


class Postbacks(Receiver["postbacks.PostbackEvent"]):
    """A receiver of the postbacks that Dub sends to a partner; see :class:`Receiver`."""

    family = postbacks.family

    @overload
    def on(
        self, event: Literal["lead.created"], /, *, dedupe: Dedupe = "id"
    ) -> On[postbacks.LeadCreated]: ...

    @overload
    def on(
        self, event: Literal["sale.created"], /, *, dedupe: Dedupe = "id"
    ) -> On[postbacks.SaleCreated]: ...

    @overload
    def on(
        self, event: Literal["commission.created"], /, *, dedupe: Dedupe = "id"
    ) -> On[postbacks.CommissionCreated]: ...

    @overload
    def on(self, a: type[P1], /, *, dedupe: Dedupe = "id") -> On[P1]: ...

    @overload
    def on(self, a: type[P1], b: type[P2], /, *, dedupe: Dedupe = "id") -> On[P1 | P2]: ...

    @overload
    def on(
        self, a: type[P1], b: type[P2], c: type[P3], /, *, dedupe: Dedupe = "id"
    ) -> On[P1 | P2 | P3]: ...

    def on(self, *events: Any, dedupe: Dedupe = "id") -> Any:
        """Register the handler of one event, by name or class, or of several classes.

        With ``dedupe="natural"`` the event's ``natural_key`` is claimed as well, so
        that the same thing under a new event id does not run again.

        Raises:
            ConfigurationError: an event is unknown or has a handler, or deliveries
                have begun.
        """
        return self._on(events, dedupe)

    @property
    def on_unhandled(self) -> On[postbacks.PostbackEvent]:
        """Register what is told about events without a handler, unknown ones included.

        It does not change the answer: an event that a payout may hang on stays 501.
        """
        return self._on_unhandled()
