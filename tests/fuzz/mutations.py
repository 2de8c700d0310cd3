"""Mutations that know the structure of a delivery: headers, an empty line, then JSON."""

import json
from collections.abc import Callable
from random import Random
from typing import Any, Final

from tests.support.payload_fixtures import (
    ABRIDGED,
    PRODUCTION,
    document,
    drop,
    encode,
    get,
    paths,
    put,
    required,
)

CANARY: Final = "LEAK"
"""Part of what stands for a secret or for personal data: no error may show it."""

ODD: Final[list[Any]] = [
    *(None, True, False, 0, -1, 1.5, -0.0, 1e21, 1e308, 2**53 + 1, -(2**63), 10**40),
    *("", " ", CANARY, "po_1", "null", "1700000000", "1700000000.5", "-1", "\0", "\u2028"),
    *("\ud83d", "\ude00\ud83d", "\ud83d\ude00", "e" * 2_000, "../..", "a:b%3Ac", "true"),
    *("2026-02-30T00:00:00.000Z", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59.999-14:00"),
    *("2026-08-20", "2026-08-20T10:11:12", "2026-08-20T10:11:12.926123789Z", "12:00"),
    *([], [[]], [None], {}, {"": {}}, {"id": CANARY}, [{"id": "x"}] * 3, ["x"] * 1_001),
]
RAW: Final = ["NaN", "-Infinity", "1e999", "-1E+400", "9" * 5_000, "01", "1.", "'x'", "[", "\\u12"]
TOKENS: Final = [b'"', b"\\", b"\\ud83d", b"{", b"}", b"[", b"]", b",", b":", b"\0", b"\xff", b" "]
NAMES: Final = [
    *(name for _, name in PRODUCTION),
    *("payout.sent", "internal_payout.confirmed", "new.event", "sale.created ", "", CANARY),
]
HEADERS: Final = [
    *("Dub-Signature: SIGN", "dub-signature: SIGN", "X-Dub-Signature: SIGN", "Dub-Signature: "),
    *("Dub-Signature:  SIGN\t", "Dub-Signature: SIGN upper", "Dub-Signature: SIGN short"),
    *("Dub-Signature: sha256=SIGN", "Dub-Signature: " + "ab" * 32, f"Dub-Signature: {CANARY}"),
    *("Content-Encoding: gzip", "Content-Encoding: identity", "Host: x", "", ":", "Content-Length"),
]
"""``SIGN`` stands for the right signature."""


def _mark(value: Any) -> Any:
    """Put the canary where people's data is."""
    personal = ("name", "email", "title", "password", "comments", "text", "ip", "url", "metadata")
    for path in list(paths(value)):
        if path[-1] in personal and isinstance(get(value, path), str):
            put(value, path, f"{CANARY} {path[-1]}")
    return value


def _trim(value: Any, family: str, name: str) -> Any:
    """Take away what is optional until the event is small: then more of them fit into a second."""
    needed = {f"data.{path}" for path in required(family, name)}
    for path in list(paths(value["data"], ("data",)))[::-1]:
        dotted = ".".join(map(str, path))
        is_needed = dotted in needed or any(one.startswith(f"{dotted}.") for one in needed)
        if not is_needed and len(encode(value)) > 700:
            drop(value, path)
    return value


def _deliver(value: Any) -> bytes:
    return b"Dub-Signature: SIGN\n\n" + encode(_mark(value))


SEEDS: Final[list[bytes]] = [
    *(_deliver(json.loads(body)) for body in (*PRODUCTION.values(), *ABRIDGED.values())),
    *(_deliver(_trim(document(*kind), *kind)) for kind in PRODUCTION),
]
"""A delivery of every event, in full and in short."""

_DOCUMENTS = [json.loads(seed.partition(b"\n\n")[2]) for seed in SEEDS]
_VALUES = [(path[-1], get(document, path)) for document in _DOCUMENTS for path in paths(document)]


def mutate(data: bytes, random: Random) -> bytes:
    """Return a delivery like ``data``, with one to four things changed."""
    head, separator, body = data.partition(b"\n\n")
    if not separator:
        return random.choice(SEEDS)
    for _ in range(random.choice((1, 1, 2, 4))):
        part = random.random()
        if part < 0.12:
            head = _mutate_head(head, random)
        elif part < 0.27:
            body = _mutate_bytes(body, random)
        else:
            body = _mutate_json(body, random)
    return head + separator + body


def _mutate_head(head: bytes, random: Random) -> bytes:
    lines = head.split(b"\n")
    index = random.randrange(len(lines))
    line = random.choice(HEADERS).encode()
    lines[index : index + random.randint(0, 1)] = [line] * random.choice((0, 1, 1, 1, 2))
    if random.random() < 0.2:
        lines[0:1] = [_mutate_bytes(lines[0], random)] if lines else []
    return b"\n".join(line for line in lines if line)


def _mutate_bytes(text: bytes, random: Random) -> bytes:
    start = random.randint(0, len(text))
    end = min(len(text), start + random.choice((0, 1, 1, 2, 8, 40)))
    new = random.choice((b"", text[start:end] * 2, random.choice(TOKENS), random.randbytes(2)))
    return text[:start] + new + text[end:]


def _mutate_json(text: bytes, random: Random) -> bytes:
    if random.random() < 0.15:
        return _mutate_text(text, random)
    try:
        document = json.loads(text)
        places = list(paths(document)) if isinstance(document, (dict, list)) else []
    except (ValueError, RecursionError):
        return _mutate_bytes(text, random)
    if not places:
        return json.dumps(random.choice(_DOCUMENTS)).encode()
    random.choice(_CHANGES)(document, random.choice(places), random)
    try:
        return encode(document)
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(document, separators=(",", ":")).encode()
    except RecursionError:
        return text


def _mutate_text(text: bytes, random: Random) -> bytes:
    """Do what no Python value can: double a key, or write what is no JSON."""
    parts = text.split(b":")
    index = random.randrange(len(parts))
    if random.random() < 0.5 and parts[index].endswith(b'"'):
        key = b'"' + parts[index].rpartition(b'"')[0].rpartition(b'"')[2] + b'"'
        parts[index] += b":" + json.dumps(random.choice(ODD)).encode() + b"," + key
    else:
        parts[index] = random.choice(RAW).encode() + b"," + parts[index].partition(b",")[2]
    return b":".join(parts)


_Path = tuple[str | int, ...]


def _replace(document: Any, path: _Path, random: Random) -> None:
    put(document, path, random.choice(ODD))


def _remove(document: Any, path: _Path, _random: Random) -> None:
    drop(document, path)


def _copy(document: Any, path: _Path, random: Random) -> None:
    put(document, path, random.choice(_VALUES)[1])


def _swap(document: Any, path: _Path, random: Random) -> None:
    other = random.choice(list(paths(document)))
    one, two = get(document, path), get(document, other)
    if other[: len(path)] != path and path[: len(other)] != other:
        put(document, path, two)
        put(document, other, one)


def _deepen(document: Any, path: _Path, random: Random) -> None:
    value = get(document, path)
    for _ in range(random.choice((1, 1, 1, 2, 2, 30, 190, 210, 400, 900))):
        value = [value] if random.random() < 0.5 else {random.choice(("a", "id", CANARY)): value}
    put(document, path, value)


def _repeat(document: Any, path: _Path, random: Random) -> None:
    value = get(document, path)
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list):
        put(document, path, value * random.choice((2, 3, 20)))


def _add(document: Any, path: _Path, random: Random) -> None:
    holder = get(document, path[:-1])
    value = random.choice(ODD)
    if isinstance(holder, dict):
        known = str(random.choice(_VALUES)[0])
        holder[random.choice((known, CANARY, "", "id", "\ud83d", "__proto__"))] = value
    else:
        holder.insert(random.randint(0, len(holder)), value)


def _rename(document: Any, _path: _Path, random: Random) -> None:
    if isinstance(document, dict):
        document["event"] = random.choice(NAMES)


def _reorder(document: Any, path: _Path, random: Random) -> None:
    holder = get(document, path[:-1])
    if isinstance(holder, dict):
        items = list(holder.items())
        random.shuffle(items)
        holder.clear()
        holder.update(items)


_CHANGES: Final[list[Callable[[Any, _Path, Random], None]]] = [
    *(_replace, _replace, _replace, _remove, _copy, _copy, _swap, _deepen, _repeat),
    *(_add, _add, _rename, _reorder),
]
