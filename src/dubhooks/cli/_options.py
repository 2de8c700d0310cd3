"""Options that several commands share, and reading what they name."""

from __future__ import annotations

import json
import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.alias_generators import to_camel

from .. import postbacks, webhooks
from .._samples import load
from ..errors import InvalidEnvelope, InvalidEvent
from ..events._base import Event
from ..events._family import Family
from ..testing import make_event
from ._output import wrong_use

_VARIABLES = {False: "DUB_WEBHOOK_SECRET", True: "DUB_POSTBACK_SECRET"}


def _complete_event(incomplete: str) -> list[str]:
    return [name for name in webhooks.family.classes if name.startswith(incomplete)]


EVENT = typer.Argument(
    metavar="EVENT",
    help="Name of an event; 'dubhooks events' lists them.",
    autocompletion=_complete_event,
)
EventArgument = Annotated[str, EVENT]
PostbackFlag = Annotated[
    bool, typer.Option("--postback", help="Postbacks and their secret instead of webhooks.")
]
SecretFile = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        metavar="FILE",
        help="File that holds the signing secret, instead of the environment variable.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change the sample: a path, and a JSON value or text as it is. Repeatable.",
    ),
]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=0.001, metavar="S", help="Seconds to wait.")
]


def family_of(postback: bool) -> Family[Any]:
    """Return the family that the commands work on."""
    return postbacks.family if postback else webhooks.family


def checked_event(name: str, postback: bool) -> str:
    """Return ``name``, or exit with code 2 when there is no such event."""
    family = family_of(postback)
    if name not in family.classes:
        close = get_close_matches(name, family.classes, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else "see 'dubhooks events'"
        raise wrong_use(f"{name!r} is not a {family.name} event; {hint}")
    return name


def make_sample(
    name: str, postback: bool, changes: list[str] | None = None, seed: int | None = None
) -> Event:
    """Return a sample of the event called so, or exit with code 2 when it cannot be made.

    Args:
        name: the event's name.
        postback: it is a postback.
        changes: ``PATH=VALUE``, as ``--set`` takes them.
        seed: for the same ids each time.

    Raises:
        ConfigurationError: a change cannot be applied.
    """
    family = family_of(postback)
    overrides = dict(_read_change(change, load(family.name, name)) for change in changes or ())
    cls: Any = family.classes[name]
    try:
        event: Event = make_event(cls, overrides, seed=seed, event=name)
    except (InvalidEvent, InvalidEnvelope) as error:
        raise wrong_use(
            f"{error}; to send such a body all the same, write it to a file: "
            "dubhooks trigger --file FILE"
        ) from None
    return event


def _read_change(change: str, sample: dict[str, Any]) -> tuple[str, object]:
    path, equals, text = change.partition("=")
    if not equals or not path:
        raise wrong_use(f"--set {change!r}: write PATH=VALUE, as in data.sale.amount=1900")
    # The sample's own value tells whether the field is text.
    present = _find_value(sample, path.removeprefix("+"))
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if present is None or isinstance(present, str):
            return path, text
        raise wrong_use(f"--set {path}: the value must be JSON, as {json.dumps(present)}") from None
    is_text = isinstance(present, str) and not isinstance(value, str) and value is not None
    return path, text if is_text else value


def _find_value(node: Any, path: str) -> object:
    try:
        for part in path.split("."):
            is_list = isinstance(node, list)
            node = node[int(part) if is_list else part if part in node else to_camel(part)]
    except (LookupError, TypeError, ValueError):
        return None
    return node


def secret_from(postback: bool, file: Path | None) -> str:
    """Return the signing secret, or exit with code 2 when there is none."""
    if file is not None:
        # Editors end a file with a line break; anything else around the secret is told about.
        text = read_file(file).decode("utf-8", "surrogateescape")
        return text.removesuffix("\n").removesuffix("\r")
    variable = _VARIABLES[postback]
    secret = os.environ.get(variable)
    if not secret:
        raise wrong_use(
            f"no signing secret: set {variable} or use --secret-file ('dubhooks secret' makes one)"
        )
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
