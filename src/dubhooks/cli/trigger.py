"""``dubhooks trigger``: send events as Dub does."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._options import (
    AddOption,
    PostbackFlag,
    SecretFile,
    SetOption,
    checked_event,
    complete_event,
    make_sample,
    overrides_from,
    read_file,
    secret_from,
)
from ._output import JSONFlag, print_json, progress, wrong_use

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._sending import Answer, Sender
    from ._summary import Summary

__all__ = ["ToURL", "trigger"]

ToURL = Annotated[str, typer.Option("--to", metavar="URL", help="Where to send it.")]


class NothingListens(Exception):
    """There is no connection to the endpoint."""


@dataclass(frozen=True)
class Plan:
    """What to send."""

    request: Callable[[], tuple[bytes, dict[str, str]]]
    """Gives body and headers of the next delivery."""
    repeat: int
    concurrency: int
    retries: bool
    speed: float
    is_quiet: bool
    """Attempts are not shown one by one."""


def trigger(
    to: ToURL,
    event: Annotated[
        str | None,
        typer.Argument(
            metavar="EVENT",
            help="Name of an event; may be left out with --file.",
            autocompletion=complete_event,
            show_default=False,
        ),
    ] = None,
    postback: PostbackFlag = False,
    changes: SetOption = None,
    additions: AddOption = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            metavar="FILE",
            help="Send the bytes of this file (-: of stdin), whatever they are.",
            show_default=False,
        ),
    ] = None,
    repeat: Annotated[int, typer.Option("--repeat", min=1, metavar="N", help="Send N events.")] = 1,
    same: Annotated[bool, typer.Option("--same", help="Repeat one event, as duplicates.")] = False,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=256, metavar="N", help="N at the same time.")
    ] = 1,
    tamper: Annotated[
        bool, typer.Option("--tamper", help="Change the body after it was signed.")
    ] = False,
    no_signature: Annotated[
        bool, typer.Option("--no-signature", help="Send no signature.")
    ] = False,
    retries: Annotated[
        bool,
        typer.Option(
            "--retries",
            help="Deliver again as Dub's queue does, after 12 s, 2 min 28 s, 30 min 8 s, "
            "6 h 7 min 6 s and 24 h, until the answer is 2xx.",
        ),
    ] = False,
    speed: Annotated[
        float, typer.Option("--speed", min=0.001, metavar="N", help="Divide those waits by N.")
    ] = 1.0,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.001, metavar="S", help="Seconds to wait.")
    ] = 30.0,
    secret_file: SecretFile = None,
    as_json: JSONFlag = False,
) -> None:
    r"""Send a signed event to an endpoint and show what it answers.

    \b
    Examples:
      dubhooks trigger sale.created --to http://127.0.0.1:8000/webhooks/dub
      dubhooks trigger sale.created --to $URL --set data.sale.amount=1900
      dubhooks trigger lead.created --postback --to $URL
      dubhooks trigger sale.created --to $URL --repeat 1000 --concurrency 8
      dubhooks trigger sale.created --to $URL --retries --speed 1000
      dubhooks trigger --file body.json --to $URL --tamper

    Exit codes: 0 every delivery was accepted (2xx, in the end), 1 one was
    refused, 2 wrong use or nothing listens there.
    """
    from ._sending import Sender, checked_url, shown_url
    from ._summary import Summary

    checked_url(to)
    body = _body(event, postback, changes, additions, file)
    if same:
        body = itertools.repeat(body()).__next__
    secret = "" if no_signature else secret_from(postback, secret_file)
    request = partial(_request, body, secret, tamper)
    request()
    summary = Summary()
    plan = Plan(request, repeat, min(concurrency, repeat), retries, speed, as_json or repeat > 1)
    with Sender(to, timeout=timeout, connections=concurrency) as sender:
        attempted = _deliver(plan, sender, summary)
    if as_json:
        print_json({"to": shown_url(to), **summary.as_json(), "attempts": attempted})
    elif repeat > 1:
        typer.echo(str(summary))
    raise typer.Exit(0 if summary.accepted == repeat else 1)


def _body(
    event: str | None,
    postback: bool,
    changes: list[str] | None,
    additions: list[str] | None,
    file: Path | None,
) -> Callable[[], bytes]:
    if file is not None:
        if changes or additions:
            raise wrong_use("--set and --add change a sample, so they do not go with --file")
        content = read_file(file)
        return lambda: content
    if event is None:
        raise wrong_use("name an event or give a --file; 'dubhooks events' lists the events")
    name = checked_event(event, postback)
    overrides, added = overrides_from(changes), overrides_from(additions, "--add")
    return lambda: make_sample(name, postback, overrides, added).to_json()


def _request(body: Callable[[], bytes], secret: str, tamper: bool) -> tuple[bytes, dict[str, str]]:
    from ..signature import sign

    content = body()
    headers = {"Content-Type": "application/json"}
    if secret:
        headers["Dub-Signature"] = sign(content, secret)
    return (_tampered(content) if tamper else content), headers


def _tampered(body: bytes) -> bytes:
    """Return ``body`` with one digit changed, so that it stays JSON, else one bit."""
    for place in range(len(body) - 1, -1, -1):
        if 0x31 <= body[place] <= 0x39:
            return body[:place] + (b"8" if body[place] == 0x39 else b"9") + body[place + 1 :]
    return bytes([body[0] ^ 1]) + body[1:] if body else b" "


def _deliver(plan: Plan, sender: Sender, summary: Summary) -> list[dict[str, object]]:
    """Send all there is to send; return the attempts when there is one delivery."""
    numbers = itertools.count(1)
    attempted: list[dict[str, object]] = []
    failure: list[BaseException] = []

    with progress() as bar:
        task = bar.add_task("sending", total=plan.repeat, visible=plan.repeat > 1)

        def work() -> None:
            try:
                while next(numbers) <= plan.repeat and not failure:
                    _one(plan, sender, summary, attempted)
                    bar.advance(task)
            except BaseException as error:  # noqa: BLE001 - raised again below
                failure.append(error)

        threads = [threading.Thread(target=work) for _ in range(plan.concurrency - 1)]
        for thread in threads:
            thread.start()
        work()
        for thread in threads:
            thread.join()
    if failure and isinstance(failure[0], NothingListens):
        raise wrong_use(str(failure[0]))
    if failure:
        raise failure[0]
    return attempted


def _one(plan: Plan, sender: Sender, summary: Summary, attempted: list[dict[str, object]]) -> None:
    from ._retries import attempts
    from ._sending import shown_url
    from ._summary import in_words

    def waiting(seconds: float) -> None:
        if not plan.is_quiet:
            typer.echo(f"again in {seconds:g} s (at speed {plan.speed:g})")

    body, headers = plan.request()
    answer: Answer | None = None
    for answer in attempts(
        lambda: sender.send(body, headers),
        retries=plan.retries,
        speed=plan.speed,
        waiting=waiting,
    ):
        if answer.refused and not plan.retries and not summary.sent:
            raise NothingListens(f"{shown_url(sender.url)}: {answer.problem}")
        if not plan.is_quiet:
            typer.echo(in_words(answer))
        if plan.repeat == 1:
            attempted.append(_as_json(answer))
    if answer is not None:
        summary.add(answer)


def _as_json(answer: Answer) -> dict[str, object]:
    return {
        "status": answer.status,
        "seconds": round(answer.seconds, 6),
        "answer": answer.body.decode("utf-8", "replace"),
        "problem": answer.problem or None,
    }
