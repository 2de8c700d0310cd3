"""How a real payload differs from the models; names and types, never values.

What a model says is normal is no difference: a field that is absent, null or empty where its
type or docstring says so.  What is required and absent is ``invalid``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, cast, get_args

from ..errors import InvalidEvent
from ..events._base import Event, Model, model_in
from ..events._family import Family
from ..payload import read_document

_KINDS: Final[dict[type, str]] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    type(None): "null",
}


@dataclass(frozen=True)
class Difference:
    """One difference, all of which are drift: the models should be looked at."""

    kind: Literal["unknown_event", "unknown_key", "unknown_value", "odd_value", "invalid"]
    path: str
    """On the wire; ``[]`` stands for the items of a list."""
    detail: str = ""


class Compared(NamedTuple):
    """An event and how it differs from its model."""

    name: str
    event_id: str
    event: Event | None
    """``None`` when it does not fit."""
    differences: list[Difference]


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
    found = dict.fromkeys(_in_object(read_document(body), cls, "", event))
    return Compared(name, event_id, event, [*problems, *found])


def _in_object(
    value: dict[str, Any], model: type[Model], path: str, parsed: object
) -> Iterator[Difference]:
    """Yield the differences of an object; ``parsed``: what became of it, ``None``: not known."""
    fields = {field.alias or name: (name, field) for name, field in model.model_fields.items()}
    for key, inner in value.items():
        here = f"{path}{key}"
        if key not in fields:
            yield Difference("unknown_key", here, _kind_of(inner))
            continue
        name, field = fields[key]
        became = getattr(parsed, name, None)
        # What is required refuses instead of being left empty.
        if parsed is not None and not field.is_required() and _is_left_out(inner, became):
            yield Difference("odd_value", here, _kind_of(inner))
            continue
        inside = model_in(field.annotation)
        if inside is not None:
            yield from _in_value(inner, inside, here, became)
        known = set(_known_values(field.annotation))
        if known and isinstance(inner, str) and inner not in {"", *known}:
            yield Difference("unknown_value", here, "string")


def _is_left_out(value: object, became: object) -> bool:
    """Tell whether a value did not fit, so that its field, or an item of it, is empty."""
    if value is None:
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
        became = cast("list[object]", parsed) if isinstance(parsed, list) else [None] * len(items)
        for item, one in zip(items, became, strict=True):
            yield from _in_value(item, model, f"{path}[]", one)


def _known_values(annotation: Any) -> Iterator[str]:
    """Yield the known values of an open enumeration, however deep its annotation is."""
    for one in get_args(annotation):
        if isinstance(one, str):
            yield one
        else:
            yield from _known_values(one)


def _kind_of(value: object) -> str:
    return _KINDS.get(type(value), "number")
