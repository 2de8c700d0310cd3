"""The pages of the reference about events and their objects, made from the models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from inspect import getdoc
from types import ModuleType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from public_names import FAMILIES, PACKAGE, list_names

import dubhooks
from dubhooks import webhooks
from dubhooks.events._base import Event, Model
from dubhooks.events._schema import describe_fields

_SAMPLES = PACKAGE / "_samples"
_LONGEST_EXAMPLE = 60


def build_event_pages() -> dict[str, str]:
    """Return the text of each page, in reStructuredText, by its name.

    An object that events on several pages have is on a page of its own, any other on the page of
    its event.
    """
    pages_of: dict[type[Model], list[str]] = {}
    for page, event in _list_events():
        for model in _reach(event):
            pages_of.setdefault(model, []).append(page)
    texts: dict[str, str] = {}
    for page, event in _list_events():
        own = [model for model in _reach(event) if pages_of[model] == [page]]
        texts[page] = _build_event_page(page.split("/")[0], event, own)
    shared = sorted((m for m in pages_of if len(pages_of[m]) > 1), key=lambda m: m.__name__)
    for model in shared:
        using = ", ".join(f":doc:`/reference/{page}`" for page in pages_of[model])
        head = f"{_title(model.__name__)}\nPart of {using}.\n\n"
        texts[f"objects/{model.__name__}"] = head + _describe_model(model)
    for name, family in FAMILIES.items():
        texts[name] = _build_family_page(name, family)
    return texts


def find_public_name(model: type[Model]) -> str:
    """Return where users import a model from; one of both families, from the webhooks."""
    for module in (dubhooks, *FAMILIES.values()):
        name = model.__name__
        if name in list_names(module) and getattr(module, name) is model:
            return f"{module.__name__}.{name}"
    raise LookupError(f"{model.__name__} is in an event and not public: import it in webhooks.py")


def _list_events() -> Iterator[tuple[str, type[Event]]]:
    for name, family in FAMILIES.items():
        for event in dict.fromkeys(family.family.classes.values()):
            yield f"{name}/{event.__name__}", event


def _names_of(event: type[Event]) -> tuple[str, ...]:
    return get_args(event.model_fields["event"].annotation)


def _build_event_page(family: str, event: type[Event], own: list[type[Model]]) -> str:
    names = _names_of(event)
    title = f"{', '.join(names)}{' (postback)' if family == 'postbacks' else ''}"
    text = f"{_title(title)}\n{_describe_model(event)}\n"
    for model in own:
        text += f"\n{_title(model.__name__, '-')}\n{_describe_model(model)}"
    text += f"\n{_title('The whole event', '-')}\nA sample, with every key that Dub sends.\n\n"
    sample = json.dumps(_load_sample(family, names[0]), indent=2, ensure_ascii=False)
    return text + f".. code-block:: json\n\n{_indent(sample)}\n"


def _build_family_page(name: str, family: ModuleType) -> str:
    rows = "".join(
        f"   * - ``{wire}``\n     - :class:`~{find_public_name(event)}`\n"
        for wire, event in family.family.classes.items()
    )
    events = "\n".join(f"   {page}" for page, _ in _list_events() if page.startswith(name))
    return (
        f"{_title(f'{name.capitalize()}: dubhooks.{name}')}\n"
        f".. automodule:: dubhooks.{name}\n\n.. py:currentmodule:: None\n\n"
        f".. list-table::\n   :header-rows: 1\n\n   * - name\n     - class\n{rows}\n"
        f".. toctree::\n   :hidden:\n\n{events}\n\n"
        + (_describe_model(webhooks.UnknownEvent) if family is webhooks else "")
    )


def _reach(model: type[Model]) -> list[type[Model]]:
    """Return the models inside a model, nearest first."""
    found = [inner for field in model.model_fields.values() for inner in _models_in(field)]
    for inner in list(found):
        found += _reach(inner)
    return list(dict.fromkeys(found))


def _models_in(field: Any) -> Iterator[type[Model]]:
    annotation = getattr(field, "annotation", field)
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _describe_model(model: type[Model]) -> str:
    name = find_public_name(model)
    text = f".. py:class:: {name}\n   :canonical: {model.__module__}.{model.__name__}\n"
    text += "   :no-contents-entry:\n\n"
    text += f"{_indent(getdoc(model) or '')}\n\n"
    properties: dict[str, dict[str, Any]] = {
        field.alias or key: {} for key, field in model.model_fields.items()
    }
    describe_fields(model, properties)
    for key, field in model.model_fields.items():
        wire = field.alias or key
        described = properties[wire].get("description", "").replace("`", "``")
        if not described:
            raise LookupError(f"{name}.{key} has no description: write its docstring")
        facts = [f"JSON key ``{wire}``"]
        if field.is_required():
            facts.append("required")
        elif field.default is None and field.default_factory is None:
            facts.append("``None`` when Dub did not send it")
        known = list(_values_in(field.annotation))
        if known and key != "event":  # whose names are the title
            facts.append("known values: " + ", ".join(f"``{value}``" for value in known))
        if (example := _EXAMPLES.get((model, key))) is not None:
            facts.append(f"for example ``{example}``")
        entry = f".. py:attribute:: {key}\n   :type: {_describe_type(field.annotation)}\n\n"
        entry += f"   {described}\n\n   .. rst-class:: facts\n\n   {' · '.join(facts)}\n\n"
        text += _indent(entry) + "\n"
    if "natural_key" in vars(model):
        key = _indent(f"{getdoc(vars(model)['natural_key'])}\n")
        text += _indent(f".. py:property:: natural_key\n   :type: str | None\n\n{key}\n")
    return text


def _describe_type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _describe_type(get_args(annotation)[0])
    if origin is Literal:
        return "str"
    arguments = [_describe_type(it) for it in get_args(annotation)]
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(arguments))
    if origin is not None:
        return f"{origin.__name__}[{', '.join(arguments)}]"
    if annotation in (None, type(None)):
        return "None"
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return find_public_name(annotation)
    return str(getattr(annotation, "__name__", "Any"))


def _values_in(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) is not None:
        for argument in get_args(annotation):
            yield from _values_in(argument)


def _load_sample(family: str, name: str) -> dict[str, Any]:
    sample: dict[str, Any] = json.loads((_SAMPLES / family / f"{name}.json").read_text("utf-8"))
    return sample


def _collect_examples() -> dict[tuple[type[Model], str], str]:
    found: dict[tuple[type[Model], str], str] = {}

    def look_into(model: type[Model], document: dict[str, Any]) -> None:
        for key, field in model.model_fields.items():
            value = document.get(field.alias or key)
            inner = next(_models_in(field), None)
            for item in value if isinstance(value, list) else [value]:
                if inner is not None and isinstance(item, dict):
                    look_into(inner, item)
                elif item not in (None, "", {}):
                    written = json.dumps(item, ensure_ascii=False)
                    if len(written) <= _LONGEST_EXAMPLE:
                        found.setdefault((model, key), written)

    for page, event in _list_events():
        look_into(event, _load_sample(page.split("/")[0], _names_of(event)[0]))
    return found


def _title(text: str, sign: str = "=") -> str:
    return f"{text}\n{sign * len(text)}\n"


def _indent(text: str) -> str:
    return "".join(f"   {line}" if line.strip() else line for line in text.splitlines(True))


_EXAMPLES = _collect_examples()
