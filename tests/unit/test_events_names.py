"""The names of events and models: none is missing, none is there by accident."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest

import dubhooks
from dubhooks import postbacks, webhooks
from tests.support.payload_fixtures import PRODUCTION, document, encode, models_in, parse

FAMILIES: dict[str, Any] = {"webhooks": webhooks, "postbacks": postbacks}
SAMPLES = Path(dubhooks.__file__).parent / "_samples"
PAGE = Path(__file__).parents[2] / "docs" / "events.md"


def names_in(module: Any) -> set[str]:
    """Return the names that type checkers let others import: ``import Name as Name`` (PEP 484)."""
    source = Path(module.__file__).read_text("utf-8")
    return set(re.findall(r"^from \.events\.\S+ import (\w+) as \1$", source, re.MULTILINE))


def test_every_event_is_complete() -> None:
    """An event needs its place in the union, a public class, a sample, a payload and a row."""
    lacking: list[str] = []
    for title, module in FAMILIES.items():
        rows = PAGE.read_text("utf-8").split(f"\n## {title.title()}\n")[1].split("\n## ")[0]
        samples = {file.stem for file in (SAMPLES / title).glob("*.json")}
        payloads = {name for family, name in PRODUCTION if family == title}
        classes, public = module.family.classes, names_in(module)
        for name in sorted({*classes, *samples, *payloads}):
            cls = classes.get(name)
            needs = {
                f"its class in the union of {title}.py": cls is not None,
                f"'import Name as Name' in {title}.py": not cls or cls.__name__ in public,
                f"a sample, _samples/{title}/{name}.json": name in samples,
                f"a payload, tests/fixtures/{title}/{name}.json": name in payloads,
                "a row in docs/events.md": f"`{name}`" in rows,
            }
            lacking += [f"{name} needs {what}" for what, is_there in needs.items() if not is_there]
    assert not lacking, "\n".join(lacking)


@pytest.mark.parametrize("title", FAMILIES)
def test_classes_are_named_after_their_events(title: str) -> None:
    """``sale.created`` is ``SaleCreated``; only the payout has two names on the wire."""
    module = FAMILIES[title]
    known = get_args(vars(module)[f"Known{title[:-1].title()}Event"])
    assert set(known) == set(module.family.classes.values())
    for name, cls in module.family.classes.items():
        words = name.removeprefix("external_").replace(".", "_").split("_")
        assert cls.__name__ == "".join(map(str.title, words))
        assert get_args(cls.model_fields["event"].annotation)[0] == name.removeprefix("external_")
        assert cls.__family__ == title[:-1]


def test_families_share_no_class() -> None:
    """The postbacks have classes of their own; both unions hold ``UnknownEvent``."""
    unions = (get_args(webhooks.WebhookEvent), get_args(postbacks.PostbackEvent))
    assert set(unions[0]) & set(unions[1]) == {webhooks.UnknownEvent}


@pytest.mark.parametrize("title", FAMILIES)
def test_public_names(title: str) -> None:
    """Every model of the payloads is exported, and nothing by accident."""
    module = FAMILIES[title]
    others = {f"Known{title[:-1].title()}Event", f"{title[:-1].title()}Event", "parse"}
    assert set(module.__all__) == names_in(module) | others
    bodies = [body for (family, _), body in PRODUCTION.items() if family == title]
    used = {type(model).__name__ for body in bodies for _, model in models_in(parse(title, body))}
    assert used <= names_in(module)


@pytest.mark.parametrize("name", ["Sale.Created", "sale_created", "sale.created ", "sale.created."])
def test_name_in_another_spelling_is_unknown(name: str) -> None:
    """Names are compared as they are."""
    value = document("webhooks", "sale.created") | {"event": name}
    event = webhooks.parse(encode(value))
    assert isinstance(event, webhooks.UnknownEvent)
    assert (event.event, event.data) == (name, value["data"])
