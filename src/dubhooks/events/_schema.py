"""What the docstrings of fields say, for JSON Schemas.

pydantic's ``use_attribute_docstrings`` reads the source when a class is created, which makes the
import of the models half as long again.  Here it is read when somebody asks for a schema.
"""

from __future__ import annotations

import ast
import inspect
from functools import lru_cache
from itertools import pairwise
from textwrap import dedent
from typing import Any, Final, cast

from pydantic import BaseModel

_EMPTY: Final = {str: "Empty", bool: "False", int: "0", list: "Empty"}


def describe_fields(model: type[BaseModel], properties: dict[str, Any]) -> None:
    """Give the properties of a JSON Schema readable titles, and the docstrings as descriptions.

    Args:
        model: the model of the schema.
        properties: its properties by wire name, changed in place.
    """
    for name, field in model.model_fields.items():
        described = properties[field.alias or name]
        described["title"] = name.replace("_", " ").capitalize()
        lines = [_find_docstring(model, name)]
        empty = None if field.is_required() else field.get_default(call_default_factory=True)
        if empty is not None:
            lines.append(f"{_EMPTY[type(empty)]} when Dub did not send it.")
        if any(lines):
            described["description"] = " ".join(filter(None, lines))


def _find_docstring(model: type[BaseModel], name: str) -> str:
    # A field that a subclass declares again keeps the docstring of its base.
    declaring = (cls for cls in model.__mro__ if name in inspect.get_annotations(cls))
    return next((text for cls in declaring if (text := _read_docstrings(cls).get(name))), "")


@lru_cache(maxsize=128)
def _read_docstrings(cls: type) -> dict[str, str]:
    try:
        source = ast.parse(dedent(inspect.getsource(cls)))
    except (OSError, TypeError):  # the source is not at hand
        return {}
    found: dict[str, str] = {}
    for pair in pairwise(cast("ast.ClassDef", source.body[0]).body):
        match pair:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                found[name] = " ".join(text.replace("``", "`").split())
            case _:
                pass
    return found
