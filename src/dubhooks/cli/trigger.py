"""``dubhooks trigger``: send events as Dub does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Annotated, Final

import typer

from ..signature import sign
from ._options import (
    EVENT,
    PostbackFlag,
    SecretFile,
    SetOption,
    TimeoutOption,
    checked_event,
    make_sample,
    read_file,
    secret_from,
)
from ._output import JSONFlag, print_json, track, wrong_use
from ._sending import Answer, Sender, checked_url, shown_url, tamper
from ._summary import Summary, describe, describe_as_json

DELAYS: Final = (12.0, 148.0, 1_808.0, 22_026.0, 86_400.0)
"""Seconds before each retry of Dub's queue (QStash docs: retry).  Dub sets nothing of its own, so
the defaults hold: e^(2.5 n) before retry n, at most a day."""


@dataclass(frozen=True)
class Request:
    """What to send."""

    make_body: Callable[[], bytes]
    """Returns the body of the next delivery."""
    secret: str | None
    """``None``: without a signature."""
    is_tampered: bool

    def build(self) -> tuple[bytes, dict[str, str]]:
        """Return body and headers of the next delivery."""
        body = self.make_body()
        headers = {"Content-Type": "application/json"}
        if self.secret is not None:
            headers["Dub-Signature"] = sign(body, self.secret)
        return (tamper(body) if self.is_tampered else body), headers

    def advise(self, answer: Answer) -> str | None:
        """Return what to do about an answer, in a line."""
        if self.secret is not None and not self.is_tampered:
            return answer.advice
        if answer.accepted:
            return "accepted without a valid signature: the endpoint does not verify it"
        is_refused = answer.status == 401
        return "as it should be: the signature is not valid" if is_refused else answer.advice


def trigger(
    to: Annotated[str, typer.Option("--to", metavar="URL", help="Where to send it.")],
    event: Annotated[str | None, EVENT] = None,
    postback: PostbackFlag = False,
    changes: SetOption = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", metavar="FILE", help="Send these bytes (-: of stdin), whatever they are."
        ),
    ] = None,
    repeat: Annotated[int, typer.Option("--repeat", min=1, metavar="N", help="Send N events.")] = 1,
    same: Annotated[bool, typer.Option("--same", help="Repeat one event, as duplicates.")] = False,
    concurrency: Annotated[int, typer.Option(min=1, max=256, metavar="N", help="In parallel.")] = 1,
    tamper: Annotated[bool, typer.Option("--tamper", help="Change the signed body.")] = False,
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
    speed: Annotated[float, typer.Option(min=0.001, metavar="N", help="Divide the waits.")] = 1.0,
    timeout: TimeoutOption = 30.0,
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
    checked_url(to)
    make_body = _choose_body(event, postback, changes, file)
    if same:
        make_body = itertools.repeat(make_body()).__next__
    secret = None if no_signature else secret_from(postback, secret_file)
    request = Request(make_body, secret, tamper)
    request.build()  # what is wrong is told before anything is sent
    is_quiet = as_json or repeat > 1
    attempts: list[dict[str, object]] = []

    def send(_: int) -> Answer:
        body, headers = request.build()
        delays = iter(DELAYS if retries else ())
        while True:
            answer = sender.send(body, headers)
            advice = request.advise(answer)
            if repeat == 1:
                attempts.append({**describe_as_json(answer), "advice": advice})
            if not is_quiet and not (answer.refused and not retries):
                typer.echo(describe(answer) + (f"\n    {advice}" if advice else ""))
            wait = find_wait(answer, next(delays, None))
            if wait is None:
                return answer
            if not is_quiet:
                typer.echo(f"again in {wait:g} s (at speed {speed:g})")
            sleep(wait / speed)

    summary = Summary()
    with Sender(to, timeout=timeout, connections=concurrency) as sender:
        for answer in _call_often(send, repeat, concurrency):
            if answer.refused and not retries and not summary.sent:
                raise wrong_use(f"{shown_url(to)}: {answer.problem}")
            summary.add(answer, request.advise(answer))
    if as_json:
        print_json({"to": shown_url(to), **summary.as_json(), "attempts": attempts})
    elif repeat > 1:
        typer.echo("\n".join(summary.lines()))
    raise typer.Exit(0 if summary.accepted == repeat else 1)


def find_wait(answer: Answer, delay: float | None) -> float | None:
    """Return the seconds until Dub's queue sends again; ``None``: it does not.

    Args:
        answer: the last one.
        delay: the next one of the schedule; ``None``: the retries are used up.
    """
    told = answer.headers.get("upstash-nonretryable-error", "")
    is_final = answer.status == 489 and told.strip().lower() == "true"
    if delay is None or answer.accepted or is_final:
        return None
    # In seconds, as receivers of dubhooks write it; a date is left to the queue.
    value = answer.headers.get("retry-after", "").strip()
    return min(float(value[:9]), DELAYS[-1]) if value.isascii() and value.isdecimal() else delay


def _call_often(send: Callable[[int], Answer], times: int, concurrency: int) -> Iterator[Answer]:
    with ThreadPoolExecutor(concurrency) as pool:
        try:
            yield from track(pool.map(send, range(times)), "sending", times)
        finally:
            pool.shutdown(cancel_futures=True)


def _choose_body(
    event: str | None, postback: bool, changes: list[str] | None, file: Path | None
) -> Callable[[], bytes]:
    if file is not None:
        if changes:
            raise wrong_use("--set changes a sample, so it does not go with --file")
        content = read_file(file)
        return lambda: content
    if event is None:
        raise wrong_use("name an event or give a --file; 'dubhooks events' lists the events")
    name = checked_event(event, postback)
    return lambda: make_sample(name, postback, changes).to_json()
