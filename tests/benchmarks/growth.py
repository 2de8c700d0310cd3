"""Memory per key, and the time of a claim, while an engine fills with completed keys.

``python -m tests.benchmarks.growth [ENGINE …] [--keys 1000000]``
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import count

from tests.benchmarks.engines import (
    ENGINES,
    FINGERPRINT,
    LEASE,
    RETENTION,
    TOKEN,
    Target,
    key_of,
    through,
)
from tests.benchmarks.report import duration

_numbers = count()


def main() -> None:
    """Print a line for each hundredth, tenth and whole."""
    from tests.benchmarks import django_engines  # sets Django up

    engines = ENGINES | django_engines.ENGINES
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("engines", nargs="*", default=list(engines), help=", ".join(engines))
    parser.add_argument("--keys", type=int, default=1_000_000)
    options = parser.parse_args()
    for name in options.engines:
        with engines[name]() as target:
            _print_growth(target, options.keys)


def _print_growth(target: Target, keys: int) -> None:
    handle = through(target.store)
    for number in range(200):
        handle(f"warm:{number}")
    empty = target.size() if target.size else 0
    fill = target.fill or (lambda start, end: [handle(key_of(n)) for n in range(start, end)])
    done = 0
    for goal in (keys // 100, keys // 10, keys):
        fill(done, goal)
        done = goal
        first = _median(lambda: handle(f"bench:{next(_numbers)}"))
        again = _median(partial(_claim_again, target, goal))
        size = f"{(target.size() - empty) / done:5.0f} bytes a key" if target.size else ""
        print(
            f"{target.name:24} {done:9,} keys   claim + complete {duration(first)}   "
            f"duplicate {duration(again)}   {size}",
            flush=True,
        )


def _claim_again(target: Target, keys: int) -> None:
    key = key_of(next(_numbers) % keys)
    target.store.claim(key, TOKEN, fingerprint=FINGERPRINT, lease=LEASE, retention=RETENTION)


def _median(call: Callable[[], object]) -> float:
    times: list[float] = []
    for _ in range(1000):
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return statistics.median(times) * 1e6


if __name__ == "__main__":
    main()
