"""Realistic events, made by their class, and requests that deliver them as Dub does."""

from __future__ import annotations

from difflib import get_close_matches
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
    event: type[EventT],
    paths: Paths = None,
    /,
    *,
    add: Paths = None,
    seed: int | None = None,
    **overrides: object,
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

    Overrides change the sample, the more specific after the more general:

    * ``id=...``, ``created_at=...``, ``data={"sale": {"amount": 1900}}``: an
      envelope field.  Objects are merged; ``None`` for the first two means the default.
    * ``{"data.sale.amount": 1900, "data.links.0.key": "ada"}`` as the second
      argument: any path.  The value there is replaced as a whole.
    * ``data__sale__amount=1900``: the same as a keyword.
    * ``add={"data.newKey": 1}``: any path, and the only way to keys that the
      models do not know; elsewhere such a key is taken for a misspelt one.

    Names are those of the wire or of the attributes (``shortLink``,
    ``short_link``).  ``ABSENT`` removes a key that the sample has, and an
    aware ``datetime`` is written as Dub does.

    Args:
        event: A class of ``dubhooks.webhooks`` or ``dubhooks.postbacks``.
        paths: Overrides by path.
        add: Overrides that may add keys.
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
    document = cast("dict[str | int, object]", load(family.name, name, seed))
    apply_overrides(document, event, paths, overrides, add)
    return cast("EventT", family.parse(stringify(document)))


def make_unknown_event(
    name: str,
    /,
    data: object = _EMPTY,
    *,
    add: Paths = None,
    seed: int | None = None,
    **overrides: object,
) -> UnknownEvent:
    """Return an event that this version does not know, as Dub may send it one day.

    It serves webhooks and postbacks alike.

    Args:
        name: The event's name.
        data: Any JSON value.
        add: As with :func:`make_event`.
        seed: As with :func:`make_event`.
        overrides: As with :func:`make_event`.

    Raises:
        ConfigurationError: ``name`` is known, or an override cannot be applied.
        InvalidEnvelope: the changed event does not parse.
    """
    if not isinstance(name, str) or not name:
        raise ConfigurationError("make_unknown_event: the name must be text, and not empty")
    if _classes_called(name):
        raise ConfigurationError(f"make_unknown_event: {name!r} is known: use {_call_for(name)}")
    document = cast("dict[str | int, object]", make_envelope(name, seed))
    apply_overrides(document, UnknownEvent, None, {"data": data, **overrides}, add)
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
    raise ConfigurationError(f"make_event takes the class of an event: {_advise_on(event)}")


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


def _advise_on(event: object) -> str:
    """Return how to make what ``event``, which is no known class, stands for."""
    if event is UnknownEvent:
        return "for an event without a model use make_unknown_event(name, data)"
    if isinstance(event, str):
        return _advise_on_name(event)
    what = event.__name__ if isinstance(event, type) else f"an object of {type(event).__name__}"
    return f"{what} is none; dubhooks.webhooks and dubhooks.postbacks have them"


def _advise_on_name(name: str) -> str:
    if _classes_called(name):
        return f"for {name!r} use {_call_for(name)}"
    close = get_close_matches(name, [known for family in _FAMILIES for known in family.classes])
    meant = f"did you mean {_call_for(close[0])}? For" if close else "for"
    return (
        f"{name!r} is not a known name; {meant} an event without a model use "
        "make_unknown_event(name, data)"
    )


def _call_for(name: str) -> str:
    """Return how to make the event that is called ``name``."""
    classes = _classes_called(name)
    cls = next(iter(classes.values()))
    chosen = "" if name == event_names_of(cls)[0] else f", event={name!r}"
    call = f"make_event({cls.__name__}{chosen})"
    return f"{call}, with {cls.__name__} from {' or '.join(classes)}"


def _classes_called(name: str) -> dict[str, type[Event]]:
    """Return the classes of a name, by the module that they are in."""
    return {
        f"dubhooks.{family.name}s": family.classes[name]
        for family in _FAMILIES
        if name in family.classes
    }
