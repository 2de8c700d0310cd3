"""What goes to the terminal.

Texts of ours are ASCII, so that they print wherever the output goes.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Annotated, TypeVar

import typer
from rich import progress
from rich.console import Console

T = TypeVar("T")

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


def track(items: Iterable[T], what: str, total: int) -> Iterable[T]:
    """Return ``items``; several have a progress bar on stderr if that is a terminal."""
    if total < 2 or not sys.stderr.isatty():
        return items
    return progress.track(items, what, total, console=Console(stderr=True), transient=True)


@contextmanager
def without_log() -> Generator[None, None, None]:
    """Keep the library's log off the terminal: a command says the same in its own words."""
    logger = logging.getLogger("dubhooks")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
