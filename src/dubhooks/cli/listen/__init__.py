"""``dubhooks listen``: a local inspector of deliveries."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from time import sleep
from typing import Annotated

import typer

from ..._explain.secrets import FamilyName
from .._options import PostbackFlag, SecretFile, other_secret, secret_from
from .._output import without_log, wrong_use
from .._sending import Sender, checked_url
from .._server import serving
from .._summary import printable
from ..secret import make_secret
from ._delivery import Delivery
from ._http import InspectorApp
from ._inspector import Inspector

_MADE = """
no secret is set, so this run has one of its own; where you send from:
    export {0[0]}={0[1]}
'dubhooks secret' makes one to keep: set {0[0]} here and there"""


def listen(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, metavar="N", help="0: any free one.")
    ] = 8787,
    forward_to: Annotated[
        str | None,
        typer.Option(
            "--forward-to",
            metavar="URL",
            help="Pass every delivery on to this application, and its answer back.",
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="DIR",
            help="Save every delivery there; 'dubhooks replay' sends them again.",
        ),
    ] = None,
    postback: PostbackFlag = False,
    secret_file: SecretFile = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object per line: the URL, then deliveries.")
    ] = False,
) -> None:
    r"""Show deliveries live, in the terminal and on a page: verified, or why not.

    Both families are verified when both secrets are set; when none is, a new
    secret is made and printed, to send with.  Without --forward-to deliveries
    are answered as a receiver without handlers answers them: 200, but 501 for
    payouts.  The page is at the printed address, and only for this machine.
    Stop with Ctrl-C.

    \b
    Examples:
      dubhooks listen
      dubhooks listen --forward-to http://127.0.0.1:8000/webhooks/dub --save deliveries
      dubhooks listen --port 0 --json

    Exit codes: 0 stopped, 2 wrong use or the port is taken.
    """
    if forward_to is not None:
        checked_url(forward_to)
    secrets = _find_secrets(postback, secret_file)
    family: FamilyName = "postback" if postback else "webhook"
    made: dict[FamilyName, str] = {} if secrets else {family: make_secret(family)}
    with without_log(), ExitStack() as stack:
        sender = stack.enter_context(Sender(forward_to, connections=20)) if forward_to else None
        told = _print_json if as_json else _print
        inspector = Inspector(secrets or made, sender, _make_directory(save), told)
        try:
            url = stack.enter_context(serving(InspectorApp(inspector), port))
        except OSError as error:
            raise wrong_use(f"cannot listen on port {port}: {error.strerror}") from None
        typer.echo(_greet(f"{url}/", made, as_json))
        try:
            while True:
                sleep(3600)  # what waits without end cannot be interrupted on Windows
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


def _find_secrets(postback: bool, secret_file: Path | None) -> dict[FamilyName, str]:
    """Return the secrets that are set, the family that is asked for first."""
    secrets: dict[FamilyName, str] = {}
    if secret_file is not None or other_secret(not postback):
        secrets["postback" if postback else "webhook"] = secret_from(postback, secret_file)
    for secret in other_secret(postback):
        secrets["webhook" if postback else "postback"] = secret
    return secrets


def _make_directory(path: Path | None) -> Path | None:
    if path is not None:
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise wrong_use(f"cannot save in {str(path)!r}: {error.strerror}") from None
    return path


def _greet(url: str, made: dict[FamilyName, str], as_json: bool) -> str:
    # A secret is printed only if it was made for this run: nobody could send without it.
    variables = {f"DUB_{name.upper()}_SECRET": secret for name, secret in made.items()}
    if as_json:
        return json.dumps({"listening": url, **variables})
    return f"listening on {url}; Ctrl-C stops" + "".join(map(_MADE.format, variables.items()))


def _print_json(delivery: Delivery) -> None:
    typer.echo(json.dumps(delivery.as_json()))


def _print(delivery: Delivery) -> None:
    told = delivery.as_json()
    is_valid, is_event = told["valid"], told["event"] is not None
    name = f"{told['event']} {told['event_id']}" if is_event else "no event"
    again = f" (replay of #{told['replay_of']})" if told["replay_of"] else ""
    signature = f"signature valid ({told['family']})" if is_valid else "signature NOT VALID"
    answer = f"{told['status']} {told['outcome'] or ''}".rstrip()
    took = f" in {told['seconds'] * 1000:.1f} ms" if delivery.is_forwarded else ""
    lines = [
        f"#{delivery.number} {delivery.received.astimezone():%H:%M:%S} {printable(name)}{again}; "
        f"{_paint(signature, is_valid)}; {_paint(answer, delivery.status < 300)}{took}"
    ]
    if not is_valid:
        lines += [f"    signature: {one}" for one in str(delivery.explanation).splitlines()]
    if not told["fits"]:
        lines.append(f"    event: {printable(told['reading'])}")
    for one in told["differences"]:
        detail = f" ({one['detail']})" if one["detail"] else ""
        lines.append(f"    {one['kind'].replace('_', ' ')}: {printable(one['path'])}{detail}")
    if told["advice"]:
        lines.append(f"    answer: {printable(told['advice'])}")
    # One write, so that lines of several threads do not mix.
    typer.echo("\n".join(lines))


def _paint(text: str, is_good: bool) -> str:
    # Colours are left out where the output is no terminal.
    return typer.style(text, fg="green" if is_good else "red")
