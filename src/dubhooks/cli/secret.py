"""``dubhooks secret``: a signing secret for local work."""

from __future__ import annotations

import secrets

import typer

from .._explain.secrets import PREFIXES
from ._options import PostbackFlag
from ._output import JSONFlag, print_json

__all__ = ["secret"]


def secret(postback: PostbackFlag = False, as_json: JSONFlag = False) -> None:
    r"""Print a fresh random secret, in the form of Dub's, for local work.

    Dub knows nothing of it: deliveries from Dub are signed with the secret on
    the webhook's own page.

    \b
    Examples:
      export DUB_WEBHOOK_SECRET=$(dubhooks secret)
      dubhooks secret --postback > secret.txt

    Exit codes: 0 always.
    """
    made = PREFIXES["postback" if postback else "webhook"] + secrets.token_hex(16)
    if as_json:
        print_json({"secret": made})
    else:
        typer.echo(made)
