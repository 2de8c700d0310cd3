"""Deliveries saved as files: ``<name>.body`` and ``<name>.json``, as dead letters are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from ._options import read_file
from ._output import wrong_use

_SENT_HEADERS = ("content-type", "dub-signature", "x-dub-signature")


class Saved(NamedTuple):
    """One saved delivery."""

    body: bytes
    headers: dict[str, str]
    """Those that are sent again, in lower case."""

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
    try:
        headers: dict[Any, Any] = dict(json.loads(read_file(path))["headers"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise wrong_use(f"{str(path)!r} is not a saved delivery") from None
    sent = {name: headers[name] for name in _SENT_HEADERS if _can_be_sent(headers.get(name))}
    return Saved(read_file(path.with_suffix(".body")), sent)


def _can_be_sent(value: object) -> bool:
    # What a header can carry: Latin-1 without control characters.
    return isinstance(value, str) and value.isprintable() and max(value, default=" ") < "\u0100"
