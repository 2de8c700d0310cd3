"""``dubhooks demo``: the main job, end to end over real HTTP."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier
from time import perf_counter
from typing import TYPE_CHECKING

import typer

from .._output import JSONFlag, print_json, progress, without_log

if TYPE_CHECKING:
    from rich.table import Table

    from .._sending import Answer, Sender
    from ._receivers import Ran, Run
    from ._steps import Step

__all__ = ["demo"]

_FOLDED = 5
"""So many rows alike are shown as one."""


@dataclass(frozen=True)
class Row:
    """What came of a step."""

    part: str
    step: Step
    answered: Counter[str]
    ran: list[Run]
    seconds: float

    @property
    def ok(self) -> bool:
        """Everything is as it should be."""
        step = self.step
        others = self.answered - Counter([step.answer])
        return (
            self.answered.total() == step.copies
            and others.total() == step.copies - 1
            and set(others) <= set(step.other_answers)
            and self.ran == ([(step.runs, step.event_id)] if step.runs else [])
        )

    @property
    def answers(self) -> str:
        """What was answered, in words."""
        if self.step.copies == 1:
            return " ".join(self.answered)
        return ", ".join(f"{count} x {answer}" for answer, count in self.answered.most_common())

    @property
    def runs(self) -> str:
        """What ran, in words."""
        return ", ".join(run.model for run in self.ran)

    def as_json(self) -> dict[str, object]:
        """Return the row for machines."""
        return {
            "part": self.part,
            "sent": self.step.title,
            "copies": self.step.copies,
            "expected_answer": self.step.expected,
            "answered": dict(self.answered),
            "expected_run": self.step.runs,
            "ran": [run.model for run in self.ran],
            "seconds": round(self.seconds, 4),
            "ok": self.ok,
        }


def demo(as_json: JSONFlag = False) -> None:
    r"""Run receivers on real HTTP and SQLite and show that they do what they should.

    Sends every event of both families, duplicates, a burst, forgeries, payouts
    that nobody took and more to receivers on this machine, and compares every
    answer and every run of a handler with what it must be.

    \b
    Examples:
      dubhooks demo
      dubhooks demo --json

    Exit codes: 0 all is as it should be, 1 something differs.
    """
    started = perf_counter()
    rows = _run()
    seconds = perf_counter() - started
    ok = all(row.ok for row in rows)
    if as_json:
        listed = [row.as_json() for row in rows]
        print_json({"ok": ok, "seconds": round(seconds, 3), "rows": listed})
    else:
        _print(rows, seconds)
    raise typer.Exit(0 if ok else 1)


def _run() -> list[Row]:
    from ...stores.sqlite import SQLiteStore
    from .._sending import Sender
    from ._receivers import Ran, application
    from ._server import serving
    from ._steps import BURST, steps

    ran = Ran()
    rows: list[Row] = []
    with (
        without_log(),
        TemporaryDirectory(prefix="dubhooks-demo-") as directory,
        closing(SQLiteStore(Path(directory) / "claims.db")) as store,
        serving(application(store, ran)) as url,
        ThreadPoolExecutor(BURST) as pool,
        progress() as bar,
    ):
        for part, part_steps in steps():
            for step in bar.track(part_steps, description=part):
                with Sender(url + step.path, connections=step.copies) as sender:
                    rows.append(_taken(part, step, sender, ran, pool))
    return rows


def _taken(part: str, step: Step, sender: Sender, ran: Ran, pool: ThreadPoolExecutor) -> Row:
    if step.fails:
        ran.fail_once(step.event_id)
    if step.copies > 1:
        ran.take_time(step.event_id)
    ready = Barrier(step.copies)

    def deliver() -> Answer:
        ready.wait()
        return sender.send(step.body, step.headers)

    started = perf_counter()
    deliveries = [pool.submit(deliver) for _ in range(step.copies)]
    answered = Counter(_in_words(delivery.result()) for delivery in deliveries)
    return Row(part, step, answered, ran.take(), perf_counter() - started)


def _in_words(answer: Answer) -> str:
    if answer.status is None:
        return answer.problem
    try:
        outcome = json.loads(answer.body)["outcome"]
    except (ValueError, KeyError, TypeError):
        return str(answer.status)
    return f"{answer.status} {outcome}"


def _print(rows: list[Row], seconds: float) -> None:
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    for part, members in groupby(rows, key=lambda row: row.part):
        console.print(f"\n{part}", style="bold")
        console.print(_table(list(members)))
    console.print()
    wrong = [row for row in rows if not row.ok]
    for row in wrong:
        should_run = row.step.runs or "nothing"
        console.print(
            f"{row.part}: {row.step.title}: should be answered {row.step.expected} "
            f"and run {should_run}",
            style="red",
        )
    sent = sum(row.step.copies for row in rows)
    ran = sum(len(row.ran) for row in rows)
    told = f"{len(wrong)} of {len(rows)} rows differ" if wrong else "all as it should be"
    console.print(f"{sent} deliveries over HTTP, {ran} runs, {seconds:.1f} s: {told}")


def _table(rows: list[Row]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    # The longest name of an event, so that the parts line up in 80 columns.
    table.add_column(min_width=29)
    table.add_column(min_width=13)
    table.add_column()
    table.add_column(no_wrap=True)
    for row, times in _folded(rows):
        title = f"all {times} of them" if times > 1 else row.step.title
        copies = f"{row.step.copies} x " if row.step.copies > 1 else ""
        ran = row.runs or "ran nothing"
        verdict = Text("ok", style="green") if row.ok else Text("WRONG", style="bold red")
        table.add_row(Text(copies + title), Text(row.answers), Text(ran), verdict)
    return table


def _folded(rows: list[Row]) -> list[tuple[Row, int]]:
    alike = {(row.ok, row.answers, row.runs) for row in rows}
    if len(rows) > _FOLDED and len(alike) == 1:
        return [(rows[0], len(rows))]
    return [(row, 1) for row in rows]
