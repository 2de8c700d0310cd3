"""Delivering as Dub's queue does: again and again until it is taken."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from time import sleep
from typing import TYPE_CHECKING, Final

from ._summary import is_accepted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ._sending import Answer

__all__ = ["DELAYS", "attempts"]

# QStash docs: retry.  Dub sets nothing of its own, so the defaults hold: e^(2.5 n) seconds before
# retry n, at most a day.
DELAYS: Final = (12.0, 148.0, 1_808.0, 22_026.0, 86_400.0)
_LONGEST: Final = 86_400.0


def attempts(
    send: Callable[[], Answer], *, retries: bool, speed: float, waiting: Callable[[float], None]
) -> Iterator[Answer]:
    """Yield the answer of every attempt until one is accepted or the retries are used up.

    ``speed`` divides every wait; ``waiting`` is told how many seconds (not
    divided) the sender would wait.
    """
    answer = send()
    yield answer
    for delay in DELAYS if retries else ():
        if is_accepted(answer) or _is_final(answer):
            return
        seconds = _asked_for(answer.headers, delay)
        waiting(seconds)
        sleep(seconds / speed)
        answer = send()
        yield answer


def _is_final(answer: Answer) -> bool:
    told = answer.headers.get("upstash-nonretryable-error", "")
    return answer.status == 489 and told.strip().lower() == "true"


def _asked_for(headers: Mapping[str, str], delay: float) -> float:
    value = headers.get("retry-after", "").strip()
    if value.isdecimal() and value.isascii():
        return min(float(value[:9]), _LONGEST)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return delay
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    wait = (moment - datetime.now(timezone.utc)).total_seconds()
    return min(max(wait, 0.0), _LONGEST)
