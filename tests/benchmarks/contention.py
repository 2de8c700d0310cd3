"""How long claims and completions take when several processes write one SQLite file.

Writers are unpaced: each starts its next claim at once, which is the worst case for fairness.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from multiprocessing.synchronize import Barrier
from pathlib import Path
from time import perf_counter

from dubhooks import SQLiteStore
from tests.benchmarks.measuring import percentile
from tests.benchmarks.report import Table, duration

FINGERPRINT = "0" * 64
RETENTION = 30 * 86_400.0

_barrier: Barrier


def measure_contention(seconds: float) -> Table:
    """Return the table by number of processes."""
    rows: list[list[str]] = []
    for writers in (1, 2, 4, 8):
        with tempfile.TemporaryDirectory() as directory:
            times = _measure(Path(directory) / "claims.db", writers, seconds)
        shown = [duration(percentile(times, part) * 1e6) for part in (0.5, 0.99, 1.0)]
        rows.append([str(writers), f"{len(times) / seconds:,.0f}", *shown])
    columns = ["processes", "events/s", "median", "p99", "longest"]
    note = "Claim and complete; every process starts its next claim at once."
    return Table("Several processes on one SQLite file", columns, rows, note)


def _measure(path: Path, writers: int, seconds: float) -> list[float]:
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
        store.claim(key, "t", fingerprint=FINGERPRINT, lease=60.0, retention=RETENTION)
        store.complete(key, "t", retention=RETENTION)
        times.append(perf_counter() - begin)
    store.close()
    return times
