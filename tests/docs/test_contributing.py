"""The map of the code, compared with the code."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import dubhooks
from dubhooks._body import Request
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import SECRET, sale, signed

PACKAGE = Path(dubhooks.__file__).parent
PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


def names_on_map(indent: str) -> list[str]:
    """Return the folders and modules in the lines of the map that begin with ``indent``."""
    text = PAGE.read_text(encoding="utf-8").split("\nsrc/dubhooks/\n")[1].split("\ntests/ ")[0]
    lines = [line for line in text.splitlines() if re.match(rf"{indent}\w", line)]
    columns = [part for line in lines for part in re.split(r"\s{2,}", line.strip())]
    return sorted(part for part in columns if re.fullmatch(r"\w+\.py|\w+/", part))


def test_the_map_names_every_room() -> None:
    """Each folder and module at the top of the package is on the map once, and none that is not."""
    there = {f"{it.name}/" for it in PACKAGE.iterdir() if it.is_dir() and it.name[:4] != "__py"}
    there |= {it.name for it in PACKAGE.glob("*.py")}
    assert names_on_map("  ") == sorted(there)


def test_the_map_names_what_is_in_the_core() -> None:
    """The modules of the two rooms in the middle are on the map, too."""
    rooms = [PACKAGE / "idempotency", PACKAGE / "receiver"]
    there = [it.name for room in rooms for it in room.glob("*.py") if it.name != "__init__.py"]
    assert names_on_map("    ") == sorted(there)


def test_a_body_walks_through_each_room_once() -> None:
    """The body comes from the door to the receiver, is verified and parsed, and goes no further."""
    hooks = dubhooks.Webhooks(SECRET, store=dubhooks.MemoryStore())
    seen: list[Any] = []
    hooks.on(SaleCreated)(seen.append)
    application = dubhooks.wsgi.app(hooks)
    rooms: list[str] = []

    def note_room(frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event != "call" or PACKAGE not in path.parents:
            return
        names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
        given = [frame.f_locals[name] for name in names if name in frame.f_locals]
        if any(isinstance(it, Request) or it == body for it in given):
            room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
            if rooms[-1:] != [room]:
                rooms.append(room)

    for _ in range(2):  # the first delivery builds the parser
        body, headers = signed(sale())
        environ = {
            "REQUEST_METHOD": "POST",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_DUB_SIGNATURE": headers["Dub-Signature"],
            "wsgi.input": io.BytesIO(body),
        }
        rooms.clear()
        sys.setprofile(note_room)
        try:
            application(environ, lambda *_: lambda _: None)
        finally:
            sys.setprofile(None)
    assert len(seen) == 2
    assert rooms == ["_body", "wsgi", "receiver", "signature", "events"]
