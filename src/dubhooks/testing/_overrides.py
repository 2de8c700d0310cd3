"""Changing a sample by path."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from ..errors import ConfigurationError
from ..events._base import model_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..events._base import Event, Model

__all__ = ["ABSENT", "Absent", "apply_overrides"]

_ADDS: Final = "+"
"""What a path begins with that may lead to keys that no model knows."""


class Absent:
    """The type of ``ABSENT``."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()
"""As the value of an override: remove the key (or the item of a list)."""


def apply_overrides(
    document: dict[str, Any],
    model: type[Event],
    paths: Mapping[str, object] | None,
    keywords: Mapping[str, object],
) -> None:
    """Change ``document``, which is an event of the class ``model``.

    Raises:
        ConfigurationError: an override cannot be applied; the message names it.
    """
    for path, value in (paths or {}).items():
        _apply(document, model, path, value)
    for keyword, value in keywords.items():
        _apply(document, model, keyword.replace("__", "."), value)


def _apply(document: Any, model: type[Model] | None, path: str, value: object) -> None:
    *parents, last = path.removeprefix(_ADDS).split(".")
    if not all([*parents, last]):
        _refuse(path, "a part of the path is empty")
    if (parents or [last])[0] == "event":
        _refuse(path, "an event keeps its name; where a class has two, event=... chooses one")
    node = document
    for part in parents:
        key, model = _locate(node, model, part, path)
        if _is_object(node) and node.get(key) is None:
            node[key] = {}
        node = node[key]
    key, model = _locate(node, model, last, path)
    if not isinstance(value, Absent):
        node[key] = _convert(value, model, path)
    elif _is_object(node) and key not in node:
        _refuse(path, f"there is no {key!r} to remove")
    else:
        del node[key]


def _locate(
    node: Any, model: type[Model] | None, part: str, path: str
) -> tuple[Any, type[Model] | None]:
    """Return the key or index that ``part`` means in ``node``, and the model of what is there."""
    if _is_object(node):
        return _find_key(model, part, path)
    if not isinstance(node, list):
        _refuse(path, f"there is no object or list that could hold {part!r}")
    length = len(cast("list[object]", node))
    if not (part.isdecimal() and part.isascii() and int(part) < length):
        _refuse(path, f"{part!r} is not an index of a list of {length}")
    return int(part), model


def _is_object(node: object) -> bool:
    return isinstance(node, dict)


def _convert(value: object, model: type[Model] | None, path: str) -> object:
    """Return a copy of ``value`` whose keys are those of the wire."""
    if isinstance(value, Mapping):
        members: dict[str, object] = {}
        for name, member in cast("Mapping[object, object]", value).items():
            key, inside = _find_key(model, name, path)
            members[key] = _convert(member, inside, path)
        return members
    if isinstance(value, (list, tuple)):
        return [_convert(item, model, path) for item in cast("Sequence[object]", value)]
    return value


def _find_key(model: type[Model] | None, name: object, path: str) -> tuple[str, type[Model] | None]:
    """Return the wire name of ``name``, which is that or an attribute, and the model behind it.

    In free JSON, such as ``metadata``, a name means itself.
    """
    if not isinstance(name, str):
        _refuse(path, "the keys of an object must be text")
    fields = _list_fields(model) if model is not None else {}
    if model is not None and name not in fields and not path.startswith(_ADDS):
        # Refused, else a misspelt name would leave the sample's value in place unnoticed.
        close = get_close_matches(name, fields, n=1)
        hint = f": did you mean {close[0]!r}?" if close else ", and paths begin at the envelope."
        _refuse(
            path,
            f"{model.__name__} has no {name!r}{hint} A key that the models do not know is added "
            f"with a plus before its path: {_ADDS + path!r}",
        )
    return fields.get(name, (name, None))


@lru_cache(maxsize=256)
def _list_fields(model: type[Model]) -> dict[str, tuple[str, type[Model] | None]]:
    fields: dict[str, tuple[str, type[Model] | None]] = {}
    for attribute, field in model.model_fields.items():
        wire = field.alias or attribute
        fields[attribute] = fields[wire] = wire, model_in(field.annotation)
    return fields


def _refuse(path: str, reason: str) -> NoReturn:
    raise ConfigurationError(f"the override {path!r} cannot be applied: {reason}")
