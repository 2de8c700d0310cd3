"""Requests a second of three frameworks on real servers, over loopback."""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.benchmarks.bodies import SECRET
from tests.benchmarks.load import CONNECTIONS, Deliveries, Rate, send_load
from tests.benchmarks.measuring import ratio_of
from tests.benchmarks.report import Bar, Part, Plot, Table, Target, duration, number
from tests.benchmarks.served import BARE, OURS, TYPED, UNTYPED, WAYS
from tests.support.processes import Server, importing, python, serving

PACKAGE = "tests.benchmarks.served"
# This worker keeps connections open.  With more threads they contend for the interpreter, and the
# CPU time of a request varies by half from round to round.
GUNICORN = (
    *("-m", "gunicorn", "--bind=127.0.0.1:{port}", "--worker-class=gthread", "--threads=1"),
    *("--keep-alive=60", "--log-level=warning"),
)
UVICORN = ("-m", "uvicorn", "--port={port}", "--no-access-log", "--log-level=warning")
COMMANDS = {
    "Flask": [*GUNICORN, f"{PACKAGE}.flask_app:app"],
    "FastAPI": [*UVICORN, f"{PACKAGE}.fastapi_app:app"],
    "Django": [*GUNICORN, f"{PACKAGE}.django_app:app"],
}
LEAST = {
    "Flask": {TYPED: 1.0, UNTYPED: 0.8},
    "FastAPI": {TYPED: 1.0, UNTYPED: 1.0},
    "Django": {TYPED: 1.0},
}
TEXT = (
    "Sales of 2.4 kB, each with an id of its own, over loopback to one worker process: gunicorn "
    "with one thread for Flask and Django, uvicorn for FastAPI. The ways take turns; medians of "
    "the rounds, and ratios of pairs in one round. *Bare* reads the body and answers. *By hand, "
    "untyped* verifies with `hmac.new` and reads with `json.loads`; *by hand, typed* verifies and "
    "parses into the same pydantic model, for this one event. *dubhooks* is the mounted view or "
    "router. Django runs without middleware."
)


def main(rounds: int, seconds: float) -> Part:
    """Measure every framework."""
    part = Part("Requests per second", TEXT)
    for name in ("flask", "fastapi", "starlette", "django", "gunicorn", "uvicorn", "uvloop"):
        with suppress(PackageNotFoundError):
            part.versions[name] = version(name)
    busiest = 0.0
    for framework in COMMANDS:
        rates = _measure(framework, rounds, seconds)
        busiest = max(busiest, *(rate.client_load for turns in rates.values() for rate in turns))
        _add(part, framework, rates)
    part.text += (
        f" The client keeps {CONNECTIONS} connections open on one asyncio loop, and used at most "
        f"{busiest:.0%} of a processor of its own."
    )
    return part


@contextmanager
def _served(framework: str, way: str) -> Generator[Server]:
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            **importing(),
            "DUBHOOKS_BENCHMARK_WAY": way,
            "DUBHOOKS_BENCHMARK_SECRET": SECRET,
        }
        with serving(python(*COMMANDS[framework]), Path(directory), environment) as server:
            yield server


def _measure(framework: str, rounds: int, seconds: float) -> dict[str, list[Rate]]:
    deliveries = Deliveries()
    rates: dict[str, list[Rate]] = {way: [] for way in WAYS}
    with ExitStack() as stack:
        servers = {way: stack.enter_context(_served(framework, way)) for way in WAYS}
        turns = list(servers.items())
        for turn in range(rounds + 1):
            random.shuffle(turns)
            for way, server in turns:
                rate = send_load(server, deliveries, seconds)
                if turn:  # the first one builds the parser and opens the store
                    rates[way].append(rate)
    return rates


def _add(part: Part, framework: str, found: dict[str, list[Rate]]) -> None:
    rates = {way: [rate.per_second for rate in turns] for way, turns in found.items()}
    rows: list[list[str]] = []
    for way, per_second in rates.items():
        median = statistics.median(per_second)
        to_bare, to_typed = (ratio_of(per_second, rates[base]) for base in (BARE, TYPED))
        label = f"**{way}**" if way.startswith(OURS) else way
        spent = statistics.median(rate.server_microseconds for rate in found[way])
        rows.append([label, f"{median:,.0f}", number(to_bare), number(to_typed), duration(spent)])
    columns = ["", "requests/s", "ratio to bare", "ratio to typed", "server CPU a request"]
    part.tables.append(Table(framework, columns, rows))
    for base, wanted in LEAST[framework].items():
        ratio = ratio_of(rates[OURS], rates[base])
        what = f"{framework}, requests/s: dubhooks to {base}"
        part.targets.append(Target(what, ratio, wanted, at_least=True))
    bars = [Bar(way, statistics.median(it), way.startswith(OURS)) for way, it in rates.items()]
    title = f"{framework}: requests a second, more is better"
    part.plots.append(Plot(f"requests-{framework.lower()}", title, "/s", bars))
