"""The reference, which docs/_ext writes from the code; Sphinx itself runs in CI only."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dubhooks import postbacks, webhooks

EXTENSION = Path(__file__).parents[2] / "docs" / "_ext"
sys.path.insert(0, str(EXTENSION))
PAGES: dict[str, str] = runpy.run_path(str(EXTENSION / "event_pages.py"))["build_event_pages"]()
sys.path.remove(str(EXTENSION))
EVENTS: dict[str, Any] = {
    f"{title}/{event.__name__}": event
    for title, module in {"webhooks": webhooks, "postbacks": postbacks}.items()
    for event in module.family.classes.values()
}
CHECK = """
import runpy
runpy.run_path("docs/conf.py")
import public_names as it
entries = {*it.find_entries(it.list_public_names()).values()}
entries |= {f"dubhooks.{name}" for name in it.list_public_modules()}
assert not it.list_missing(entries)
print(*it.list_missing(entries - {"dubhooks.RetryLater"}), sep="\\n")
"""


@pytest.mark.parametrize("page", EVENTS)
def test_every_field_has_an_entry(page: str) -> None:
    """The page of an event, and those of the objects in it, have each key of its JSON Schema."""
    schema: dict[str, Any] = EVENTS[page].model_json_schema()
    for name, model in {EVENTS[page].__name__: schema, **schema.get("$defs", {})}.items():
        text = PAGES.get(f"objects/{name}") or PAGES[page]
        entry = text.split(f".{name}\n   :canonical:")[1].split("\n.. py:class::")[0]
        for wire, described in model["properties"].items():
            assert f"JSON key ``{wire}``" in entry
            assert described["description"].replace("`", "``") in entry


def test_what_an_entry_says() -> None:
    """A field has its type, meaning, JSON key, what is known of its values, and an example."""
    assert PAGES["webhooks/PayoutConfirmed"].count("JSON key ``mode``") == 1
    entry = PAGES["webhooks/PayoutConfirmed"].split("py:attribute:: mode\n")[1]
    lines = [line.strip() for line in entry.splitlines() if line.strip()]
    assert lines[:2] == [
        ":type: str | None",
        "``external``: you pay; Dub pays an ``internal`` one.",
    ]
    assert lines[3] == (
        "JSON key ``mode`` · ``None`` when Dub did not send it · "
        'known values: ``internal``, ``external`` · for example ``"external"``'
    )


def test_a_name_without_an_entry_is_told() -> None:
    """The line that stops CI says which public name has no entry, under each of its names."""
    pytest.importorskip("django_tasks_db")
    python = [sys.executable, "-c", CHECK]
    ran = subprocess.run(python, cwd=EXTENSION.parents[1], capture_output=True, text=True)
    assert ran.stdout.splitlines() == [
        f"dubhooks.{name} has no entry in the reference: see PAGES in docs/_ext/reference.py"
        for name in ("RetryLater", "errors.RetryLater")
    ], ran.stderr
