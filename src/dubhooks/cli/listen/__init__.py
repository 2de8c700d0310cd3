"""``dubhooks listen``: a local inspector of deliveries."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .._options import PostbackFlag, SecretFile, other_secret, secret_from
from .._output import print_problem, without_log, wrong_use

if TYPE_CHECKING:
    from ..._explain.secrets import FamilyName
    from ._inspector import Delivery

__all__ = ["listen"]


def listen(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, metavar="N", help="0: any free one.")
    ] = 8787,
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="ADDRESS", help="Anything but a loopback address lets others in."
        ),
    ] = "127.0.0.1",
    forward_to: Annotated[
        str | None,
        typer.Option(
            "--forward-to",
            metavar="URL",
            help="Pass every delivery on to this application, and its answer back.",
            show_default=False,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="DIR",
            help="Save every delivery there; 'dubhooks replay' sends them again.",
            show_default=False,
        ),
    ] = None,
    postback: PostbackFlag = False,
    secret_file: SecretFile = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object per line: the URL, then deliveries.")
    ] = False,
) -> None:
    r"""Show deliveries live, in the terminal and on a page: verified, or why not.

    Both families are verified when both secrets are set.  Without
    --forward-to deliveries are answered as a receiver without handlers
    answers them: 200, but 501 for payouts.  The page is at the printed
    address, and only for this machine.  Stop with Ctrl-C.

    \b
    Examples:
      dubhooks listen
      dubhooks listen --forward-to http://127.0.0.1:8000/webhooks/dub --save deliveries
      dubhooks listen --port 0 --json

    Exit codes: 0 stopped, 2 wrong use or the port is taken.
    """
    from .._sending import Sender, checked_url
    from ._inspector import Inspector
    from ._server import InspectorServer, is_loopback

    if forward_to is not None:
        checked_url(forward_to)
    with ExitStack() as stack:
        stack.enter_context(without_log())
        sender = stack.enter_context(Sender(forward_to, connections=20)) if forward_to else None
        inspector = Inspector(
            _secrets(postback, secret_file),
            forward_to=sender,
            save=_directory(save),
            told=_print_json if as_json else _print,
        )
        try:
            server = stack.enter_context(InspectorServer(host, port, inspector))
        except OSError as error:
            raise wrong_use(f"cannot listen on {host}:{port}: {error.strerror}") from None
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{server.server_port}/"
        _say(json.dumps({"listening": url}) if as_json else f"listening on {url}; Ctrl-C stops")
        if not is_loopback(host):
            print_problem("other machines can reach this and see personal data")
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


def _secrets(postback: bool, secret_file: Path | None) -> dict[FamilyName, str]:
    names: tuple[FamilyName, FamilyName] = (
        ("postback", "webhook") if postback else ("webhook", "postback")
    )
    others = other_secret(postback)
    if secret_file is None and others and not other_secret(not postback):
        # Only the other family's secret is there, so it is the other family that is developed.
        return {names[1]: others[0]}
    secrets: dict[FamilyName, str] = {names[0]: secret_from(postback, secret_file)}
    return {**secrets, names[1]: others[0]} if others else secrets


def _directory(path: Path | None) -> Path | None:
    if path is not None:
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise wrong_use(f"cannot save in {str(path)!r}: {error.strerror}") from None
        if not os.access(path, os.W_OK):
            raise wrong_use(f"cannot save in {str(path)!r}: it is not writable")
    return path


def _say(line: str) -> None:
    # One write, so that lines of several threads do not mix.
    typer.echo(line)


def _print_json(delivery: Delivery) -> None:
    _say(json.dumps(delivery.as_json()))


def _print(delivery: Delivery) -> None:
    from .._summary import printable

    name = f"{delivery.name} {delivery.event_id}" if delivery.name else str(delivery.problem)
    family = f"{delivery.family}, " if delivery.family else ""
    verdict = f"{family}valid" if delivery.explanation.valid else "NOT VALID"
    took = f" in {delivery.seconds * 1000:.1f} ms" if delivery.seconds is not None else ""
    lines = [
        f"#{delivery.number} {delivery.received.astimezone():%H:%M:%S} {printable(name)}: "
        f"{verdict}; answered {delivery.status}{took}"
    ]
    if not delivery.explanation.valid:
        lines.extend(f"    {line}" for line in str(delivery.explanation).splitlines())
    lines.extend(
        f"    {one.kind.replace('_', ' ')}: {printable(one.path)}"
        for one in delivery.differences
        if one.is_drift
    )
    _say("\n".join(lines))
