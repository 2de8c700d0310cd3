"""What goes to the terminal.

Texts of ours are ASCII, so that they print wherever the output goes.
"""

from __future__ import annotations

import json
import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.progress import Progress

__all__ = ["JSONFlag", "print_json", "print_problem", "progress", "without_log", "wrong_use"]

JSONFlag = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")
]


def print_json(value: object) -> None:
    """Print ``value`` as the only thing on stdout."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_problem(message: str) -> None:
    """Print one line on stderr."""
    sys.stderr.write(f"dubhooks: {message}\n")


def wrong_use(message: str) -> typer.Exit:
    """Say what is wrong with the command and return the exit (code 2) to raise."""
    print_problem(message)
    return typer.Exit(2)


def progress() -> Progress:
    """Return a progress bar on stderr, shown only on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    is_terminal = sys.stderr.isatty()
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        # Quiet as well, because older versions of rich end a disabled bar with an empty line.
        console=Console(stderr=True, quiet=not is_terminal),
        transient=True,
        disable=not is_terminal,
    )


@contextmanager
def without_log() -> Generator[None, None, None]:
    """Keep the library's log off the terminal: a command says the same in its own words."""
    logger = logging.getLogger("dubhooks")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
