"""Realistic events, made by their class, and requests that deliver them as Dub does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from .. import postbacks, webhooks
from .._samples import load, make_envelope
from .._samples._stringify import stringify
from ..errors import ConfigurationError
from ..events._base import Event
from ..events._family import event_names_of
from ..events.unknown import UnknownEvent
from ..signature import raw_body, sign
from ._overrides import ABSENT, apply_overrides

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from ..events._family import Family
    from ..postbacks import KnownPostbackEvent
    from ..signature import Secret
    from ..webhooks import KnownWebhookEvent

    Paths: TypeAlias = Mapping[str, object] | None

__all__ = ["ABSENT", "make_event", "make_unknown_event", "signed_request"]

EventT = TypeVar("EventT", bound="KnownWebhookEvent | KnownPostbackEvent")

_FAMILIES: Final[tuple[Family[Any], ...]] = (webhooks.family, postbacks.family)
_EMPTY: Final[Mapping[str, object]] = {}


def make_event(
    event: type[EventT], paths: Paths = None, /, *, seed: int | None = None, **overrides: object
) -> EventT:
    """Return an event of a class as Dub would send it, every key of production in place.

    The class decides the family: :class:`dubhooks.webhooks.SaleCreated` or
    :class:`dubhooks.postbacks.SaleCreated`.  Events that this version does not
    know come from :func:`make_unknown_event`.

    Without ``seed`` the ids are random and the times are now, so that a
    receiver takes it for a new event.  With one, the same name and seed give
    the same id and the same ``data`` for ever, with times of early 2026 in
    ``data``; only ``created_at`` is now, and the same in all of a process, so
    that no receiver refuses the event as too old.  Give it as well for the
    same bytes for ever.

    An override replaces what is at a path of the sample.  Write the path

    * as a keyword: ``id="evt_1"``, ``data__sale__amount=1900``;
    * or in the second argument: ``{"data.sale.amount": 1900, "data.links.0.key": "ada"}``.

    Names are those of the wire or of the attributes (``shortLink``,
    ``short_link``); another one is taken for misspelt, unless its path in the
    second argument begins with a plus: ``{"+data.newKey": 1}``.  ``ABSENT``
    removes a key that the sample has, and an aware ``datetime`` is written as
    Dub does.

    Args:
        event: A class of ``dubhooks.webhooks`` or ``dubhooks.postbacks``.
        paths: Overrides by path; they come before those by keyword.
        seed: Any number, for an event that is the same each time.
        overrides: Overrides by keyword.  ``event`` chooses among the names of
            a class that has two: ``event="external_payout.confirmed"`` for a
            ``PayoutConfirmed``, which is else ``payout.confirmed``.

    Raises:
        ConfigurationError: ``event`` is no such class, or an override cannot be applied.
        InvalidEvent, InvalidEnvelope: the changed event does not parse.  To
            send such a body give raw bytes to :func:`signed_request`.
    """
    family = _find_family(event)
    name = _choose_name(event, overrides.pop("event", None))
    document = load(family.name, name, seed)
    apply_overrides(document, event, paths, overrides)
    return cast("EventT", family.parse(stringify(document)))


def make_unknown_event(
    name: str, /, data: object = _EMPTY, *, seed: int | None = None, **overrides: object
) -> UnknownEvent:
    """Return an event that this version does not know, as Dub may send it one day.

    It serves webhooks and postbacks alike.

    Args:
        name: The event's name.
        data: Any JSON value.
        seed: As with :func:`make_event`.
        overrides: Overrides by keyword, as with :func:`make_event`.

    Raises:
        ConfigurationError: ``name`` is known, or an override cannot be applied.
        InvalidEnvelope: the changed event does not parse.
    """
    if not isinstance(name, str) or not name:
        raise ConfigurationError("make_unknown_event: the name must be text, and not empty")
    if classes := _list_classes(name):
        raise ConfigurationError(
            f"make_unknown_event: {name!r} is known: use make_event({' or '.join(classes)})"
        )
    document = make_envelope(name, seed)
    apply_overrides(document, UnknownEvent, {"data": data}, overrides)
    return cast("UnknownEvent", webhooks.family.parse(stringify(document)))


def signed_request(event: Event | bytes, secret: Secret) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of the request that delivers ``event``.

    Args:
        event: An event, or bytes that are signed as they are, whatever they hold.
        secret: Of several the first one signs.

    Raises:
        ConfigurationError: the secret is unusable, or ``event`` is neither an
            event nor bytes.
    """
    body = event.to_json() if isinstance(event, Event) else raw_body(event)
    return body, {"Content-Type": "application/json", "Dub-Signature": sign(body, secret)}


def _find_family(event: object) -> Family[Any]:
    for family in _FAMILIES:
        if isinstance(event, type) and event in family.classes.values():
            return family
    other = f"an object of {type(event).__name__}"
    name = event if isinstance(event, str) else getattr(event, "__name__", other)
    classes = " or ".join(_list_classes(name))
    raise ConfigurationError(
        f"make_event takes the class of an event, not {name}: use "
        f"{classes or 'one of dubhooks.webhooks or dubhooks.postbacks'}; "
        "an event without a class is made by make_unknown_event(name, data)"
    )


def _list_classes(name: str) -> list[str]:
    """Return the classes of the event that is called ``name``, as text."""
    return [
        f"dubhooks.{family.name}s.{family.classes[name].__name__}"
        for family in _FAMILIES
        if name in family.classes
    ]


def _choose_name(event: type[Event], chosen: object) -> str:
    names = event_names_of(event)
    if chosen is None:
        return names[0]
    if isinstance(chosen, str) and chosen in names:
        return chosen
    raise ConfigurationError(
        f"the override 'event' cannot be applied: a {event.__name__} is called "
        f"{' or '.join(map(repr, names))}"
    )
