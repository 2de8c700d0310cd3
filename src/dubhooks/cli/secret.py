"""``dubhooks secret``: a signing secret for local work."""

from __future__ import annotations

from secrets import token_hex

import typer

from .._explain.secrets import PREFIXES, FamilyName
from ._options import PostbackFlag
from ._output import JSONFlag, print_json


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
    made = make_secret("postback" if postback else "webhook")
    if as_json:
        print_json({"secret": made})
    else:
        typer.echo(made)


def make_secret(family: FamilyName) -> str:
    """Return a new secret in the form of Dub's."""
    return PREFIXES[family] + token_hex(16)
