"""The tables of the page on events, compared with the models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dubhooks import postbacks, webhooks
from dubhooks.events._base import Event
from dubhooks.events._family import Family
from dubhooks.testing import make_event
from tests.support.payload_fixtures import required

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
FAMILIES: dict[str, Family[Any]] = {"Webhooks": webhooks.family, "Postbacks": postbacks.family}


def table_of(section: str) -> dict[str, tuple[str, str, list[str]]]:
    """Return name on the wire → class, natural key and what is required, from a table."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1:] for line in text.splitlines() if line.startswith("| `")]
    return {
        name: (
            re.findall(r"`(\w+)`", row[1])[0],
            row[2].strip(" `"),
            re.findall(r"`([\w.]+)`", row[3]),
        )
        for row in rows
        for name in re.findall(r"`([\w.]+)`", row[0])
    }


@pytest.mark.parametrize("section", FAMILIES)
def test_rows_are_of_events(section: str) -> None:
    """The page names the class of every event, and lists no other event."""
    classes = {name: cls.__name__ for name, cls in FAMILIES[section].classes.items()}
    assert {name: row[0] for name, row in table_of(section).items()}.items() <= classes.items()


@pytest.mark.parametrize("section", FAMILIES)
def test_natural_keys_are_as_listed(section: str) -> None:
    """An event has a natural key when its row has one, and it begins as the row says."""
    for name, (_, listed, _) in table_of(section).items():
        cls: Any = FAMILIES[section].classes[name]
        event: Event = make_event(cls, event=name)
        kind = listed.partition(":")[0]
        assert (event.natural_key or "").partition(":")[0] == kind, name


@pytest.mark.parametrize("section", FAMILIES)
def test_what_is_required_is_as_listed(section: str) -> None:
    """Nothing is required, or no longer required, without its row saying so."""
    for name, (_, _, listed) in table_of(section).items():
        needed = required(section.lower(), name)
        always = [path for path in needed if "." not in path or path.split(".")[0] in needed]
        objects = {path.split(".")[0] for path in needed if "." in path}
        assert sorted(set(always) - objects) == sorted(listed), name
