"""``dubhooks events``, ``sample`` and ``schema``: what Dub sends."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from ._options import EventArgument, PostbackFlag, SetOption, checked_event, family_of, make_sample
from ._output import JSONFlag, print_json

CompactFlag = Annotated[
    bool, typer.Option("--json", help="On one line; of a sample, exactly the bytes that are sent.")
]


def events(as_json: JSONFlag = False) -> None:
    r"""List every event of both families and its class.

    \b
    Examples:
      dubhooks events
      dubhooks events --json

    Exit codes: 0 always.
    """
    families = {"webhooks": family_of(False), "postbacks": family_of(True)}
    if as_json:
        print_json(
            {
                title: {name: cls.__name__ for name, cls in family.classes.items()}
                for title, family in families.items()
            }
        )
        return
    for title, family in families.items():
        typer.echo(f"{title}:")
        for name, cls in family.classes.items():
            typer.echo(f"  {name:<30}dubhooks.{title}.{cls.__name__}")


def sample(
    event: EventArgument,
    postback: PostbackFlag = False,
    changes: SetOption = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            help="The same id and data every time (createdAt is now); without it all are new.",
            show_default=False,
        ),
    ] = None,
    as_json: CompactFlag = False,
) -> None:
    r"""Print a realistic event, every key in place.

    \b
    Examples:
      dubhooks sample sale.created
      dubhooks sample sale.created --set data.sale.amount=1900 --json > body.json

    Exit codes: 0 printed, 2 wrong use.
    """
    name = checked_event(event, postback)
    body = make_sample(name, postback, changes, seed).to_json()
    if not as_json:
        body = json.dumps(json.loads(body), indent=2, ensure_ascii=False).encode() + b"\n"
    # As bytes: the terminal's character set must not change them.
    sys.stdout.flush()
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()


def schema(
    event: EventArgument, postback: PostbackFlag = False, as_json: CompactFlag = False
) -> None:
    r"""Print the JSON Schema of an event, as this version reads it.

    \b
    Examples:
      dubhooks schema sale.created
      dubhooks schema sale.created --postback > sale.schema.json

    Exit codes: 0 printed, 2 wrong use.
    """
    cls = family_of(postback).classes[checked_event(event, postback)]
    document: dict[str, Any] = cls.model_json_schema(by_alias=True)
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}
    typer.echo(json.dumps(document, indent=None if as_json else 2))
