"""Options that several commands share, and reading what they name."""

from __future__ import annotations

import json
import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ..errors import InvalidEnvelope, InvalidEvent
from ._output import wrong_use

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..events._base import Event
    from ..events._family import Family

__all__ = [
    "AddOption",
    "EventArgument",
    "PostbackFlag",
    "SecretFile",
    "SetOption",
    "checked_event",
    "complete_event",
    "family_of",
    "make_sample",
    "other_secret",
    "overrides_from",
    "read_file",
    "secret_from",
]

_VARIABLES = {False: "DUB_WEBHOOK_SECRET", True: "DUB_POSTBACK_SECRET"}


def complete_event(incomplete: str) -> list[str]:
    """Return the names of events that begin like this."""
    from ..webhooks import family

    return [name for name in family.classes if name.startswith(incomplete)]


EventArgument = Annotated[
    str,
    typer.Argument(
        metavar="EVENT",
        help="Name of an event; 'dubhooks events' lists them.",
        autocompletion=complete_event,
        show_default=False,
    ),
]
PostbackFlag = Annotated[
    bool, typer.Option("--postback", help="A postback to a partner instead of a webhook.")
]
SecretFile = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        metavar="FILE",
        help="File that holds the signing secret, instead of the environment variable.",
        show_default=False,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change the sample: a path and a JSON value; text in double quotes. Repeatable.",
        show_default=False,
    ),
]
AddOption = Annotated[
    list[str] | None,
    typer.Option(
        "--add",
        metavar="PATH=VALUE",
        help="As --set, for a key that the models do not know. Repeatable.",
        show_default=False,
    ),
]


def family_of(postback: bool) -> Family[Any]:
    """Return the family that the commands work on."""
    from .. import postbacks, webhooks

    return postbacks.family if postback else webhooks.family


def checked_event(name: str, postback: bool) -> str:
    """Return ``name``, or exit with code 2 when there is no such event."""
    family = family_of(postback)
    if name not in family.classes:
        close = get_close_matches(name, family.classes, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else "see 'dubhooks events'"
        raise wrong_use(f"{name!r} is not a {family.name} event; {hint}")
    return name


def overrides_from(assignments: list[str] | None, option: str = "--set") -> dict[str, object]:
    """Return what an option asks for, or exit with code 2 when it cannot be read."""
    overrides: dict[str, object] = {}
    for assignment in assignments or ():
        path, equals, value = assignment.partition("=")
        if not equals or not path:
            raise wrong_use(
                f"{option} {assignment!r}: write PATH=VALUE, as in data.sale.amount=1900"
            )
        try:
            overrides[path] = json.loads(value, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise wrong_use(
                f"{option} {path}: the value is not JSON; text needs double quotes, "
                f"as in {option} '{path}=\"text\"'"
            ) from None
    return overrides


def make_sample(
    name: str,
    postback: bool,
    overrides: Mapping[str, object] | None = None,
    added: Mapping[str, object] | None = None,
    seed: int | None = None,
) -> Event:
    """Return a sample of the event called so, or exit with code 2 when it does not fit its model.

    Raises:
        ConfigurationError: an override cannot be applied.
    """
    from ..testing import make_event

    cls: Any = family_of(postback).classes[name]
    paths = {**(overrides or {}), **{f"+{path}": value for path, value in (added or {}).items()}}
    try:
        event: Event = make_event(cls, paths, seed=seed, event=name)
    except (InvalidEvent, InvalidEnvelope) as error:
        raise wrong_use(
            f"{error}; to send such a body all the same, write it to a file: "
            "dubhooks trigger --file FILE"
        ) from None
    return event


def secret_from(postback: bool, file: Path | None) -> str:
    """Return the signing secret, or exit with code 2 when there is none."""
    if file is not None:
        # Editors end a file with a line break; anything else around the secret is told about.
        text = read_file(file).decode("utf-8", "surrogateescape")
        return text.removesuffix("\n").removesuffix("\r")
    variable = _VARIABLES[postback]
    secret = os.environ.get(variable)
    if not secret:
        raise wrong_use(f"no signing secret: set {variable} or use --secret-file")
    return secret


def other_secret(postback: bool) -> list[str]:
    """Return the secret of the other family, if there is one."""
    secret = os.environ.get(_VARIABLES[not postback])
    return [secret] if secret else []


def read_file(path: Path) -> bytes:
    """Return the bytes of a file (``-``: of stdin), or exit with code 2."""
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise wrong_use(f"cannot read {str(path)!r}: {error.strerror}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
