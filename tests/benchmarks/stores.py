"""Claim and complete on every engine, beside the raw round trips that they need.

The store and the bare driver, which sends the same statements, take turns in one run. For what a
million keys take: ``python -m tests.benchmarks.growth``.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import count

from tests.benchmarks.contention import measure_contention
from tests.benchmarks.engines import ENGINES, Handle, Target, through
from tests.benchmarks.measuring import percentile
from tests.benchmarks.report import Bar, Part, Plot, Table, duration, number
from tests.benchmarks.report import Target as Wanted

CLIENTS = (1, 8)
DRIVERS = ("redis", "SQLAlchemy", "psycopg", "PyMySQL")
TEXT = (
    "Claim and complete one event, on servers over loopback that flush every commit to the disk "
    "(Redis once a second, as by default). *Bare* is the same statements through the driver, "
    "without the store: the round trips that are needed. The two take turns; the ratio is that "
    "of the medians. Clients are threads of one process."
)
COLUMNS = ["", "clients", "bare, median", "store, median", "store, p99", "events/s", "ratio"]

_numbers = count()


def main(seconds: float) -> Part:
    """Measure every engine."""
    from tests.benchmarks import django_engines  # sets Django up

    part = Part("Claims per store", TEXT)
    part.versions = {name: version(name) for name in DRIVERS}
    rows: list[list[str]] = []
    bars: list[Bar] = []
    for make in (ENGINES | django_engines.ENGINES).values():
        with make() as target:
            for clients in CLIENTS:
                row, median = _measure_target(part, target, clients, seconds)
                rows.append(row)
                if clients == 1:
                    bars.append(Bar(target.name, median * 1e6, ours=True))
    part.tables += [Table("Claim and complete", COLUMNS, rows), measure_contention(seconds)]
    title = "Claim and complete with one client (µs, logarithmic)"
    part.plots.append(Plot("claims", title, "µs", bars, logarithmic=True))
    return part


def _measure_target(
    part: Part, target: Target, clients: int, seconds: float
) -> tuple[list[str], float]:
    ways: list[Callable[[], Handle]] = [lambda: through(target.store)]
    if target.connect is not None:
        ways.append(target.connect)
    store, *bare = _measure(ways, clients, seconds * len(ways))
    median = statistics.median(store)
    told = ["", ""]
    for times in bare:
        ratio = median / statistics.median(times)
        told = [duration(statistics.median(times) * 1e6), number(ratio)]
        plural = "s" if clients > 1 else ""
        what = f"{target.name}, {clients} client{plural}: store to bare"
        part.targets.append(Wanted(what, ratio, 1.3))
    spent = sum(store) / clients
    store_told = [duration(median * 1e6), duration(percentile(store, 0.99) * 1e6)]
    rate = f"{len(store) / spent:,.0f}"
    return [target.name, str(clients), told[0], *store_told, rate, told[1]], median


def _measure(ways: list[Callable[[], Handle]], clients: int, seconds: float) -> list[list[float]]:
    """Return for each way how long each claim with its completion took.

    Every client goes the ways in turn, in any order: what comes first may leave
    work behind for what comes next.
    """
    times: list[list[float]] = [[] for _ in ways]
    start = threading.Barrier(clients)

    def run() -> None:
        own: list[tuple[Handle, list[float]]] = [(way(), []) for way in ways]
        for handle, _ in own * 20:
            handle(f"bench:{next(_numbers)}")
        in_turn = own.copy()
        start.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            random.shuffle(in_turn)
            for handle, taken in in_turn:
                before = time.perf_counter()
                handle(f"bench:{next(_numbers)}")
                taken.append(time.perf_counter() - before)
        for whole, (_, taken) in zip(times, own, strict=True):
            whole.extend(taken)

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times
