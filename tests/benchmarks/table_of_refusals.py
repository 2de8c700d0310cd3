"""Which fields refuse an event: identity and money, and nothing else.

``python -m tests.benchmarks.table_of_refusals`` replaces every field of every event by null, an
object, a list, text, 1.5 and nothing, one at a time, and prints what is refused.
"""

import logging
import sys
from typing import Any, Final

from dubhooks.errors import InvalidEnvelope, InvalidEvent
from tests.support.payload_fixtures import (
    PRODUCTION,
    document,
    drop,
    encode,
    get,
    models_in,
    parse,
    put,
    refuses,
    split,
)

ABSENT: Final = object()
VALUES: Final[dict[str, Any]] = {
    "null": None,
    "object": {"a": 1},
    "list": [1],
    "text": "text",
    "1.5": 1.5,
    "absent": ABSENT,
}


def main() -> int:
    """Print the table; 1 when something descriptive refuses."""
    logging.getLogger("dubhooks").setLevel(logging.ERROR)  # every field drifts
    rows: dict[str, set[str]] = {}
    wrong: list[str] = []
    tried = refused = 0
    for family, name in PRODUCTION:
        for path, label in _fields(family, name):
            row = rows.setdefault(label, set())
            for title, value in VALUES.items():
                tried += 1
                if _is_refused(family, name, path, value):
                    refused += 1
                    row.add(title)
            if row and path != ("data",) and not refuses(name, path):
                wrong.append(f"{name} {'.'.join(map(str, path))}")
    print(f"{'field':48}" + "".join(f"{title:>8}" for title in VALUES))
    for label, row in sorted(rows.items()):
        if row:
            marks = "".join(f"{'refuses' if title in row else '.':>8}" for title in VALUES)
            print(f"{label:48}{marks}")
    print(f"{sum(not row for row in rows.values())} of {len(rows)} fields refuse nothing")
    print(f"{tried} bodies, {refused} refused; refused for what only describes: {wrong or 'none'}")
    return bool(wrong)


def _fields(family: str, name: str) -> list[tuple[tuple[str | int, ...], str]]:
    """Return every field of an event's data, items of lists included, with its model."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    for where, model in models_in(parse(family, PRODUCTION[family, name])):
        for field, info in type(model).model_fields.items():
            wire = info.alias or field
            if where and field in model.model_fields_set:
                label = f"{family[:-1]} {type(model).__name__}.{wire}"
                found.append(((*split(where), wire), label))
    return [(("data",), f"{family[:-1]} {name} data"), *found]


def _is_refused(family: str, name: str, path: tuple[str | int, ...], value: Any) -> bool:
    body = document(family, name)
    if value is ABSENT:
        drop(body, path)
    elif type(value) is type(get(body, path)):
        return False  # no other type
    else:
        put(body, path, value)
    try:
        parse(family, encode(body))
    except (InvalidEnvelope, InvalidEvent):
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
