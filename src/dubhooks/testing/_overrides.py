"""Changing a sample: by whole envelope field, and by path."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast, get_args

from ..errors import ConfigurationError
from ..events._base import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..events._base import Event

__all__ = ["ABSENT", "Absent", "apply_overrides"]

_WHOLE_FIELDS = ("id", "createdAt", "data")
_DEFAULT_WHEN_NONE = ("id", "createdAt")


class Absent:
    """The type of ``ABSENT``."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()
"""As the value of an override: remove the key (or the item of a list)."""


def apply_overrides(
    document: dict[str | int, object],
    model: type[Event],
    paths: Mapping[str, object] | None,
    keywords: Mapping[str, object],
) -> None:
    """Change ``document``, which is an event of the class ``model``.

    Whole fields come first, then ``paths``, then keywords with ``__``, so that
    the more specific of two overrides wins.

    Raises:
        ConfigurationError: an override cannot be applied; the message names it.
    """
    for keyword, value in keywords.items():
        if "__" not in keyword:
            _apply_whole_field(document, model, keyword, value)
    for path, value in (paths or {}).items():
        _apply_path(document, model, path, path.split("."), value)
    for keyword, value in keywords.items():
        if "__" in keyword:
            if not keyword.startswith("data__"):
                _refuse(keyword, "a keyword with __ begins with data__")
            _apply_path(document, model, keyword, keyword.split("__"), value)


def _apply_whole_field(
    document: dict[str | int, object], model: type[Event], keyword: str, value: object
) -> None:
    field, _ = _wire_name(model, keyword)
    if field == "event":
        _refuse(keyword, "the event's name is the first argument")
    if field not in _WHOLE_FIELDS:
        _refuse(
            keyword,
            "it is none of id, created_at and data; for a field of data write data__<field>, for "
            'an unknown key of the envelope the mapping {"<key>": ...} as the second argument',
        )
    if value is not None or field not in _DEFAULT_WHEN_NONE:
        _merge(document, model, {field: value}, keyword)


def _apply_path(
    document: dict[str | int, object],
    model: type[Event],
    path: str,
    parts: Sequence[str],
    value: object,
) -> None:
    if not all(parts):
        _refuse(path, "a part of the path is empty")
    if parts[0] == "event":
        _refuse(path, "the event's name is the first argument")
    node: object = document
    inside: type[Model] | None = model
    for part in parts[:-1]:
        node, inside = _step(node, inside, part, path)
    key, inside = _locate(node, inside, parts[-1], path)
    holder = cast("dict[str | int, object]", node)
    if isinstance(value, Absent):
        _remove(holder, key, path)
    else:
        holder[key] = _copied(value, inside, path)


def _step(
    node: object, model: type[Model] | None, part: str, path: str
) -> tuple[object, type[Model] | None]:
    """Return what ``part`` leads to in ``node``; a key without a value becomes an object."""
    key, inside = _locate(node, model, part, path)
    holder = cast("dict[str | int, object]", node)
    if isinstance(node, dict) and holder.get(key) is None:
        holder[key] = {}
    return holder[key], inside


def _locate(
    node: object, model: type[Model] | None, part: str, path: str
) -> tuple[str | int, type[Model] | None]:
    """Return the key or index that ``part`` means in ``node``, and the model behind it."""
    if isinstance(node, dict):
        return _wire_name(model, part)
    if not isinstance(node, list):
        _refuse(path, f"there is no object or list that could hold {part!r}")
    length = len(cast("list[object]", node))
    if not (part.isdecimal() and part.isascii() and int(part) < length):
        _refuse(path, f"{part!r} is not an index of a list of {length}")
    return int(part), model


def _merge(
    node: dict[str | int, object],
    model: type[Model] | None,
    changes: Mapping[Any, object],
    path: str,
) -> None:
    for name, value in changes.items():
        if not isinstance(name, str):
            _refuse(path, "the keys of an object must be text")
        key, inside = _wire_name(model, name)
        current = node.get(key)
        members = _members(value)
        if isinstance(value, Absent):
            _remove(node, key, path)
        elif members is not None and isinstance(current, dict):
            _merge(cast("dict[str | int, object]", current), inside, members, path)
        else:
            node[key] = _copied(value, inside, path)


def _copied(value: object, model: type[Model] | None, path: str) -> object:
    # Copied, since a later override may change it and it belongs to the caller.
    members = _members(value)
    if members is not None:
        copy: dict[str | int, object] = {}
        _merge(copy, model, members, path)
        return copy
    if isinstance(value, (list, tuple)):
        return [_copied(item, model, path) for item in cast("Sequence[object]", value)]
    return value


def _members(value: object) -> Mapping[Any, object] | None:
    return cast("Mapping[Any, object]", value) if isinstance(value, Mapping) else None


def _remove(node: dict[str | int, object], key: str | int, path: str) -> None:
    # Refused when it is not there, else a misspelt path would leave the key in place unnoticed.
    if isinstance(key, str) and key not in node:
        _refuse(path, f"there is no {key!r} to remove")
    del node[key]


def _wire_name(model: type[Model] | None, name: str) -> tuple[str, type[Model] | None]:
    """Return the wire name of ``name``, which is that or an attribute, and the model behind it.

    In free JSON, such as ``metadata``, a name means itself.
    """
    return (_fields(model) if model else {}).get(name, (name, None))


@lru_cache(maxsize=256)
def _fields(model: type[Model]) -> dict[str, tuple[str, type[Model] | None]]:
    fields: dict[str, tuple[str, type[Model] | None]] = {}
    for attribute, field in model.model_fields.items():
        wire = field.alias or attribute
        fields[attribute] = fields[wire] = wire, _model_in(field.annotation)
    return fields


def _model_in(annotation: Any) -> type[Model] | None:
    arguments = get_args(annotation)
    if arguments:
        return next(filter(None, map(_model_in, arguments)), None)
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    return None


def _refuse(path: str, reason: str) -> NoReturn:
    raise ConfigurationError(f"the override {path!r} cannot be applied: {reason}")
