"""``dubhooks replay``: send saved deliveries again, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._options import TimeoutOption
from ._output import JSONFlag, print_json, track, wrong_use
from ._saved import load, saved_in
from ._sending import Answer, Sender, checked_url, shown_url
from ._summary import Summary, describe, describe_as_json


def replay(
    saved: Annotated[
        Path, typer.Argument(metavar="FILE|DIR", help="A saved delivery, or a directory of them.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="URL", help="Where to send them.")],
    last: Annotated[bool, typer.Option("--last", help="Only the one saved last.")] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on after a refusal.")
    ] = False,
    timeout: TimeoutOption = 30.0,
    as_json: JSONFlag = False,
) -> None:
    r"""Send deliveries again that 'listen --save' saved or that became dead letters.

    They are sent oldest first, with their own bytes and their own signature,
    so no secret is needed.  It stops at the first that is not accepted.

    \b
    Examples:
      dubhooks replay dead-letters/ --to http://127.0.0.1:8000/webhooks/dub
      dubhooks replay deliveries/ --last --to $URL
      dubhooks replay deliveries/0c1f.body --to $URL --json

    Exit codes: 0 all were accepted (2xx), 1 one was not, 2 wrong use or
    nothing listens there.
    """
    checked_url(to)
    paths = saved_in(saved)[-1:] if last else saved_in(saved)
    if not paths:
        raise wrong_use(f"there is no saved delivery in {str(saved)!r}")
    summary = Summary()
    refused: dict[str, Answer] = {}
    with Sender(to, timeout=timeout) as sender:
        for path in track(paths, "replaying", len(paths)):
            answer = sender.send(*load(path))
            if answer.refused and not summary.sent:
                raise wrong_use(f"{shown_url(to)}: {answer.problem}")
            summary.add(answer, answer.advice)
            if not answer.accepted:
                refused[path.stem] = answer
                if not keep_going:
                    break
    if as_json:
        listed = [{"name": name, **describe_as_json(one)} for name, one in refused.items()]
        print_json(
            {"to": shown_url(to), "found": len(paths), **summary.as_json(), "refused": listed}
        )
    else:
        lines = [f"{name}: {describe(answer)}" for name, answer in refused.items()]
        typer.echo("\n".join([*lines, *summary.lines()]))
        if left := len(paths) - summary.sent:
            typer.echo(f"stopped: {left} more not sent; --keep-going sends them all the same")
    raise typer.Exit(0 if summary.accepted == len(paths) else 1)
