"""The map of the code, compared with the code."""

from __future__ import annotations

import re
from pathlib import Path

import dubhooks

PACKAGE = Path(dubhooks.__file__).parent
PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


def names_on_map(indent: str) -> list[str]:
    """Return the folders and modules in the lines of the map that begin with ``indent``."""
    text = PAGE.read_text(encoding="utf-8").split("\nsrc/dubhooks/\n")[1].split("\ntests/ ")[0]
    lines = [line for line in text.splitlines() if re.match(rf"{indent}\w", line)]
    columns = [part for line in lines for part in re.split(r"\s{2,}", line.strip())]
    return sorted(part for part in columns if re.fullmatch(r"\w+\.py|\w+/", part))


def test_the_map_names_every_room() -> None:
    """Each folder and module at the top of the package is on the map once, and none that is not."""
    there = {f"{it.name}/" for it in PACKAGE.iterdir() if it.is_dir() and it.name[:4] != "__py"}
    there |= {it.name for it in PACKAGE.glob("*.py")}
    assert names_on_map("  ") == sorted(there)


def test_the_map_names_what_is_in_the_core() -> None:
    """The modules of the two rooms in the middle are on the map, too."""
    rooms = [PACKAGE / "idempotency", PACKAGE / "receiver"]
    there = [it.name for room in rooms for it in room.glob("*.py") if it.name != "__init__.py"]
    assert names_on_map("    ") == sorted(there)
