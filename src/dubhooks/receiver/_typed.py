"""The two receivers, typed: one for webhooks, one for partner postbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, TypeVar, overload

from .. import postbacks as p
from .. import webhooks as w
from ..events.unknown import UnknownEvent
from . import Receiver

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..idempotency._keys import Dedupe
    from ..queues import Queue

__all__ = ["Postbacks", "Webhooks"]

EventT = TypeVar("EventT")
ResultT = TypeVar("ResultT")
W1 = TypeVar("W1", bound=w.KnownWebhookEvent)
W2 = TypeVar("W2", bound=w.KnownWebhookEvent)
W3 = TypeVar("W3", bound=w.KnownWebhookEvent)
W4 = TypeVar("W4", bound=w.KnownWebhookEvent)
P1 = TypeVar("P1", bound=p.KnownPostbackEvent)
P2 = TypeVar("P2", bound=p.KnownPostbackEvent)
P3 = TypeVar("P3", bound=p.KnownPostbackEvent)


class On(Protocol[EventT]):
    """A decorator for a handler, sync or async, that takes one argument, the event."""

    def __call__(self, handler: Callable[[EventT], ResultT], /) -> Callable[[EventT], ResultT]:
        """Register ``handler`` and return it unchanged."""
        ...


class OnOptions(TypedDict, total=False):
    """The options of ``on``."""

    dedupe: Dedupe
    queue: Queue | None
    paid_when_queued: bool


# fmt: off
class Webhooks(Receiver["w.WebhookEvent"]):
    """A receiver of the webhooks that Dub sends to a workspace; see :class:`Receiver`."""

    _family = w.family

    @overload
    def on(self, name: str, /, **options: Unpack[OnOptions]) -> On[UnknownEvent]: ...
    @overload
    def on(self, a: type[W1], /, **options: Unpack[OnOptions]) -> On[W1]: ...
    @overload
    def on(self, a: type[W1], b: type[W2], /, **options: Unpack[OnOptions]) -> On[W1 | W2]: ...
    @overload
    def on(self, a: type[W1], b: type[W2], c: type[W3], /, **options: Unpack[OnOptions]) -> On[W1 | W2 | W3]: ...  # noqa: E501
    @overload
    def on(self, a: type[W1], b: type[W2], c: type[W3], d: type[W4], /, **options: Unpack[OnOptions]) -> On[W1 | W2 | W3 | W4]: ...  # noqa: E501
    @overload
    def on(self, a: type[W1], b: type[W2], c: type[W3], d: type[W4], /, *more: type[w.KnownWebhookEvent], **options: Unpack[OnOptions]) -> On[Any]: ...  # noqa: E501
    def on(self, *events: Any, dedupe: Dedupe = "id", queue: Queue | None = None, paid_when_queued: bool = False) -> Any:  # noqa: E501
        """Register the handler of one or several events.

        Args:
            events: classes such as ``SaleCreated``, or the one name of an event that this
                version has no model for.
            dedupe: ``"natural"`` claims the event's ``natural_key`` as well, so that the same
                thing under a new event id does not run again.
            queue: answer 202 once this queue holds the event, and run the handler in its
                worker; the receiver needs ``store=`` and ``dead_letters=``.
            paid_when_queued: let the queue take a payout, which Dub marks as paid with the 202.

        Raises:
            ConfigurationError: an event is not one of this family or has a
                handler, the function takes more than the event, deliveries have begun, or
                the queue could lose events of this receiver.
        """
        return self._register(events, dedupe, queue, paid_when_queued)

    @property
    def on_unhandled(self) -> On[w.WebhookEvent]:
        """Register a callback for events that have no handler, including unknown ones.

        The reply does not change: a payout-like event is still answered 501.
        """
        return self._pipeline.registry.add_fallback


class Postbacks(Receiver["p.PostbackEvent"]):
    """A receiver of the postbacks that Dub sends to a partner; see :class:`Receiver`."""

    _family = p.family

    @overload
    def on(self, name: str, /, **options: Unpack[OnOptions]) -> On[UnknownEvent]: ...
    @overload
    def on(self, a: type[P1], /, **options: Unpack[OnOptions]) -> On[P1]: ...
    @overload
    def on(self, a: type[P1], b: type[P2], /, **options: Unpack[OnOptions]) -> On[P1 | P2]: ...
    @overload
    def on(self, a: type[P1], b: type[P2], c: type[P3], /, **options: Unpack[OnOptions]) -> On[P1 | P2 | P3]: ...  # noqa: E501
    def on(self, *events: Any, dedupe: Dedupe = "id", queue: Queue | None = None, paid_when_queued: bool = False) -> Any:  # noqa: E501
        """Register the handler of one or several events; see :meth:`Webhooks.on`."""
        return self._register(events, dedupe, queue, paid_when_queued)

    @property
    def on_unhandled(self) -> On[p.PostbackEvent]:
        """Register a callback for events without a handler; see :attr:`Webhooks.on_unhandled`."""
        return self._pipeline.registry.add_fallback
# fmt: on
