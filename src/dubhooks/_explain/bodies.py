"""Undo common changes to a body, one at a time."""

from __future__ import annotations

import json
from base64 import b64decode
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from typing import Any, Final, NamedTuple, cast

from .._samples._stringify import stringify
from ..errors import ConfigurationError

_DUBS: Final = "JavaScript's JSON.stringify, as Dub writes"

_STYLES: Final[dict[str, dict[str, Any]]] = {
    "compact": {"separators": (",", ":")},
    "Python's json.dumps": {},
    "indented by 2": {"indent": 2},
    "indented by 4": {"indent": 4},
}


class Candidate(NamedTuple):
    """A body that may have been signed."""

    body: bytes
    cause: str | None = None
    """The code of what was undone; ``None`` for the body as it is."""
    form: str | None = None
    """The style in which it was serialised again, if it was."""


def bodies_from(body: bytes) -> Iterator[Candidate]:
    """Yield the bodies that ``body`` may have been before something changed it."""
    yield Candidate(body)
    for end in (b"", b"\n", b"\r\n"):
        yield Candidate(body.rstrip(b"\r\n") + end, "body_newline")
    yield Candidate(body.removeprefix(BOM_UTF8), "body_bom")
    yield Candidate(BOM_UTF8 + body, "body_bom")
    for charset in ("latin-1", "utf-16"):
        # Somebody sent the body in the other character set, or decoded it with that by mistake.
        with suppress(UnicodeError):
            yield Candidate(body.decode(charset).encode(), "body_charset")
        with suppress(UnicodeError):
            yield Candidate(body.decode().encode(charset), "body_charset")
    with suppress(ValueError):
        yield Candidate(b64decode(body.strip(), validate=True), "body_base64")
    for form, written in _forms(_read(body)):
        yield Candidate(written, "body_reserialized", form)


def suspicions(body: bytes) -> Iterator[str]:
    """Yield the codes of what looks suspicious in a body when no change explains it."""
    document = _read(body)
    if not body:
        yield "body_empty"
    elif document is None:
        yield "body_not_json"
    elif not _is_event(document):
        yield "body_not_event"
    elif next((form for form, one in _forms(document) if one == body.strip()), _DUBS) != _DUBS:
        yield "body_reserialized"


def _forms(document: object) -> Iterator[tuple[str, bytes]]:
    """Yield ``document`` in the common styles of JSON, Dub's first."""
    if document is None:
        return
    # What has no JSON form has none of these; any other document has them all.
    with suppress(ValueError, RecursionError, ConfigurationError):
        yield _DUBS, stringify(document)
        for (name, style), is_ascii, is_sorted in product(
            _STYLES.items(), (True, False), (False, True)
        ):
            text = json.dumps(document, ensure_ascii=is_ascii, sort_keys=is_sorted, **style)
            sorting = ", sorted keys" if is_sorted else ""
            escaping = "ASCII-escaped" if is_ascii else "not escaped"
            yield f"{name}{sorting}, {escaping}", text.encode("utf-8", "surrogatepass")


def _read(body: bytes) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(body.removeprefix(BOM_UTF8).decode())
    return None


def _is_event(document: object) -> bool:
    keys = set(cast("dict[str, Any]", document)) if isinstance(document, dict) else set[str]()
    return keys >= {"id", "event", "createdAt", "data"}
