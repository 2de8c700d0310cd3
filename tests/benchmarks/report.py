"""What a part of the benchmarks found, and how it becomes a page with tables and plots."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from pydantic import TypeAdapter


@dataclass
class Table:
    """One table of the page."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""


@dataclass
class Target:
    """A ratio beside what it should be."""

    what: str
    measured: float
    wanted: float
    at_least: bool = False
    """Whether more is better."""
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is as it should be."""
        if self.at_least:
            return self.measured >= self.wanted
        return self.measured <= self.wanted


@dataclass
class Bar:
    """A bar of a plot."""

    label: str
    value: float
    ours: bool = False


@dataclass
class Plot:
    """Horizontal bars."""

    name: str
    """Of the file, without its ending."""
    title: str
    unit: str
    bars: list[Bar]
    logarithmic: bool = False


@dataclass
class Part:
    """A chapter of the page."""

    title: str
    text: str
    tables: list[Table] = field(default_factory=list[Table])
    targets: list[Target] = field(default_factory=list[Target])
    plots: list[Plot] = field(default_factory=list[Plot])
    versions: dict[str, str] = field(default_factory=dict[str, str])


PARTS: TypeAdapter[Part] = TypeAdapter(Part)
"""Writes a part as JSON and reads it, for processes of their own."""


def duration(microseconds: float) -> str:
    """Write a duration for people, with three digits."""
    if microseconds < 1000:
        return f"{number(microseconds)} µs"
    return f"{number(microseconds / 1000)} ms"


def number(value: float) -> str:
    """Write a number with three digits."""
    if value >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def write_page(parts: list[Part], introduction: list[str], folder: Path) -> None:
    """Write ``index.md`` and its plots."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# Benchmarks", "", *introduction, ""]
    lines += ["## Targets", "", *_write_targets(parts)]
    for part in parts:
        lines += [f"## {part.title}", "", part.text, ""]
        for plot in part.plots:
            (folder / f"{plot.name}.svg").write_text(draw(plot), encoding="utf-8")
            lines += [f"![{plot.title}]({plot.name}.svg)", ""]
        for table in part.tables:
            lines += [f"### {table.title}", "", *_write_table(table.columns, table.rows), ""]
            lines += [table.note, ""] if table.note else []
    versions = {name: version for part in parts for name, version in part.versions.items()}
    told = [f"{name} {version}" for name, version in sorted(versions.items(), key=_by_name)]
    lines += ["## Versions", "", ", ".join(told) + ".", ""]
    (folder / "index.md").write_text("\n".join(lines), encoding="utf-8")


def _by_name(item: tuple[str, str]) -> str:
    return item[0].lower()


def _write_targets(parts: list[Part]) -> list[str]:
    rows = [
        [
            target.what,
            f"{number(target.measured)} {target.unit}".rstrip(),
            f"{'≥' if target.at_least else '≤'} {target.wanted:g} {target.unit}".rstrip(),
            "yes" if target.holds else "**no**",
        ]
        for part in parts
        for target in part.targets
    ]
    held = sum(row[-1] == "yes" for row in rows)
    columns = ["what", "measured", "wanted", "holds"]
    return [*_write_table(columns, rows), "", f"{held} of {len(rows)} hold in this run.", ""]


def _write_table(columns: list[str], rows: list[list[str]]) -> list[str]:
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


_ROW, _LABEL, _WIDTH, _TOP = 24, 250, 720, 34
# Grey and blue that read well on white and on black: the page may be either.
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#808080}"
    ".title{font-weight:600}.other{fill:#808080;opacity:.55}.ours{fill:#2f81f7}"
)


def draw(plot: Plot) -> str:
    """Return a plot as SVG, without a background."""
    height = _TOP + _ROW * len(plot.bars) + 8
    space = _WIDTH - _LABEL - 90
    longest = max(_length(plot, bar.value) for bar in plot.bars) or 1.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(plot.title)}</title><style>{_STYLE}</style>",
        f'<text class="title" x="4" y="18">{escape(plot.title)}</text>',
    ]
    for place, bar in enumerate(plot.bars):
        top = _TOP + _ROW * place
        width = max(1.0, _length(plot, bar.value) / longest * space)
        kind = "ours" if bar.ours else "other"
        value = f"{number(bar.value)} {plot.unit}"
        parts += [
            f'<text x="{_LABEL - 8}" y="{top + 14}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect class="{kind}" x="{_LABEL}" y="{top + 2}" width="{width:.1f}" height="16"/>',
            f'<text x="{_LABEL + width + 6:.1f}" y="{top + 14}">{escape(value)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def _length(plot: Plot, value: float) -> float:
    return math.log10(1 + value) if plot.logarithmic else value
