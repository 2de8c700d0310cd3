"""What a hostile or an odd body costs: time and memory by shape and size, up to 1 MB.

Run it with ``python -m tests.benchmarks.shapes``.  Every body is signed and handled by a
receiver in a process of its own, once; the cost must follow the size: 1 s and 400 MB at most.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import dubhooks
from dubhooks import MemoryStore, Webhooks
from dubhooks.webhooks import LinkCreated, PartnerEnrolled, SaleCreated
from tests.support.payload_fixtures import document

SECRET: Final = "whsec_" + "0123456789abcdef" * 2
SIZES: Final = {"60 kB": 60_000, "250 kB": 250_000, "1 MB": 1_000_000}
SECONDS, MEGABYTES = 1.0, 400


def _fill(item: str, size: int) -> str:
    return ",".join([item] * max(1, size // (len(item) + 1)))


def _list_of(item: str) -> Callable[[int], str]:
    return lambda size: f"[{_fill(item, size)}]"


def _items(count: int, item: str) -> Callable[[int], str]:
    """Write as many items, each with text that makes them fill the size."""
    return lambda size: f"[{','.join([item % ('x' * (size // count - len(item)))] * count)}]"


def _keys(value: str) -> Callable[[int], str]:
    return lambda size: "{" + ",".join(f'"k{n:07}":{value}' for n in range(size // 13)) + "}"


def _deep(size: int, levels: int = 190) -> str:
    row = _fill("1", size // levels)
    return f'{{"a":{"[" * levels}{row}{f"],{row}" * (levels - 1)}]}}'


_TAG = '{"id":"tag_1","name":"spring","color":"red"}'
_LINK = '{"id":"link_1","domain":"d.sh","key":"k","clicks":5,"sales":"odd","saleAmount":1.5}'
_SURROGATE = '"\\ud83d"'

SHAPES: Final[dict[str, tuple[str, str, Callable[[int], str]]]] = {
    "tags": ("link.created", "tags", _list_of(_TAG)),
    "1,000 tags": ("link.created", "tags", _items(1_000, '{"id":"t","name":"%s"}')),
    "1,001 tags": ("link.created", "tags", _items(1_001, '{"id":"t","name":"%s"}')),
    "1,000 odd tags": ("link.created", "tags", _items(1_000, '["%s"]')),
    "links with odd values": ("partner.enrolled", "links", _list_of(_LINK)),
    "numbers for texts": ("link.created", "webhookIds", _list_of("5")),
    "long title": ("link.created", "title", lambda size: f'"{"x" * size}"'),
    "odd title": ("link.created", "title", _list_of("1")),
    "metadata, 190 levels": ("sale.created", "metadata", _deep),
    "metadata, 195 empty levels": ("sale.created", "metadata.a", _list_of("[" * 195 + "]" * 195)),
    "metadata, too deep": ("sale.created", "metadata.a", lambda size: "[" * size),
    "metadata, wide": ("sale.created", "metadata", _keys("{}")),
    "metadata, small numbers": ("sale.created", "metadata.a", _list_of("1")),
    "metadata, floats": ("sale.created", "metadata.a", _list_of("1.5")),
    "metadata, long text": ("sale.created", "metadata.a", lambda size: f'"{"é" * (size // 2)}"'),
    "metadata, lone surrogates": ("sale.created", "metadata.a", _list_of(_SURROGATE)),
    "metadata, empty objects": ("sale.created", "metadata.a", _list_of("{}")),
    "unknown keys": ("sale.created", "new", _keys("[]")),
    "unknown event": ("new.event", "", _list_of("[{}]")),
    "unknown event, surrogates": ("new.event", "", _list_of(f"[[],{_SURROGATE}]")),
    "refused: a list for an object": ("sale.created", "customer", _list_of("[]")),
    "refused: an object for an id": ("sale.created", "customer.id", _deep),
    "refused: everything is wrong": ("sale.created", "*", _list_of(_TAG)),
    "refused: a long number": ("sale.created", "sale.amount", lambda size: "9" * size),
}


def make_body(shape: str, size: int) -> bytes:
    """Return a body of about ``size`` bytes."""
    name, place, write = SHAPES[shape]
    value: Any = document("webhooks", name if name != "new.event" else "sale.created")
    value["event"] = name
    holder, keys = value["data"], place.split(".")
    if place == "*":
        for key in holder:
            holder[key] = "@@"
    elif place:
        for key in keys[:-1]:
            holder = holder[key]
        holder[keys[-1]] = "@@"
    else:
        value["data"] = "@@"
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    share = write(size // max(1, text.count('"@@"')))
    return text.replace('"@@"', share).encode()


def _measure(shape: str, size: int) -> None:
    """Handle one body, in this process, and print status, seconds and megabytes."""
    hooks = Webhooks(SECRET, store=MemoryStore(), max_body=2_000_000, max_age=None)
    for cls in (LinkCreated, PartnerEnrolled, SaleCreated):
        hooks.on(cls)(lambda _event: None)
    hooks.warm_up()
    body = make_body(shape, size)
    headers = {"Dub-Signature": dubhooks.sign(body, SECRET)}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    before = time.process_time()
    reply = hooks.handle(body, headers)
    seconds = time.process_time() - before
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    print(json.dumps([len(body), reply.status, seconds, more / 1024]))


def main() -> int:
    """Print the table; 1 when a body costs too much."""
    print(f"{'shape':32}" + "".join(f"{size:>28}" for size in SIZES))
    is_good = True
    for shape in SHAPES:
        row = f"{shape:32}"
        for size in SIZES.values():
            program = [sys.executable, "-m", __spec__.name if __spec__ else "", shape, str(size)]
            done = subprocess.run(program, capture_output=True, text=True, check=True)
            length, status, seconds, megabytes = json.loads(done.stdout)
            row += f"{status:>10} {seconds:>7.3f} s {megabytes:>5.0f} MB"
            is_good &= seconds <= SECONDS and megabytes <= MEGABYTES and length < 1_100_000
        print(row)
    print("as promised" if is_good else f"beyond {SECONDS} s or {MEGABYTES} MB")
    return not is_good


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _measure(sys.argv[1], int(sys.argv[2]))
    else:
        sys.exit(main())
