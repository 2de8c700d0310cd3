"""Realistic events, made by their class, and requests that deliver them as Dub does."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

from .. import postbacks, webhooks
from .._samples import load, make_envelope
from .._samples._stringify import stringify
from ..errors import ConfigurationError
from ..events._base import Event, Model, model_in
from ..events._family import Family, event_names_of
from ..events.unknown import UnknownEvent
from ..signature import raw_body, sign

if TYPE_CHECKING:
    from ..postbacks import KnownPostbackEvent
    from ..signature import Secret
    from ..webhooks import KnownWebhookEvent

__all__ = ["ABSENT", "make_event", "make_unknown_event", "signed_request"]

Paths = Mapping[str, object]
EventT = TypeVar("EventT", bound="KnownWebhookEvent | KnownPostbackEvent")

_FAMILIES: Final[tuple[Family[Any], ...]] = (webhooks.family, postbacks.family)
_EMPTY: Final[Paths] = {}
_ADDS: Final = "+"
"""What a path begins with that may lead to keys that no model knows."""


ABSENT: Final = object()
"""As the value of an override: remove the key (or the item of a list)."""


def make_event(
    event: type[EventT], paths: Paths = _EMPTY, /, *, seed: int | None = None, **overrides: object
) -> EventT:
    """Return an event of a class as Dub would send it, every key of production in place.

    The class decides the family: :class:`dubhooks.webhooks.SaleCreated` or
    :class:`dubhooks.postbacks.SaleCreated`.  Events that this version does not
    know come from :func:`make_unknown_event`.

    Without ``seed`` the ids are random and the times are now, so that a
    receiver takes it for a new event.  ``seed`` makes the id and ``data``
    reproducible, with times of early 2026 in ``data``.  ``created_at`` is then
    one moment of this process, so that no receiver refuses the event
    as too old; give it as well to get the same bytes every time.

    An override replaces what is at a path of the sample.  Write the path

    * as a keyword: ``id="evt_1"``, ``data__sale__amount=1900``;
    * or in the second argument: ``{"data.sale.amount": 1900, "data.links.0.key": "ada"}``.

    Names are those of the wire or of the attributes (``shortLink``,
    ``short_link``); another one is taken for misspelt, unless its path in the
    second argument begins with a plus: ``{"+data.newKey": 1}``.  ``ABSENT``
    removes a key that the sample has, and an aware ``datetime`` is written as
    Dub does.  An object is taken as it stands, with the names of the wire.

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
    names = event_names_of(event)
    name = str(overrides.pop("event", names[0]))
    if name not in names:
        _refuse("event", f"a {event.__name__} is called {' or '.join(map(repr, names))}")
    document = load(family.name, name, seed)
    _change(document, event, paths, overrides)
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
    if any(name in family.classes for family in _FAMILIES):
        raise ConfigurationError(f"make_unknown_event: {name!r} is known: make_event(its class)")
    document = make_envelope(name, seed)
    _change(document, UnknownEvent, {"data": data}, overrides)
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
    raise ConfigurationError(
        f"make_event takes the class of an event, not {name}: use one of dubhooks.webhooks or "
        "dubhooks.postbacks; an event without a class is made by make_unknown_event(name, data)"
    )


def _change(document: Any, model: type[Event], paths: Paths, keywords: Paths) -> None:
    """Apply overrides to ``document``, which is an event of the class ``model``."""
    by_keyword = {keyword.replace("__", "."): keywords[keyword] for keyword in keywords}
    for path, value in [*paths.items(), *by_keyword.items()]:
        _apply(document, model, path, value)


def _apply(node: Any, model: type[Model] | None, path: str, value: object) -> None:
    parts = path.removeprefix(_ADDS).split(".")
    if parts[0] == "event":
        _refuse(path, "an event keeps its name; where a class has two, event=... chooses one")
    for part in parts[:-1]:
        key, model = _locate(node, model, part, path)
        if isinstance(key, str) and node.get(key) is None:
            node[key] = {}
        node = node[key]
    key, _ = _locate(node, model, parts[-1], path)
    if value is not ABSENT:
        # A copy, because another override may change what is inside.
        node[key] = deepcopy(value)
    elif isinstance(key, str) and key not in node:
        _refuse(path, f"there is no {key!r} to remove")
    else:
        del node[key]


def _locate(
    node: object, model: type[Model] | None, part: str, path: str
) -> tuple[str | int, type[Model] | None]:
    """Return the key or index that ``part`` means in ``node``, and the model of what is there.

    A key is a wire name or an attribute.  In free JSON, such as ``metadata``, it means itself.
    """
    if isinstance(node, list):
        length = len(cast("list[object]", node))
        if not (part.isdecimal() and part.isascii() and int(part) < length):
            _refuse(path, f"{part!r} is not an index of a list of {length}")
        return int(part), model
    if not isinstance(node, dict):
        _refuse(path, f"there is no object or list that could hold {part!r}")
    fields = _list_fields(model) if model is not None else {}
    if model is not None and part not in fields and not path.startswith(_ADDS):
        # Refused, else a misspelt name would leave the sample's value in place unnoticed.
        close = get_close_matches(part, fields, n=1)
        hint = f": did you mean {close[0]!r}?" if close else ", and paths begin at the envelope."
        _refuse(
            path,
            f"{model.__name__} has no {part!r}{hint} A key that the models do not know is added "
            f"with a plus before its path: {_ADDS + path!r}",
        )
    return fields.get(part, (part, None))


@lru_cache(maxsize=256)
def _list_fields(model: type[Model]) -> dict[str, tuple[str, type[Model] | None]]:
    fields: dict[str, tuple[str, type[Model] | None]] = {}
    for attribute, field in model.model_fields.items():
        wire = field.alias or attribute
        fields[attribute] = fields[wire] = wire, model_in(field.annotation)
    return fields


def _refuse(path: str, reason: str) -> NoReturn:
    raise ConfigurationError(f"the override {path!r} cannot be applied: {reason}")
