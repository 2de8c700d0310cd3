"""Measuring in turns, so that the moods of a machine meet everything that is compared."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

SECONDS_A_ROUND = 0.01
"""Of CPU time: long enough that the clock costs nothing, short enough that both sides of a ratio
meet the same weather."""


class Times(NamedTuple):
    """The same work done in several ways: how long each took, one figure a round."""

    rounds: dict[str, list[float]]
    """Microseconds of one call, by the name of its way; the rounds stand side by side."""

    def median(self, way: str) -> float:
        """Return the microseconds of a call in the median round."""
        return statistics.median(self.rounds[way])

    def ratio(self, way: str, base: str) -> float:
        """Return how many times ``base`` a way takes: the median of what single rounds say."""
        return ratio_of(self.rounds[way], self.rounds[base])


def ratio_of(times: Sequence[float], base: Sequence[float]) -> float:
    """Return the median of the ratios of pairs."""
    return statistics.median(one / other for one, other in zip(times, base, strict=True))


def measure(calls: Mapping[str, Callable[[], Any]], rounds: int) -> Times:
    """Take the CPU time of every call, in turns and in another order each round.

    Args:
        calls: what to call, by name.
        rounds: how often it is each one's turn.
    """
    counts = {way: _calls_a_round(call) for way, call in calls.items()}
    times = Times({way: [] for way in calls})
    turns = list(calls.items())
    for _ in range(rounds):
        random.shuffle(turns)  # what comes first may leave work behind for what comes next
        for way, call in turns:
            repeats = range(counts[way])
            start = time.process_time()
            for _ in repeats:
                call()
            spent = time.process_time() - start
            times.rounds[way].append(spent / len(repeats) * 1e6)
    return times


def percentile(times: Sequence[float], part: float) -> float:
    """Return the value below which ``part`` of the times are."""
    return sorted(times)[int(part * (len(times) - 1))]


def _calls_a_round(call: Callable[[], Any]) -> int:
    call()  # the first one may build what the others use
    start = time.process_time()
    call()
    once = time.process_time() - start
    repeats = range(max(1, min(20, int(SECONDS_A_ROUND / once))))
    start = time.process_time()
    for _ in repeats:
        call()
    return max(1, int(SECONDS_A_ROUND * len(repeats) / (time.process_time() - start)))
