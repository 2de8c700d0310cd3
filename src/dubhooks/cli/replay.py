"""``dubhooks replay``: send saved deliveries again, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._output import JSONFlag, print_json, progress, wrong_use

if TYPE_CHECKING:
    from ._sending import Answer, Sender
    from ._summary import Summary

__all__ = ["replay"]


def replay(
    saved: Annotated[
        Path, typer.Argument(metavar="FILE|DIR", help="A saved delivery, or a directory of them.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="URL", help="Where to send them.")],
    last: Annotated[bool, typer.Option("--last", help="Only the one saved last.")] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on after a delivery that is refused.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.001, metavar="S", help="Seconds to wait.")
    ] = 30.0,
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
    from ._saved import saved_in
    from ._sending import Sender, checked_url, shown_url
    from ._summary import Summary

    checked_url(to)
    paths = saved_in(saved)[-1:] if last else saved_in(saved)
    if not paths:
        raise wrong_use(f"there is no saved delivery in {str(saved)!r}")
    summary = Summary()
    with Sender(to, timeout=timeout) as sender:
        refused = _send_all(paths, sender, summary, keep_going)
    if as_json:
        listed = [_as_json(path, answer) for path, answer in refused]
        print_json(
            {"to": shown_url(to), "found": len(paths), **summary.as_json(), "refused": listed}
        )
    else:
        _print(paths, refused, summary)
    raise typer.Exit(0 if summary.accepted == len(paths) else 1)


def _send_all(
    paths: list[Path], sender: Sender, summary: Summary, keep_going: bool
) -> list[tuple[Path, Answer]]:
    from ._saved import load
    from ._sending import shown_url
    from ._summary import is_accepted

    refused: list[tuple[Path, Answer]] = []
    with progress() as bar:
        for path in bar.track(paths, description="replaying"):
            delivery = load(path)
            answer = sender.send(delivery.body, delivery.headers)
            if answer.refused and not summary.sent:
                raise wrong_use(f"{shown_url(sender.url)}: {answer.problem}")
            summary.add(answer)
            if not is_accepted(answer):
                refused.append((path, answer))
                if not keep_going:
                    break
    return refused


def _print(paths: list[Path], refused: list[tuple[Path, Answer]], summary: Summary) -> None:
    from ._summary import in_words

    for path, answer in refused:
        typer.echo(f"{path.stem}: {in_words(answer)}")
    typer.echo(str(summary))
    left = len(paths) - summary.sent
    if left:
        typer.echo(f"stopped: {left} more not sent; --keep-going sends them all the same")


def _as_json(path: Path, answer: Answer) -> dict[str, object]:
    return {
        "name": path.stem,
        "status": answer.status,
        "answer": answer.body.decode("utf-8", "replace"),
        "problem": answer.problem or None,
    }
