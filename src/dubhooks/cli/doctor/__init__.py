"""``dubhooks doctor``: whether an endpoint does what it must."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .._options import PostbackFlag, SecretFile, checked_event, secret_from
from .._output import JSONFlag, print_json, progress, wrong_use

if TYPE_CHECKING:
    from ._checks import Check
    from ._probe import Probe

__all__ = ["doctor"]


@dataclass(frozen=True)
class Finding:
    """What a check came to."""

    check: Check
    verdict: Literal["ok", "fault", "unseen"]
    reason: str = ""


def doctor(
    url: Annotated[str, typer.Argument(metavar="URL", help="The endpoint.", show_default=False)],
    postback: PostbackFlag = False,
    event: Annotated[
        str, typer.Option("--event", metavar="EVENT", help="The event to send; no payout.")
    ] = "lead.created",
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=0.1, metavar="S", help="Seconds within which to answer."),
    ] = 10.0,
    secret_file: SecretFile = None,
    as_json: JSONFlag = False,
) -> None:
    r"""Probe an endpoint and say what is wrong with it, why, and what to do.

    Sends some 40 requests: made-up events, signed, and forgeries of all kinds.
    The handler runs for made-up data, so use an endpoint for tests.

    \b
    Examples:
      dubhooks doctor http://127.0.0.1:8000/webhooks/dub
      dubhooks doctor $URL --event sale.created --json
      dubhooks doctor $URL --postback --timeout 5

    Exit codes: 0 no fault, 1 a fault was found, 2 wrong use or nothing
    listens there.
    """
    from .._sending import Sender, checked_url, shown_url
    from ._probe import Probe

    checked_url(url)
    checked_event(event, postback)
    if "payout" in event:
        raise wrong_use("the doctor sends no payouts: a made-up one might be paid")
    secret = secret_from(postback, secret_file)
    with Sender(url, timeout=timeout, connections=10) as sender:
        probe = Probe(sender, secret, event, postback=postback, timeout=timeout)
        first = probe.get()
        if first.refused:
            raise wrong_use(f"{shown_url(url)}: {first.problem}")
        findings = _examined(probe)
    faults = [one for one in findings if one.verdict == "fault"]
    if as_json:
        listed = [_as_json(one) for one in findings]
        print_json(
            {"url": shown_url(url), "ok": not faults, "faults": len(faults), "checks": listed}
        )
    else:
        _print(findings, len(faults))
    raise typer.Exit(1 if faults else 0)


def _examined(probe: Probe) -> list[Finding]:
    from ._checks import CHECKS

    with progress() as bar:
        return [
            _finding(check, probe)
            for check in bar.track(CHECKS, description="examining")
            if not (check.webhooks_only and probe.postback)
        ]


def _finding(check: Check, probe: Probe) -> Finding:
    from ._checks import Unseen

    if not probe.answers_at_all and check.code != "in_time":
        return Finding(check, "unseen", "a good event is not answered in time")
    if check.needs_good and not probe.accepts:
        return Finding(check, "unseen", "a good event is refused")
    try:
        wrong = check.run(probe)
    except Unseen as unseen:
        return Finding(check, "unseen", str(unseen))
    return Finding(check, "fault", wrong) if wrong else Finding(check, "ok")


def _print(findings: list[Finding], faults: int) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(markup=False, highlight=False)
    words = {
        "ok": Text("ok     ", style="green"),
        "fault": Text("FAULT  ", style="bold red"),
        "unseen": Text("unseen ", style="yellow"),
    }
    for one in findings:
        console.print(words[one.verdict] + Text(one.check.title), soft_wrap=True)
        if one.reason:
            console.print(f"       {one.reason}", soft_wrap=True)
        if one.verdict == "fault":
            console.print(f"       to do: {one.check.fix}", soft_wrap=True)
    console.print(f"{faults} faults in {len(findings)} checks" if faults else "no fault found")


def _as_json(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check.code,
        "title": finding.check.title,
        "verdict": finding.verdict,
        "reason": finding.reason,
        "fix": finding.check.fix if finding.verdict == "fault" else "",
    }
