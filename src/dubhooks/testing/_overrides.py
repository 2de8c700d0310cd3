"""Changing a sample: by whole envelope field, and by path."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, cast

from ..errors import ConfigurationError
from ..events._base import model_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..events._base import Event, Model

__all__ = ["ABSENT", "Absent", "apply_overrides"]

_NAME = "an event keeps its name; where a class has two, event=... chooses one"
_WHOLE_FIELDS = ("id", "createdAt", "data")
_DEFAULT_WHEN_NONE = ("id", "createdAt")


class Absent:
    """The type of ``ABSENT``."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()
"""As the value of an override: remove the key (or the item of a list)."""


class _Override(NamedTuple):
    """One override, as the caller wrote it."""

    path: str
    adds: bool = False
    """It may add keys that no model knows."""


def apply_overrides(
    document: dict[str | int, object],
    model: type[Event],
    paths: Mapping[str, object] | None,
    keywords: Mapping[str, object],
    add: Mapping[str, object] | None = None,
) -> None:
    """Change ``document``, which is an event of the class ``model``.

    Whole fields come first, then ``paths``, then keywords with ``__``, so that
    the more specific of two overrides wins; then ``add``, the paths that may
    lead to keys that no model knows.

    Raises:
        ConfigurationError: an override cannot be applied; the message names it.
    """
    for keyword, value in keywords.items():
        if "__" not in keyword:
            _apply_whole_field(document, model, keyword, value)
    for path, value in (paths or {}).items():
        _apply_path(document, model, _Override(path), path.split("."), value)
    for keyword, value in keywords.items():
        if "__" in keyword:
            override = _Override(keyword)
            if not keyword.startswith("data__"):
                _refuse(override, "a keyword with __ begins with data__")
            _apply_path(document, model, override, keyword.split("__"), value)
    for path, value in (add or {}).items():
        _apply_path(document, model, _Override(path, adds=True), path.split("."), value)


def _apply_whole_field(
    document: dict[str | int, object], model: type[Event], keyword: str, value: object
) -> None:
    override = _Override(keyword)
    field, _ = _fields(model).get(keyword, (keyword, None))
    if field == "event":
        _refuse(override, _NAME)
    if field not in _WHOLE_FIELDS:
        _refuse(
            override,
            "it is none of id, created_at and data; for a field of data write data__<field>, for "
            'an unknown key of the envelope add={"<key>": ...}',
        )
    if value is not None or field not in _DEFAULT_WHEN_NONE:
        _merge(document, model, {field: value}, override)


def _apply_path(
    document: dict[str | int, object],
    model: type[Event],
    override: _Override,
    parts: Sequence[str],
    value: object,
) -> None:
    if not all(parts):
        _refuse(override, "a part of the path is empty")
    if parts[0] == "event":
        _refuse(override, _NAME)
    node: object = document
    inside: type[Model] | None = model
    for part in parts[:-1]:
        node, inside = _step(node, inside, part, override)
    key, inside = _locate(node, inside, parts[-1], override)
    holder = cast("dict[str | int, object]", node)
    if isinstance(value, Absent):
        _remove(holder, key, override)
    else:
        holder[key] = _copied(value, inside, override)


def _step(
    node: object, model: type[Model] | None, part: str, override: _Override
) -> tuple[object, type[Model] | None]:
    """Return what ``part`` leads to in ``node``; a key without a value becomes an object."""
    key, inside = _locate(node, model, part, override)
    holder = cast("dict[str | int, object]", node)
    if isinstance(node, dict) and holder.get(key) is None:
        holder[key] = {}
    return holder[key], inside


def _locate(
    node: object, model: type[Model] | None, part: str, override: _Override
) -> tuple[str | int, type[Model] | None]:
    """Return the key or index that ``part`` means in ``node``, and the model behind it."""
    if isinstance(node, dict):
        return _wire_name(model, part, override)
    if not isinstance(node, list):
        _refuse(override, f"there is no object or list that could hold {part!r}")
    length = len(cast("list[object]", node))
    if not (part.isdecimal() and part.isascii() and int(part) < length):
        _refuse(override, f"{part!r} is not an index of a list of {length}")
    return int(part), model


def _merge(
    node: dict[str | int, object],
    model: type[Model] | None,
    changes: Mapping[Any, object],
    override: _Override,
) -> None:
    for name, value in changes.items():
        if not isinstance(name, str):
            _refuse(override, "the keys of an object must be text")
        key, inside = _wire_name(model, name, override)
        current = node.get(key)
        members = _members(value)
        if isinstance(value, Absent):
            _remove(node, key, override)
        elif members is not None and isinstance(current, dict):
            _merge(cast("dict[str | int, object]", current), inside, members, override)
        else:
            node[key] = _copied(value, inside, override)


def _copied(value: object, model: type[Model] | None, override: _Override) -> object:
    # Copied, since a later override may change it and it belongs to the caller.
    members = _members(value)
    if members is not None:
        copy: dict[str | int, object] = {}
        _merge(copy, model, members, override)
        return copy
    if isinstance(value, (list, tuple)):
        return [_copied(item, model, override) for item in cast("Sequence[object]", value)]
    return value


def _members(value: object) -> Mapping[Any, object] | None:
    return cast("Mapping[Any, object]", value) if isinstance(value, Mapping) else None


def _remove(node: dict[str | int, object], key: str | int, override: _Override) -> None:
    # Refused when it is not there, else a misspelt path would leave the key in place unnoticed.
    if isinstance(key, str) and key not in node:
        _refuse(override, f"there is no {key!r} to remove")
    del node[key]


def _wire_name(
    model: type[Model] | None, name: str, override: _Override
) -> tuple[str, type[Model] | None]:
    """Return the wire name of ``name``, which is that or an attribute, and the model behind it.

    In free JSON, such as ``metadata``, a name means itself.
    """
    if model is None:
        return name, None
    fields = _fields(model)
    if name not in fields and not override.adds:
        # Refused, else a misspelt name would leave the sample's value in place unnoticed.
        close = get_close_matches(name, fields, n=1)
        hint = f": did you mean {close[0]!r}?" if close else "."
        _refuse(
            override,
            f"{model.__name__} has no {name!r}{hint} "
            "A key that the models do not know is set with add",
        )
    return fields.get(name, (name, None))


@lru_cache(maxsize=256)
def _fields(model: type[Model]) -> dict[str, tuple[str, type[Model] | None]]:
    fields: dict[str, tuple[str, type[Model] | None]] = {}
    for attribute, field in model.model_fields.items():
        wire = field.alias or attribute
        fields[attribute] = fields[wire] = wire, model_in(field.annotation)
    return fields


def _refuse(override: _Override, reason: str) -> NoReturn:
    raise ConfigurationError(f"the override {override.path!r} cannot be applied: {reason}")
