"""How a real payload differs from the models; names and types, never values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast, get_args

from ..errors import InvalidEvent
from ..events._base import model_in
from ..events._fields import Open
from ..payload import read_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..events._base import Event, Model
    from ..events._family import Family

__all__ = ["Compared", "Difference", "compared"]

_KINDS: Final[dict[type, str]] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    type(None): "null",
}


_UNKNOWN: Final = object()
"""What became of a part of an event that did not fit as a whole."""


@dataclass(frozen=True)
class Difference:
    """One difference."""

    kind: Literal[
        "unknown_event", "unknown_key", "unknown_value", "odd_value", "absent_key", "invalid"
    ]
    path: str
    """On the wire; ``[]`` stands for the items of a list."""
    detail: str = ""

    @property
    def is_drift(self) -> bool:
        """The models should be looked at; many keys may be absent, so those do not count."""
        return self.kind != "absent_key"


class Compared(NamedTuple):
    """An event and how it differs from its model."""

    name: str
    event_id: str
    event: Event | None
    """``None`` when it does not fit."""
    differences: list[Difference]
    """Drift first."""


def compared(body: bytes, family: Family[Any]) -> Compared:
    """Return the event in ``body`` and how it differs from its model.

    Raises:
        PayloadError: there is no event in ``body``.
    """
    event: Event | None
    problems: list[Difference] = []
    try:
        event = parsed = family.parse(body)
        name, event_id = parsed.event, parsed.id
    except InvalidEvent as error:
        event, name, event_id = None, error.event_name, error.event_id
        problems = [Difference("invalid", one.path, one.problem) for one in error.problems]
    cls = family.classes.get(name)
    if cls is None:
        return Compared(name, event_id, event, [Difference("unknown_event", "event")])
    # Of the payload and not of the event, because there may be none.
    misfits = {one.path for one in problems}
    differences = _in_object(read_document(body), cls, "", event)
    found = dict.fromkeys(one for one in differences if one.path not in misfits)
    drift_first = sorted(found, key=lambda one: not one.is_drift)
    return Compared(name, event_id, event, [*problems, *drift_first])


def _in_object(
    value: dict[str, Any], model: type[Model], path: str, parsed: object
) -> Iterator[Difference]:
    """Yield the differences of an object; ``parsed``: what became of it, when that is known."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        wire = field.alias or name
        names.add(wire)
        here = f"{path}{wire}"
        if wire not in value:
            yield Difference("absent_key", here)
            continue
        became = getattr(parsed, name, _UNKNOWN)
        if _is_left_out(value[wire], became):
            yield Difference("odd_value", here, _kind_of(value[wire]))
            continue
        inside = model_in(field.annotation)
        if inside is not None:
            yield from _in_value(value[wire], inside, here, became)
        known = _known_values(field.annotation, field.metadata)
        if known and isinstance(value[wire], str) and value[wire] not in known:
            yield Difference("unknown_value", here, "string")
    for key, inner in value.items():
        if key not in names:
            yield Difference("unknown_key", f"{path}{key}", _kind_of(inner))


def _is_left_out(value: object, became: object) -> bool:
    """Tell whether a value did not fit, so that its field, or an item of it, is empty."""
    if value is None or became is _UNKNOWN:
        return False
    if isinstance(became, list):
        items = cast("list[object]", became)
        return not isinstance(value, list) or len(cast("list[object]", value)) != len(items)
    is_empty = became is None or became in ("", 0)
    return is_empty and (value != became or isinstance(value, bool) != isinstance(became, bool))


def _in_value(value: object, model: type[Model], path: str, parsed: object) -> Iterator[Difference]:
    # What has no model is free-form, such as metadata: its keys are somebody's data.
    if isinstance(value, dict):
        yield from _in_object(cast("dict[str, Any]", value), model, f"{path}.", parsed)
    elif isinstance(value, list):
        items = cast("list[object]", value)
        became = (
            cast("list[object]", parsed) if isinstance(parsed, list) else [_UNKNOWN] * len(items)
        )
        for item, one in zip(items, became, strict=True):
            yield from _in_value(item, model, f"{path}[]", one)


def _known_values(annotation: Any, metadata: list[Any]) -> tuple[str, ...]:
    """Return the known values of an open enumeration, however deep its annotation is."""
    arguments = get_args(annotation)
    if any(isinstance(one, Open) for one in (*metadata, *arguments)):
        found: list[str] = []
        pending = [annotation]
        while pending:
            inner = get_args(pending.pop())
            found.extend(one for one in inner if isinstance(one, str))
            pending.extend(one for one in inner if not isinstance(one, str))
        return tuple(found)
    return next((known for one in arguments if (known := _known_values(one, []))), ())


def _kind_of(value: object) -> str:
    return _KINDS.get(type(value), "number")
