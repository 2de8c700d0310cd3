"""``dubhooks demo``: the main job, end to end over real HTTP.

What must be answered and run are constants, on purpose not taken from the code that they judge:
a library that answers or runs something else makes the demo fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import Annotated, Any, Final

import typer

from .. import wsgi
from ..receiver._typed import Webhooks
from ..signature import sign
from ..stores.sqlite import SQLiteStore
from ..testing import make_event, make_unknown_event
from ..webhooks import LeadCreated, LinkCreated, PayoutConfirmed, SaleCreated
from ._output import JSONFlag, print_json, without_log, wrong_use
from ._sending import Sender, tamper
from ._server import serving

_SECRET: Final = "whsec_0123456789abcdef0123456789abcdef"  # noqa: S105 - a made-up one
_COPIES: Final = 10


@dataclass(frozen=True)
class Step:
    """One row of the table: a delivery, and what must come of it."""

    title: str
    body: bytes
    signature: str | None
    answer: str
    """What it must be answered, or one of its copies."""
    runs: int = 0
    """How often the handler must run."""
    copies: int = 1


def demo(
    queue: Annotated[
        bool, typer.Option("--queue", help="A queue whose worker is killed; needs dubhooks[dbos].")
    ] = False,
    as_json: JSONFlag = False,
) -> None:
    r"""Run a receiver on real HTTP and SQLite and show that it does what it should.

    Sends events, duplicates, a burst, forgeries, a payout that no handler takes
    and more to a receiver on this machine, and compares every answer and every
    run of the handler with what it must be.

    \b
    Examples:
      dubhooks demo
      dubhooks demo --queue
      dubhooks demo --json

    Exit codes: 0 all is as it should be, 1 something differs.
    """
    rows = _run_queue() if queue else _run()
    wrong = sum(not row["ok"] for row in rows)
    if as_json:
        print_json({"ok": not wrong, "rows": rows})
    else:
        for row in rows:
            _print(row)
        typer.echo(f"\n{wrong} of {len(rows)} differ" if wrong else "\nall as it should be")
    raise typer.Exit(1 if wrong else 0)


def _run() -> list[dict[str, Any]]:
    ran: list[str] = []

    def handle(event: SaleCreated | LeadCreated) -> None:
        ran.append(event.event)
        sleep(0.1)  # so that the other copies meet a claim that is held
        if event.event == "lead.created" and ran.count("lead.created") == 1:
            raise RuntimeError("the demo's handler fails once")

    with (
        without_log(),
        TemporaryDirectory(prefix="dubhooks-demo-") as directory,
        closing(SQLiteStore(Path(directory) / "claims.db")) as store,
    ):
        hooks = Webhooks(_SECRET, store=store)
        hooks.on(SaleCreated, LeadCreated)(handle)
        with serving(wsgi.app(hooks)) as url, Sender(url, connections=_COPIES) as sender:
            return [_take(step, sender, ran) for step in _steps()]


def _run_queue() -> list[dict[str, Any]]:
    if find_spec("dbos") is None:
        raise wrong_use("demo --queue needs DBOS: pip install 'dubhooks[dbos]'")
    from ._queue_demo import run_queue_demo

    with without_log():
        return run_queue_demo()


def _steps() -> Iterator[Step]:
    def signed(title: str, body: bytes, answer: str, runs: int = 0, copies: int = 1) -> Step:
        return Step(title, body, sign(body, _SECRET), answer, runs, copies)

    event = make_event(SaleCreated)
    sale, burst = event.to_json(), make_event(SaleCreated).to_json()
    lead, link = make_event(LeadCreated).to_json(), make_event(LinkCreated).to_json()
    other = make_event(SaleCreated, id=event.id).to_json()
    new = make_unknown_event("invoice.refunded").to_json()
    yield signed("sale.created", sale, "200 handled", 1)
    yield signed("the same again", sale, "200 duplicate")
    yield signed("the same id, another body", other, "422 conflict")
    yield signed(f"another, {_COPIES} at the same time", burst, "200 handled", 1, _COPIES)
    yield signed("lead.created, handler fails", lead, "500 failed", 1)
    yield signed("the same again", lead, "200 handled", 1)
    yield signed("link.created, no handler", link, "200 ignored")
    yield signed("an event of tomorrow", new, "200 ignored")
    payout = make_event(PayoutConfirmed).to_json()
    yield signed("a payout, no handler", payout, "501 unhandled_payout")
    yield signed("not JSON", sale[:-1], "400 malformed")
    yield Step("a body tampered with", tamper(sale), sign(sale, _SECRET), "401 unauthorized")
    yield Step("no signature", sale, None, "401 unauthorized")
    yield Step("another secret", sale, sign(sale, "whsec_another"), "401 unauthorized")


def _take(step: Step, sender: Sender, ran: list[str]) -> dict[str, Any]:
    signature = {} if step.signature is None else {"Dub-Signature": step.signature}
    headers = {"Content-Type": "application/json", **signature}
    before = len(ran)
    with ThreadPoolExecutor(step.copies) as pool:
        answers = list(pool.map(sender.send, [step.body] * step.copies, [headers] * step.copies))
    answered = Counter(f"{one.status} {one.outcome or one.problem}" for one in answers)
    runs = len(ran) - before
    others = answered - Counter([step.answer])
    is_right = others.total() == step.copies - 1 and set(others) <= {"200 duplicate", "409 busy"}
    return {
        "sent": step.title,
        "expected": step.answer,
        "answered": dict(answered),
        "expected_runs": step.runs,
        "runs": runs,
        "ok": is_right and runs == step.runs,
    }


def _print(row: dict[str, Any]) -> None:
    answered, runs = row["answered"], row["runs"]
    answers = " ".join(answered)
    if sum(answered.values()) > 1:
        answers = ", ".join(f"{count} x {told[4:]}" for told, count in answered.items())
    ran = "ran once" if runs == 1 else f"ran {runs} times" if runs else "did not run"
    verdict = typer.style("ok", fg="green") if row["ok"] else typer.style("WRONG", fg="red")
    typer.echo(f"{row['sent']:<29}{answers:<33}{ran:<13}{verdict}")
    if not row["ok"]:
        typer.echo(f"    should be {row['expected']} and run {row['expected_runs']} times")
