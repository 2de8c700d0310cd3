"""Deliveries saved as files: ``<name>.body`` and ``<name>.json``, as dead letters are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ._options import read_file
from ._output import wrong_use

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Saved", "load", "saved_in"]

_SENT_HEADERS = ("content-type", "dub-signature", "x-dub-signature")


@dataclass(frozen=True)
class Saved:
    """One saved delivery; its body is read when it is needed."""

    name: str
    path: Path
    """Of the ``.body`` file."""
    headers: dict[str, str]

    @property
    def body(self) -> bytes:
        """The bytes as they came."""
        return read_file(self.path)

    @property
    def signature(self) -> str | None:
        """The signature as it came."""
        return self.headers.get("dub-signature", self.headers.get("x-dub-signature"))


def saved_in(path: Path) -> list[Path]:
    """Return the deliveries in a directory, oldest first, or the one that a file belongs to."""
    if path.is_dir():
        letters = [one for one in path.glob("*.json") if not one.name.startswith(".")]
        return sorted(letters, key=lambda one: (one.stat().st_mtime_ns, one.name))
    if path.suffix in (".json", ".body") and path.is_file():
        return [path.with_suffix(".json")]
    raise wrong_use(f"{str(path)!r} is neither a directory nor a .body or .json file in one")


def load(path: Path) -> Saved:
    """Return the delivery whose ``.json`` file is ``path``, or exit with code 2."""
    headers = dict(_headers(path))
    return Saved(path.stem, path.with_suffix(".body"), headers)


def _headers(path: Path) -> Iterator[tuple[str, str]]:
    try:
        letter = json.loads(read_file(path))
        given = cast("dict[object, object]", letter["headers"]).items()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise wrong_use(f"{str(path)!r} is not a saved delivery") from None
    for name, value in given:
        if name in _SENT_HEADERS and isinstance(value, str) and _can_be_sent(value):
            yield str(name), value


def _can_be_sent(value: str) -> bool:
    # What a header can carry: Latin-1 without control characters.
    return value.isprintable() and all(ord(character) < 256 for character in value)
