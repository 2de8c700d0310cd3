"""``dubhooks verify``: does the signature fit, and if not, why not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .._explain import explain
from ._options import PostbackFlag, SecretFile, other_secret, read_file, secret_from
from ._output import JSONFlag, print_json
from ._saved import load


def verify(
    body: Annotated[
        Path, typer.Option("--body", metavar="FILE", help="The raw body; - reads stdin.")
    ],
    signature: Annotated[
        str | None,
        typer.Option(
            "--signature",
            metavar="VALUE",
            help="Value of the Dub-Signature header; by default the one saved beside the body.",
        ),
    ] = None,
    postback: PostbackFlag = False,
    secret_file: SecretFile = None,
    as_json: JSONFlag = False,
) -> None:
    r"""Say whether a signature is valid, and if not, why.

    Tries what usually goes wrong: quotes or whitespace around the secret, the
    secret of the other family (if both variables are set), a body that was
    parsed and written again, a signature in another form, and more.

    \b
    Examples:
      dubhooks verify --body body.json --signature 5f2c...
      dubhooks verify --body deliveries/0001.body
      curl ... | dubhooks verify --body - --signature 5f2c... --json

    Exit codes: 0 valid, 1 not valid, 2 wrong use.
    """
    raw = read_file(body)
    beside = body.with_suffix(".json")
    if signature is None and body.suffix == ".body" and beside.is_file():
        signature = load(beside).signature
    found = explain(
        raw,
        signature,
        secret_from(postback, secret_file),
        family="postback" if postback else "webhook",
        other_secrets=other_secret(postback),
    )
    if as_json:
        causes = [vars(one) for one in found.causes]
        print_json({"valid": found.valid, "proven": found.proven, "causes": causes})
    else:
        typer.echo(str(found))
    raise typer.Exit(0 if found.valid else 1)
