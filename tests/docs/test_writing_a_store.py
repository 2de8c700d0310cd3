"""The page on writing a store is followed: its files are written, and its test is run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from dubhooks.testing import StoreContract

PAGE = Path(__file__).parents[2] / "docs" / "writing-a-store.md"
FILE = re.compile(r"^```python.*\n# (\S+\.py)\n((?:.*\n)*?)```$", re.MULTILINE)


def test_page_is_followed(tmp_path: Path) -> None:
    """The store of the page passes every test of the contract, run as the page says."""
    files = dict(FILE.findall(PAGE.read_text(encoding="utf-8")))
    assert list(files) == ["directory_store.py", "test_directory_store.py"]
    for name, code in files.items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    tests = [name for name in dir(StoreContract) if name.startswith("test_")]
    assert f"{len(tests)} passed" in ran.stdout
