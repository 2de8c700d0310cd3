"""The command of the benchmarks, with a few rounds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks.report import Bar, Part, Plot, Table, Target, write_page
from tests.support.processes import ROOT


@pytest.mark.slow
def test_the_command_writes_a_page(tmp_path: Path) -> None:
    """It measures every part, and the page holds a table of targets and every plot."""
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--no-peers"]
    subprocess.run([*command, "--to", str(tmp_path)], cwd=ROOT, check=True, timeout=600)
    page = (tmp_path / "index.md").read_text(encoding="utf-8")
    for title in ("Targets", "Verify and parse", "Requests per second", "Claims per store"):
        assert f"\n## {title}\n" in page
    for engine in ("Celery, RabbitMQ", "RQ", "Procrastinate", "DBOS, SQLite"):
        assert f"\n| {engine} |" in page
    plots = sorted(path.name for path in tmp_path.glob("*.svg"))
    assert [name for name in plots if f"]({name})" in page] == plots
    assert len(plots) == 9


def test_an_unknown_part_is_refused(tmp_path: Path) -> None:
    """A part that does not exist is wrong use, and nothing is measured."""
    command = [sys.executable, "-m", "tests.benchmarks", "speed", "--to", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "there is no part speed: choose of core, servers, stores, queues" in ran.stderr
    assert not list(tmp_path.iterdir())


def test_a_page_says_which_targets_hold(tmp_path: Path) -> None:
    """Ratios stand beside what is wanted, and a plot is XML that names its bars."""
    targets = [Target("less", 1.0, 1.1), Target("more", 24.0, 25.0, at_least=True)]
    plot = Plot("speed", "a < b", "ms", [Bar("<ours>", 1.5, ours=True), Bar("other", 30.0)])
    part = Part("Part", "Text.", [Table("T", ["", "x"], [["a", "1"]])], targets, [plot])
    write_page([part], ["Introduction."], tmp_path)
    page = (tmp_path / "index.md").read_text(encoding="utf-8")
    assert "| less | 1.00 | ≤ 1.1 | yes |" in page
    assert "| more | 24.0 | ≥ 25 | **no** |" in page
    assert "1 of 2 hold" in page
    text = list(ElementTree.parse(tmp_path / "speed.svg").getroot().itertext())
    assert {"a < b", "<ours>", "1.50 ms", "30.0 ms"} <= set(text)
