"""How long claims and completions take when several processes write one SQLite file.

Run it with ``python tests/benchmarks/bench_sqlite_contention.py [SECONDS]``.  Writers are
unpaced: each starts its next claim at once, which is the worst case for fairness.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from dubhooks import SQLiteStore

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

FINGERPRINT = "0" * 64
_barrier: Barrier


def main() -> None:
    """Print a line of milliseconds for each number of writers."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    print(f"{'writers':>8}{'events/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'p99.9':>9}{'max ms':>9}")
    for writers in (1, 2, 4, 8):
        with tempfile.TemporaryDirectory() as directory:
            times = sorted(_measured(Path(directory) / "claims.db", writers, seconds))
        shown = [1000 * times[int(part * (len(times) - 1))] for part in (0.5, 0.99, 0.999, 1.0)]
        rate = len(times) / 2 / seconds
        print(f"{writers:>8}{rate:>10.0f}" + "".join(f"{value:>9.2f}" for value in shown))


def _measured(path: Path, writers: int, seconds: float) -> list[float]:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(writers)
    with context.Pool(writers, _remember, (barrier,)) as pool:
        arguments = [(path, number, seconds) for number in range(writers)]
        return [each for times in pool.starmap(_write, arguments, 1) for each in times]


def _remember(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier


def _write(path: Path, number: int, seconds: float) -> list[float]:
    store = SQLiteStore(path)
    store.claim(f"default:warm_{number}", "t", fingerprint=FINGERPRINT, lease=60, retention=60)
    _barrier.wait()
    times: list[float] = []
    end = perf_counter() + seconds
    while (begin := perf_counter()) < end:
        key = f"default:evt_{number}_{len(times)}"
        store.claim(key, "t", fingerprint=FINGERPRINT, lease=60.0, retention=2_592_000.0)
        claimed = perf_counter()
        store.complete(key, "t", retention=2_592_000.0)
        times += claimed - begin, perf_counter() - claimed
    store.close()
    return times


if __name__ == "__main__":
    main()
