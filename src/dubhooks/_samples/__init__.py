"""A sample of every event: what Dub sends, as JSON files, made new each time one is loaded.

``webhooks/`` and ``postbacks/`` hold every key of production, ``abridged/`` the few keys that
documentation prints.  Ids and people in them are made up.
"""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

from ._stringify import stringify

_FILES: Final = Path(__file__).parent
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_ALPHABETS: Final = (string.digits, string.ascii_uppercase, string.ascii_lowercase)
_FIRST_SEEDED_MOMENT: Final = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)
_SEEDED_RANGE: Final = timedelta(days=30)
_START: Final = datetime.now(timezone.utc)
"""One moment for all seeded events of a process: in it the same seed gives the same bytes."""


def load(family: str, name: str, seed: int | None = None) -> dict[str, Any]:
    """Return a sample with new ids and times.

    Args:
        family: ``webhook`` or ``postback``.
        name: the event's name.
        seed: for the same ids each time, and times of early 2026; only ``createdAt`` is now.
    """
    return _renew(_read(f"{family}s", name), f"{family}:{name}", seed)


def load_abridged(seed: int | None = None) -> dict[str, bytes]:
    """Return webhook bodies as abridged as documentation prints them, by a description."""
    found: dict[str, bytes] = {}
    for name in sorted(file.stem for file in (_FILES / "abridged").glob("*.json")):
        title = f"{name} {'with partnerId' if name == 'commission.created' else 'abridged'}"
        found[title] = stringify(_renew(_read("abridged", name), f"abridged:{name}", seed))
    return found


def make_envelope(name: str, seed: int | None = None) -> dict[str, Any]:
    """Return an event of any name without data."""
    document: dict[str, Any] = {
        "id": "evt_" + "aA0Zb" * 5,
        "event": name,
        "createdAt": "2026-01-01T00:00:00.000Z",
        "data": {},
    }
    return _renew(json.dumps(document), f"unknown:{name}", seed)


@lru_cache(maxsize=64)
def _read(folder: str, name: str) -> str:
    return (_FILES / folder / f"{name}.json").read_text("utf-8")


def _renew(text: str, origin: str, seed: int | None) -> dict[str, Any]:
    # Of all that it draws only random() is the same in every version of Python.
    draw = random.Random(None if seed is None else f"{origin}:{seed}").random
    document: dict[str, Any] = json.loads(text)
    now = datetime.now(timezone.utc)
    if seed is not None:
        now = _FIRST_SEEDED_MOMENT + draw() * _SEEDED_RANGE
    later = now - _read_date(document["createdAt"])
    # The longest first: it may hold another one.  Each has at least ten characters, so that it is
    # found in addresses too, and means nothing else there.
    for old in sorted(set(_find_ids(document)), key=lambda old: (-len(old), old)):
        text = text.replace(old, _draw_like(old, draw))
    text = _DATE.sub(lambda found: _shift(found[0], later), text)
    renewed: dict[str, Any] = json.loads(text)
    if seed is not None:
        # Never long ago, or a receiver would refuse the event as too old.
        renewed["createdAt"] = _write_date(_START)
    return renewed


def _find_ids(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _find_ids(item)
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            if isinstance(inner, str) and inner and (key == "id" or key.endswith("Id")):
                yield inner
            else:
                yield from _find_ids(inner)


def _draw_like(old: str, draw: Any) -> str:
    """Return an id of the same form: its prefix, and other letters and digits."""
    start = max(old.rfind("_"), old.rfind("-")) + 1
    alphabets = (next((one for one in _ALPHABETS if sign in one), sign) for sign in old[start:])
    return old[:start] + "".join(one[int(draw() * len(one))] for one in alphabets)


def _shift(date: str, later: timedelta) -> str:
    moment = _read_date(date) + later
    # Dub has lost the milliseconds of some dates.
    return _write_date(moment.replace(microsecond=0) if date.endswith(".000Z") else moment)


def _read_date(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)


def _write_date(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
