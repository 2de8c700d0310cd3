"""mypy and pyright accept every ``*_ok.py`` and example, and refuse marked lines of ``*_fail.py``.

In a ``*_fail.py``, a line that ends with ``# expect-error`` must have an error
and no other line may have one.  A file needs the frameworks it imports: the
checkers look in the environment of the running Python.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PASSING = [*sorted(HERE.glob("*_ok.py")), *sorted((ROOT / "examples").glob("*.py"))]
FAILING = sorted(HERE.glob("*_fail.py"))
MARK = "# expect-error"
_MYPY_ERROR = re.compile(r"(?P<file>[^:\n]+):(?P<line>\d+):(?:\d+:)? error: (?P<message>.*)")

Errors = dict[Path, dict[int, str]]
"""File → line, from 1 → message."""


def run(*command: str) -> str:
    """Return what a checker prints: it may find errors, and must not fail itself."""
    ran = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    return ran.stdout


@cache
def mypy() -> Errors:
    """Return what ``mypy --strict`` finds."""
    files = [str(file.relative_to(ROOT)) for file in PASSING + FAILING]
    options = ["--strict", "--no-pretty", "--hide-error-context", "--no-error-summary"]
    found: Errors = {}
    # A call that returns NoReturn would hide the lines below it.
    for line in run("mypy", *options, "--no-warn-unreachable", *files).splitlines():
        error = _MYPY_ERROR.match(line)
        if error:
            where = found.setdefault(ROOT / error["file"], {})
            where.setdefault(int(error["line"]), error["message"])
    return found


@cache
def pyright() -> Errors:
    """Return what pyright finds in strict mode."""
    options = ["--project", str(HERE / "pyrightconfig.json"), "--pythonpath", sys.executable]
    report = json.loads(run("pyright", "--outputjson", *options))
    assert report["summary"]["filesAnalyzed"] >= len(PASSING + FAILING), report["summary"]
    found: Errors = {}
    for entry in report["generalDiagnostics"]:
        if entry["severity"] == "error":
            where = found.setdefault(Path(entry["file"]), {})
            where.setdefault(entry["range"]["start"]["line"] + 1, entry["message"])
    return found


CHECKERS = [pytest.param(mypy, id="mypy"), pytest.param(pyright, id="pyright")]


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("file", PASSING, ids=lambda file: file.stem)
def test_good_code_is_accepted(file: Path, checker: Callable[[], Errors]) -> None:
    """What users write as documented has no error."""
    assert checker().get(file, {}) == {}


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("file", FAILING, ids=lambda file: file.stem)
def test_bad_code_is_refused(file: Path, checker: Callable[[], Errors]) -> None:
    """Every mistake is an error on its line, and nothing else is."""
    lines = file.read_text(encoding="utf-8").splitlines()
    expected = {number for number, line in enumerate(lines, 1) if line.rstrip().endswith(MARK)}
    found = checker().get(file, {})
    assert expected, "a file of mistakes has none marked"
    assert {number: found[number] for number in found if number not in expected} == {}
    assert {number: lines[number - 1] for number in expected if number not in found} == {}


def test_every_file_is_checked() -> None:
    """No file here is left out by its name."""
    others = {file.name for file in HERE.glob("*.py")} - {"__init__.py", Path(__file__).name}
    assert others <= {file.name for file in PASSING + FAILING}
