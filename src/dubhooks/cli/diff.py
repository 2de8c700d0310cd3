"""``dubhooks diff``: a real payload against our models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import PayloadError
from ._drift import compared
from ._options import PostbackFlag, family_of, read_file
from ._output import JSONFlag, print_json, without_log, wrong_use
from ._summary import printable

_WORDS = {
    "unknown_event": "! {path}: this version does not know the event",
    "unknown_key": "+ {path}: a key that the models do not know ({detail})",
    "unknown_value": "~ {path}: a value that the models do not know",
    "odd_value": "~ {path}: a value of another type ({detail}); the field is left empty",
    "invalid": "! {path}: does not fit ({detail})",
}


def diff(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A body as Dub sent it; - reads stdin.")
    ],
    postback: PostbackFlag = False,
    as_json: JSONFlag = False,
) -> None:
    r"""Say how a real payload differs from the models of this version.

    Only names of keys and types are shown, no values, so that the result can
    be put into a report.  What a model says may be absent or empty is no drift.

    \b
    Examples:
      dubhooks diff deliveries/0c1f.body
      dubhooks diff - --postback --json < body.json

    Exit codes: 0 no drift, 1 drift, 2 wrong use or no event.
    """
    try:
        with without_log():  # which would advise to run this command
            payload = compared(read_file(file), family_of(postback))
    except PayloadError as error:
        raise wrong_use(f"{str(file)!r}: {error}") from None
    found = payload.differences
    if as_json:
        differences = [vars(one) for one in found]
        print_json({"event": payload.name, "drift": bool(found), "differences": differences})
    else:
        typer.echo(f"event: {printable(payload.name)}")
        for one in found:
            words = _WORDS[one.kind]
            typer.echo(words.format(path=printable(one.path), detail=one.detail))
        typer.echo("drift" if found else "no drift")
    raise typer.Exit(1 if found else 0)
