"""Set unreadable statistics aside: a counter never refuses an event."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, get_args

from ._base import Model, Statistic

if TYPE_CHECKING:
    from collections.abc import Iterable

    Path: TypeAlias = tuple[str | int, ...]

__all__ = ["Aside", "model_in", "put_back", "set_aside"]


class Aside(NamedTuple):
    """A value that was taken out of a document, and where it was."""

    path: Path
    value: object


def set_aside(cls: type[Model], document: dict[str, Any], paths: Iterable[str]) -> list[Aside]:
    """Take statistics out of a document; other fields stay.

    Args:
        cls: the model of the document.
        document: the event as plain JSON, changed in place.
        paths: dotted paths of values that do not fit.

    Returns:
        What was taken out.
    """
    aside: list[Aside] = []
    for dotted in paths:
        path = tuple(int(part) if part.isdecimal() else part for part in dotted.split("."))
        holder = _holder(cls, document, path)
        if holder is not None:
            aside.append(Aside(path, holder.pop(str(path[-1]))))
    return aside


def put_back(event: Model, aside: Iterable[Aside]) -> None:
    """Put values into ``model_extra`` of the objects they came from, like unknown keys.

    Args:
        event: the parsed event.
        aside: what :func:`set_aside` returned.
    """
    for path, value in aside:
        node: Any = event
        for part in path[:-1]:
            node = node[part] if isinstance(part, int) else getattr(node, _attribute(node, part))
        node.__pydantic_extra__[str(path[-1])] = value


def _holder(cls: type[Model], document: dict[str, Any], path: Path) -> dict[str, Any] | None:
    """Return the object that holds the statistic at ``path``; ``None``: there is no statistic."""
    node: Any = document
    model: type[Model] = cls
    for part in path[:-1]:
        if isinstance(part, str):
            inside = _fields(model)[part].model if part in _fields(model) else None
            if inside is None:
                return None  # free JSON
            model = inside
        node = node[part]
    field = _fields(model).get(path[-1])
    return node if field is not None and field.is_statistic else None


class _Known(NamedTuple):
    attribute: str
    model: type[Model] | None
    is_statistic: bool


@lru_cache(maxsize=256)
def _fields(model: type[Model]) -> dict[str | int, _Known]:
    """Return what is known about the fields of a model, by their wire names."""
    return {
        field.alias or name: _Known(
            name, model_in(field.annotation), _is_statistic((field.annotation, *field.metadata))
        )
        for name, field in model.model_fields.items()
    }


def _attribute(model: Model, wire: str) -> str:
    return _fields(type(model))[wire].attribute


def model_in(annotation: Any) -> type[Model] | None:
    """Return the model in an annotation: alone, optional or in a list."""
    arguments = get_args(annotation)
    if arguments:
        return next(filter(None, map(model_in, arguments)), None)
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    return None


def _is_statistic(annotations: Iterable[Any]) -> bool:
    return any(isinstance(one, Statistic) or _is_statistic(get_args(one)) for one in annotations)
