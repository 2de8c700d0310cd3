"""How a real payload differs from the models; names and types, never values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

from ..errors import InvalidEvent, Problem
from ..events._base import Model, Open
from ..events.unknown import UnknownEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..events._base import Event
    from ..events._family import Family

__all__ = ["Difference", "differences"]

_KINDS: Final[dict[type, str]] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    type(None): "null",
}


@dataclass(frozen=True)
class Difference:
    """One difference."""

    kind: Literal["unknown_event", "unknown_key", "unknown_value", "absent_key", "invalid"]
    path: str
    """On the wire; ``[]`` stands for the items of a list."""
    detail: str = ""

    @property
    def is_drift(self) -> bool:
        """The models should be looked at; many keys may be absent, so those do not count."""
        return self.kind != "absent_key"


def differences(body: bytes, family: Family[Any]) -> tuple[Event | None, list[Difference]]:
    """Return the event in ``body``, if it parses, and how it differs from its model.

    Raises:
        PayloadError: there is no event in ``body``.
    """
    try:
        event: Event = family.parse(body)
    except InvalidEvent as error:
        return None, [_invalid(problem) for problem in error.problems]
    if isinstance(event, UnknownEvent):
        return event, [Difference("unknown_event", "event")]
    found = dict.fromkeys(_in_model(event, ""))
    return event, sorted(found, key=lambda one: not one.is_drift)


def _invalid(problem: Problem) -> Difference:
    return Difference("invalid", problem.path, problem.problem)


def _in_model(model: Model, path: str) -> Iterator[Difference]:
    for name, field in type(model).model_fields.items():
        here = f"{path}{field.alias or name}"
        if name not in model.model_fields_set:
            yield Difference("absent_key", here)
            continue
        value = getattr(model, name)
        yield from _in_value(value, here)
        known = _known_values(field.annotation, field.metadata)
        if known and isinstance(value, str) and value not in known:
            yield Difference("unknown_value", here, "string")
    for key, value in (model.model_extra or {}).items():
        yield Difference("unknown_key", f"{path}{key}", _kind_of(value))


def _in_value(value: object, path: str) -> Iterator[Difference]:
    # What is no model is free-form, such as metadata: its keys are somebody's data.
    if isinstance(value, Model):
        yield from _in_model(value, f"{path}.")
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _in_value(item, f"{path}[]")


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
