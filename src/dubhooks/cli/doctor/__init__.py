"""``dubhooks doctor``: whether an endpoint does what it must."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import typer

from .._options import PostbackFlag, SecretFile, TimeoutOption, checked_event, secret_from
from .._output import JSONFlag, print_json, track, wrong_use
from .._sending import Sender, checked_url, shown_url
from ._checks import CHECKS, Unseen, explain_refusal
from ._probe import Probe


@dataclass(frozen=True)
class Finding:
    """What a check came to."""

    check: str
    title: str
    verdict: Literal["ok", "fault", "unseen"]
    reason: str = ""
    """What happened, or why it cannot be seen."""
    fix: str = ""


def doctor(
    url: Annotated[str, typer.Argument(metavar="URL", help="The endpoint.")],
    postback: PostbackFlag = False,
    event: Annotated[
        str, typer.Option("--event", metavar="EVENT", help="The event to send; no payout.")
    ] = "lead.created",
    timeout: TimeoutOption = 10.0,
    secret_file: SecretFile = None,
    as_json: JSONFlag = False,
) -> None:
    r"""Probe an endpoint and say what is wrong with it, why, and what to do.

    Sends some 40 requests: made-up events, signed, and forgeries of all kinds.
    The handler runs for made-up data, so use an endpoint for tests.  A check is
    ok only when an answer showed it, else unseen.

    \b
    Examples:
      dubhooks doctor http://127.0.0.1:8000/webhooks/dub
      dubhooks doctor $URL --event sale.created --json
      dubhooks doctor $URL --postback --timeout 5

    Exit codes: 0 no fault, 1 a fault was found, 2 wrong use or nothing
    listens there.
    """
    checked_url(url)
    checked_event(event, postback)
    if "payout" in event:
        raise wrong_use("the doctor sends no payouts: a made-up one might be paid")
    secret = secret_from(postback, secret_file)
    with Sender(url, timeout=timeout, connections=10) as sender:
        probe = Probe(sender, secret, event, postback=postback)
        probe.genuine = probe.deliver(probe.make_body())
        if probe.genuine.refused:
            raise wrong_use(f"{shown_url(url)}: {probe.genuine.problem}")
        findings = _examine(probe)
    faults = [one for one in findings if one.verdict == "fault"]
    if as_json:
        told = {"url": shown_url(url), "ok": not faults, "faults": len(faults)}
        print_json({**told, "checks": [asdict(one) for one in findings]})
    else:
        _print(findings, len(faults))
    raise typer.Exit(1 if faults else 0)


def _examine(probe: Probe) -> list[Finding]:
    title = "a genuine event is accepted"
    if not probe.genuine.accepted:
        # Who refuses everything shows nothing else.
        return [Finding("genuine_event", title, "fault", *explain_refusal(probe))]
    findings = [Finding("genuine_event", title, "ok")]
    for check in track(CHECKS, "examining", len(CHECKS)):
        try:
            wrong = check.run(probe)
        except Unseen as unseen:
            finding = Finding(check.code, check.title, "unseen", str(unseen))
        else:
            finding = Finding(check.code, check.title, "ok")
            if wrong:
                finding = Finding(check.code, check.title, "fault", wrong, check.fix)
        findings.append(finding)
    return findings


def _print(findings: list[Finding], faults: int) -> None:
    for one in findings:
        # A fault is told as what happened, not as what should have.
        if one.verdict == "fault":
            typer.echo(f"{typer.style('FAULT', fg='red', bold=True)}  {one.reason}")
            typer.echo(f"       to do: {one.fix}")
        elif one.verdict == "unseen":
            typer.echo(f"{typer.style('unseen', fg='yellow')} {one.title}\n       {one.reason}")
        else:
            typer.echo(f"{typer.style('ok', fg='green')}     {one.title}")
    typer.echo(f"{faults or 'no'} fault{'s' if faults > 1 else ''} found")
