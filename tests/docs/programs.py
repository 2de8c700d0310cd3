"""The programs on a page: its blocks of Python, each by itself unless it says that it continues."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES_WITH_PYTHON = [page for page in PAGES if "```python\n" in page.read_text(encoding="utf-8")]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONTINUED = "# continued"
"""The first line of a block that belongs to the program above it."""
INSTALL = re.compile(r"^pip install (.*dubhooks.*)$", re.MULTILINE)
# The oldest FastAPI with a pydantic that is newer than it.
OLD_FASTAPI = "ignore:`general_plain_validator_function` is deprecated:DeprecationWarning"
SECRETS = {
    "DUB_WEBHOOK_SECRET": "whsec_0123456789abcdef0123456789abcdef",
    "DUB_POSTBACK_SECRET": "pbsec_0123456789abcdef0123456789abcdef",
}


def programs_on(page: Path) -> list[str]:
    """Return the programs of a page, each at the page's line numbers."""
    text = page.read_text(encoding="utf-8")
    programs: list[list[str]] = []
    assert len(BLOCK.findall(text)) == text.count("```python\n"), f"{page.name}: an indented block"
    for block in BLOCK.finditer(text):
        lines = block[1].splitlines()
        if lines[0] != CONTINUED:
            programs.append([])
        assert programs, f"{page.name}: the first block continues nothing"
        program = programs[-1]
        program += [""] * (text.count("\n", 0, block.start(1)) - len(program)) + lines
    return ["\n".join(program) for program in programs]


def run_programs(page: Path, python: str, directory: Path) -> None:
    """Run each program of a page by itself, with warnings as errors."""
    for number, program in enumerate(programs_on(page), 1):
        folder = directory / f"{page.stem}_{number}"
        folder.mkdir()
        script = folder / f"{page.stem}_page.py"
        script.write_text(program, encoding="utf-8")
        ran = subprocess.run(
            [python, "-W", "error", "-W", OLD_FASTAPI, script.name],
            cwd=folder,
            env={**os.environ, **SECRETS},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, f"program {number} of {page.name}: {ran.stderr}"


def installed_by(page: Path) -> tuple[str, ...]:
    """Return what the page says to install: the requirements in its first ``pip install``."""
    line = INSTALL.search(page.read_text(encoding="utf-8"))
    assert line, f"{page.name} has Python and no line that begins with: pip install"
    return tuple(shlex.split(line[1], comments=True))
