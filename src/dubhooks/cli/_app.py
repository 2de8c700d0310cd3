"""The commands, put together."""

from __future__ import annotations

from inspect import getdoc
from typing import Annotated

import typer

from .. import __version__
from ..errors import DubhooksError
from ._output import print_problem
from .demo import demo
from .diff import diff
from .doctor import doctor
from .events import events, sample, schema
from .listen import listen
from .replay import replay
from .secret import secret
from .trigger import trigger
from .verify import verify

_CONTEXT = {"help_option_names": ["-h", "--help"]}

# Plain help: markup would swallow the brackets in examples.
app = typer.Typer(
    name="dubhooks",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=_CONTEXT,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dubhooks {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Develop and check receivers of Dub webhooks and partner postbacks.

    Secrets are read from DUB_WEBHOOK_SECRET and DUB_POSTBACK_SECRET, or from a
    file (--secret-file), and are never printed; 'dubhooks secret' makes one.

    Exit codes: 0 it is as it should be, 1 it is not, 2 wrong use.
    """


_COMMANDS = (trigger, listen, replay, verify, doctor, diff, events, sample, schema, secret, demo)

for _command in _COMMANDS:
    # The mark that keeps the lines of a paragraph apart is a control character, which has no
    # place in source code.
    _help = (getdoc(_command) or "").replace("\\b", "\b")
    app.command(help=_help, context_settings=_CONTEXT)(_command)


def run(arguments: list[str] | None) -> None:
    """Run a command and exit."""
    try:
        app(args=arguments)
    except DubhooksError as error:
        # Ours say what to do next; anything else is a defect and keeps its traceback.
        print_problem(str(error))
        raise SystemExit(2) from None
