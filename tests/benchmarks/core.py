"""Verify, parse, both, reject, import and memory, beside their floors and other libraries.

``python -m tests.benchmarks.core [ROUNDS]`` prints what it found as JSON. The command runs it
with the Python of the environment that holds the other libraries.
"""

from __future__ import annotations

import gc
import json
import platform
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pydantic

import dubhooks
from dubhooks import webhooks
from dubhooks.webhooks import SaleCreated
from tests.benchmarks import bodies, floors, peers
from tests.benchmarks.bodies import SALE, SECRET
from tests.benchmarks.importing import measure_imports, measure_store
from tests.benchmarks.measuring import Times, measure
from tests.benchmarks.report import PARTS, Bar, Part, Plot, Table, Target, duration, number

OURS = "**dubhooks**"
FLOOR, BY_HAND = "floor", "by hand, untyped"
LIMITS = {"verify": 1.10, "parse": 1.08, "receive": 1.10}
TITLES = {
    "verify": "Verify",
    "reject": "Reject a forged signature",
    "parse": "Parse",
    "receive": "Verify and parse",
}
TEXT = (
    "One delivery in one process, without a server. *Floor* is the least that the same work can "
    "cost in Python: a prepared HMAC that is copied for each call, and a pydantic model with the "
    "same fields in plain types. *By hand* is what everybody writes: `hmac.new` and `json.loads`, "
    "without types. Every library verifies a body that was signed as it wants it. `dub` (the SDK) "
    "has models and no verification, so `hmac` stands before it; `svix`, `standardwebhooks` and "
    "`githubkit` leave the JSON untyped; `openai` builds an event of its own from our data. "
    "In brackets: how many times dubhooks takes the same time, the median of paired rounds."
    "\n\n"
    "Where dubhooks takes longer than the floor, it does more. Parsing leaves an odd "
    "descriptive value empty instead of refusing the event, so each field is a union whose last "
    "branch is a function (about a quarter of the difference for a sale). Text of digits is no "
    "date (a fifth). Metadata, unknown keys and null lists are looked through in Python, "
    "because NaN and numbers that overflow are refused (a quarter; nearly all of it in large "
    "bodies of nested metadata). The rest is the choice among the events, and keeping the body "
    "out of every frame that an error tracker may send. Verifying also checks the secret and "
    "the form of the signature. Tried and left out: native types for free JSON (nested metadata "
    "three times slower), native dates (they take `20250203` for a day of 1970), the JSON "
    "encoder of C to find NaN (slower)."
)


def main(rounds: int) -> Part:
    """Measure everything."""
    part = Part("Verify and parse", TEXT)
    part.versions = {
        "Python": platform.python_version(),
        "pydantic": pydantic.VERSION,
        "dubhooks": dubhooks.__version__,
        **peers.versions(),
    }
    for kind, title in TITLES.items():
        _add_by_size(part, kind, title, rounds)
    _add_secrets(part, rounds)
    _add_handlers(part, rounds)
    _add_unknown_fields(part, rounds)
    _add_events_in_memory(part, 1000)
    measure_imports(part, max(3, rounds // 3))
    measure_store(part, 200_000 if rounds > 5 else 20_000)
    return part


def _calls(kind: str, body: bytes) -> dict[str, Callable[[], Any]]:
    """Return all ways to do one kind of work on a body."""
    signature = dubhooks.sign(body, SECRET)
    forged = "0" * 64
    verify_floor = floors.verify_floor(body, [SECRET], signature)
    parse_floor = floors.parse_floor(type(webhooks.parse(body)))

    def reject() -> None:
        try:
            dubhooks.verify(body, forged, SECRET)
        except dubhooks.SignatureMismatch:
            return

    def receive() -> Any:
        dubhooks.verify(body, signature, SECRET)
        return webhooks.parse(body)

    ours: dict[str, dict[str, Callable[[], Any]]] = {
        "verify": {
            OURS: lambda: dubhooks.verify(body, signature, SECRET),
            FLOOR: verify_floor,
            BY_HAND: floors.verify_by_hand(body, [SECRET], signature),
        },
        "reject": {
            OURS: reject,
            FLOOR: floors.verify_floor(body, [SECRET], forged),
            BY_HAND: floors.verify_by_hand(body, [SECRET], forged),
        },
        "parse": {
            OURS: lambda: webhooks.parse(body),
            FLOOR: lambda: parse_floor(body),
            BY_HAND: lambda: json.loads(body),
        },
        "receive": {
            OURS: receive,
            FLOOR: lambda: (verify_floor(), parse_floor(body)),
            BY_HAND: floors.receive_by_hand(body, SECRET, signature),
        },
    }
    return ours[kind] | dict(peers.calls(kind, body))


def _add_by_size(part: Part, kind: str, title: str, rounds: int) -> None:
    found: dict[str, Times] = {}
    for size, body in bodies.by_size().items():
        # A library may take most of a second for 1 MB, and the clock is the lesser problem there.
        turns = rounds if len(body) < 500_000 else max(2, rounds // 4)
        found[size] = times = measure(_calls(kind, body), turns)
        limit = LIMITS.get(kind)
        if len(body) < 500:
            limit = {"parse": 1.12, "receive": 1.25}.get(kind, limit)
        what = f"{title}, {size}"
        if limit is not None:
            part.targets.append(Target(f"{what}: to the floor", times.ratio(OURS, FLOOR), limit))
        if kind == "receive":
            part.targets.append(Target(f"{what}: to by hand", times.ratio(OURS, BY_HAND), 1.0))
    sale = found[SALE]
    if kind == "receive":
        for peer, wanted in (("stripe", 25.0), ("dub", 40.0)):
            if peer in sale.rounds:
                ratio = sale.ratio(peer, OURS)
                what = f"{title}, {SALE}: {peer} to dubhooks"
                part.targets.append(Target(what, ratio, wanted, at_least=True))
    part.tables.append(_table(f"{title}, by size of the body", found))
    bars = [Bar(_plain(way), sale.median(way), way == OURS) for way in sale.rounds]
    bars.sort(key=lambda bar: bar.value)
    name = title.lower().replace(" ", "-")
    plot = Plot(name, f"{title}: a sale of {SALE} (µs, logarithmic)", "µs", bars, logarithmic=True)
    part.plots.append(plot)


def _table(title: str, found: dict[str, Times], note: str = "") -> Table:
    ways = dict.fromkeys(way for times in found.values() for way in times.rounds)
    rows = [[way, *[_cell(times, way) for times in found.values()]] for way in ways]
    return Table(title, ["", *found], rows, note)


def _cell(times: Times, way: str) -> str:
    if way not in times.rounds:
        return "-"
    told = duration(times.median(way))
    return told if way == OURS else f"{told} ({number(times.ratio(way, OURS))})"


def _plain(way: str) -> str:
    return way.strip("*")


def _add_secrets(part: Part, rounds: int) -> None:
    body, found = bodies.sale(), dict[str, Times]()
    for count in (1, 2, 5):
        # The last one matches; the others are those that are being rotated out.
        secrets = [f"{SECRET}{number}" for number in range(count)]
        signature = dubhooks.sign(body, secrets[-1])
        hooks = dubhooks.Webhooks(secrets)
        headers = {"Dub-Signature": signature}
        floor, parse = floors.verify_floor(body, secrets, signature), webhooks.parse
        calls: dict[str, Callable[[], Any]] = {
            OURS: _verifying(body, signature, secrets),
            FLOOR: floor,
            BY_HAND: floors.verify_by_hand(body, secrets, signature),
            "`hooks.unwrap`": _unwrapping(hooks, body, headers),
            "floor, and `parse`": _both(floor, parse, body),
        }
        found[f"{count}"] = times = measure(calls, rounds)
        what = f"Verify, {count} secrets: to the floor"
        if count > 1:
            part.targets.append(Target(what, times.ratio(OURS, FLOOR), LIMITS["verify"]))
    part.tables.append(_table(f"Verify a sale of {SALE}, by number of secrets", found))


def _verifying(body: bytes, signature: str, secrets: list[str]) -> Callable[[], Any]:
    return lambda: dubhooks.verify(body, signature, secrets)


def _unwrapping(hooks: Any, body: bytes, headers: dict[str, str]) -> Callable[[], Any]:
    return lambda: hooks.unwrap(body, headers)


def _both(
    verify: Callable[[], Any], parse: Callable[[bytes], Any], body: bytes
) -> Callable[[], Any]:
    return lambda: (verify(), parse(body))


def _add_handlers(part: Part, rounds: int) -> None:
    body = bodies.sale()
    headers = {"Dub-Signature": dubhooks.sign(body, SECRET)}

    def unwrap_and_call() -> None:
        event = one.unwrap(body, headers)
        if isinstance(event, SaleCreated):
            _handle(event)

    one, twenty = _receiver(1), _receiver(20)
    calls: dict[str, Callable[[], Any]] = {
        "unwrap, and call": unwrap_and_call,
        "1 handler": lambda: one.handle(body, headers),
        "20 handlers": lambda: twenty.handle(body, headers),
    }
    times = measure(calls, rounds)
    rows = [
        [way, duration(times.median(way)), number(times.ratio(way, "unwrap, and call"))]
        for way in calls
    ]
    note = "The whole pipeline with log and reply, without a store."
    columns = ["", "a delivery", "ratio to unwrap, and call"]
    part.tables.append(Table(f"`hooks.handle`, a sale of {SALE}", columns, rows, note))


def _receiver(count: int) -> dubhooks.Webhooks:
    hooks = dubhooks.Webhooks(SECRET)
    hooks.on(SaleCreated)(_handle)
    classes = [getattr(webhooks, name) for name in dir(webhooks)]
    events = [cls for cls in classes if _is_event(cls) and cls is not SaleCreated]
    for cls in events[: count - 1]:
        hooks.on(cls)(lambda _event: None)
    for number_ in range(count - 1 - len(events)):
        hooks.on(f"new.event{number_}")(lambda _event: None)
    hooks.warm_up()
    return hooks


def _is_event(cls: Any) -> bool:
    fields = getattr(cls, "model_fields", {})
    return "created_at" in fields and "event" in fields and cls is not webhooks.UnknownEvent


def _handle(event: SaleCreated) -> None:
    assert event.data.sale.amount


def _add_unknown_fields(part: Part, rounds: int) -> None:
    found: dict[str, Times] = {}
    for count in (0, 20, 200):
        calls = _calls("parse", bodies.with_unknown_fields(count))
        found[f"{count}"] = times = measure(calls, rounds)
        what = f"Parse, {count} unknown fields: to the floor"
        if count:
            part.targets.append(Target(what, times.ratio(OURS, FLOOR), LIMITS["parse"]))
    part.tables.append(_table(f"Parse a sale of {SALE}, by number of unknown fields", found))


def _add_events_in_memory(part: Part, count: int) -> None:
    body = bodies.sale()
    rows: list[list[str]] = []
    for way, call in _calls("parse", body).items():
        call()
        gc.collect()
        tracemalloc.start()
        kept = [call() for _ in range(count)]
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        rows.append([way, f"{held / len(kept) / 1024:.1f} KiB"])
    note = "With dubhooks the bytes that were parsed are kept too, for `to_json()`; here all "
    note += "events share them, as they do with the request that they came in."
    part.tables.append(Table(f"Memory of one parsed sale of {SALE}", ["", "held"], rows, note))


def run(python: str, environment: dict[str, str], rounds: int) -> Part:
    """Measure in a process of its own, with another Python."""
    command = [python, "-m", "tests.benchmarks.core", str(rounds)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return PARTS.validate_json(done.stdout)


if __name__ == "__main__":
    print(PARTS.dump_json(main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)).decode())
