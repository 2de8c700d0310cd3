"""Every Python block of the README and of every page in docs is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The oldest FastAPI with a pydantic that is newer than it.
OLD_FASTAPI = "ignore:`general_plain_validator_function` is deprecated:DeprecationWarning"
SECRETS = {
    "DUB_WEBHOOK_SECRET": "whsec_0123456789abcdef0123456789abcdef",
    "DUB_POSTBACK_SECRET": "pbsec_0123456789abcdef0123456789abcdef",
}


def program_of(page: Path) -> str:
    """Return the Python blocks of a page as one program, at the page's line numbers."""
    text = page.read_text(encoding="utf-8")
    lines = [""] * (text.count("\n") + 1)
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1))
        for offset, line in enumerate(block[1].splitlines()):
            lines[first + offset] = line
    return "\n".join(lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    """The blocks of a page run from top to bottom as one program, with warnings as errors."""
    program = program_of(page)
    if not program.strip():
        assert "```python" not in page.read_text(encoding="utf-8")
        return
    script = tmp_path / f"{page.stem}_page.py"
    script.write_text(program, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-W", OLD_FASTAPI, script.name],
        cwd=tmp_path,
        env={**os.environ, **SECRETS},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
