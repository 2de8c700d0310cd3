"""Every Python block of the README and of every page in docs is run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .programs import PAGES_WITH_PYTHON, ROOT, installed_by, run_programs


@pytest.mark.parametrize("page", PAGES_WITH_PYTHON, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    """Each block runs alone, unless it is marked as the continuation of the one above it."""
    run_programs(page, sys.executable, tmp_path)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel of this tree."""
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(target), "."]
    subprocess.run(command, cwd=ROOT, check=True)
    return next(target.glob("*.whl"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "requirements", sorted(set(map(installed_by, PAGES_WITH_PYTHON))), ids=" ".join
)
def test_the_install_line_of_a_page_is_enough(
    requirements: tuple[str, ...], wheel: Path, tmp_path: Path
) -> None:
    """A page's programs run in an environment that holds what the page says to install."""
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = str(environment / "bin" / "python")
    ours = [one.replace("dubhooks", str(wheel), 1) for one in requirements]
    subprocess.run([python, "-m", "pip", "install", "-q", *ours], check=True)
    for page in PAGES_WITH_PYTHON:
        if installed_by(page) == requirements:
            run_programs(page, python, tmp_path)
