"""Delivering as Dub's queue does: again and again until it is taken."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep
from typing import Final

from ._sending import Answer

__all__ = ["DELAYS", "deliver"]

# QStash docs: retry.  Dub sets nothing of its own, so the defaults hold: e^(2.5 n) seconds before
# retry n, at most a day.
DELAYS: Final = (12.0, 148.0, 1_808.0, 22_026.0, 86_400.0)


def deliver(
    send: Callable[[], Answer],
    *,
    retries: bool,
    speed: float,
    tell: Callable[[Answer], None],
    tell_wait: Callable[[float], None],
) -> Answer:
    """Send until the delivery is accepted or the retries are used up; return the last answer.

    Args:
        send: sends it once.
        retries: there are any.
        speed: divides every wait.
        tell: gets every answer.
        tell_wait: gets the seconds, not divided, before each retry.
    """
    tell(answer := send())
    for delay in DELAYS if retries else ():
        if answer.accepted or _is_final(answer):
            break
        seconds = _read_retry_after(answer, delay)
        tell_wait(seconds)
        sleep(seconds / speed)
        tell(answer := send())
    return answer


def _is_final(answer: Answer) -> bool:
    told = answer.headers.get("upstash-nonretryable-error", "")
    return answer.status == 489 and told.strip().lower() == "true"


def _read_retry_after(answer: Answer, delay: float) -> float:
    # In seconds, as receivers of dubhooks write it; a date is left to the queue.
    value = answer.headers.get("retry-after", "").strip()
    return min(float(value[:9]), DELAYS[-1]) if value.isascii() and value.isdecimal() else delay
