"""Undo common changes to a body, one at a time."""

from __future__ import annotations

import ast
import json
import zlib
from base64 import b64decode
from codecs import BOM_UTF8
from contextlib import suppress
from itertools import islice, product
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from .._samples import find_template
from .._samples._stringify import stringify
from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Candidate", "bodies_from", "form_of", "suspicions"]

_LARGEST: Final = 16 * 1_048_576
"""Bytes to decompress at most; no event has as many."""

_ERRORS: Final = (ValueError, SyntaxError, RecursionError, MemoryError, TypeError)
"""What reading and writing anybody's text as JSON or Python may raise."""

_COMPACT: Final = "JavaScript's JSON.stringify, as Dub writes"

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
    yield from _around(body)
    yield from _recoded(body)
    wrapped = list(_unwrapped(body))
    yield from wrapped
    for inner in (Candidate(body), *wrapped):
        yield from _rewritten(inner)


def suspicions(body: bytes) -> Iterator[str]:
    """Yield the codes of what looks suspicious in a body when no change explains it."""
    if not body:
        yield "body_empty"
        return
    document = _document(body)
    if document is None:
        if body[:1] in b"{[" and body.rstrip()[-1:] not in (b"}", b"]"):
            yield "body_truncated"
    elif not _is_event(document):
        yield "body_not_event"
    elif (form := form_of(body)) and form != _COMPACT:
        yield "body_reserialized"


def form_of(body: bytes) -> str | None:
    """Return the style in which the JSON in ``body`` is written; ``None``: no known one."""
    document = _document(body)
    stripped = body.removeprefix(BOM_UTF8).strip()
    return next((name for name, written in _forms(document) if written == stripped), None)


def _around(body: bytes) -> Iterator[Candidate]:
    bare = body.rstrip(b"\r\n")
    for end in (b"", b"\n", b"\r\n"):
        yield Candidate(bare + end, "body_newline")
    yield Candidate(body.strip(), "body_whitespace")
    yield Candidate(body.removeprefix(BOM_UTF8), "body_bom")
    yield Candidate(BOM_UTF8 + body, "body_bom")
    unix = body.replace(b"\r\n", b"\n")
    yield Candidate(unix, "body_line_endings")
    yield Candidate(unix.replace(b"\n", b"\r\n"), "body_line_endings")


def _recoded(body: bytes) -> Iterator[Candidate]:
    for charset in ("latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be"):
        # Somebody sent the body in the other character set, or decoded it with that by mistake.
        with suppress(UnicodeError):
            yield Candidate(body.decode(charset).encode(), "body_charset")
        with suppress(UnicodeError):
            yield Candidate(body.decode().encode(charset), "body_charset")


def _unwrapped(body: bytes) -> Iterator[Candidate]:
    with suppress(ValueError):
        yield Candidate(b64decode(body.strip(), validate=True), "body_base64")
    with suppress(zlib.error):
        # 47 is a window of 15 bits, plus 32 to detect gzip or zlib by the header.
        yield Candidate(zlib.decompressobj(47).decompress(body, _LARGEST), "body_compressed")
    document = _document(body)
    if isinstance(document, str):
        yield Candidate(document.encode("utf-8", "replace"), "body_double_encoded")
    if body.strip()[:2] in (b"b'", b'b"') and isinstance(literal := _literal(body), bytes):
        yield Candidate(literal, "body_python_repr")


def _rewritten(inner: Candidate) -> Iterator[Candidate]:
    document, cause = _document(inner.body), inner.cause or "body_reserialized"
    if document is None and inner.body.strip()[:1] == b"{":
        document, cause = _literal(inner.body), "body_python_repr"
    if not isinstance(document, dict):
        return
    event = cast("dict[str, Any]", document)
    for name, written in _forms(event):
        yield Candidate(written, cause, name)
        yield Candidate(written + b"\n", cause, name)
    envelope: dict[str, Any] = dict.fromkeys(("id", "event", "createdAt"))
    for template in (*find_template(str(event.get("event"))), envelope):
        with suppress(RecursionError):
            for name, written in islice(_forms(_in_order(event, template)), 1):
                yield Candidate(written, "body_sorted", name)


def _forms(document: object) -> Iterator[tuple[str, bytes]]:
    """Yield ``document`` in the common styles of JSON, Dub's first."""
    # What has no JSON form has none of these; any other document has them all.
    with suppress(*_ERRORS, ConfigurationError):
        yield _COMPACT, stringify(document)
        for (name, style), is_ascii, is_sorted in product(
            _STYLES.items(), (True, False), (False, True)
        ):
            text = json.dumps(document, ensure_ascii=is_ascii, sort_keys=is_sorted, **style)
            sorting = ", sorted keys" if is_sorted else ""
            escaping = "ASCII-escaped" if is_ascii else "not escaped"
            yield f"{name}{sorting}, {escaping}", text.encode("utf-8", "surrogatepass")


def _document(body: bytes) -> Any:
    with suppress(*_ERRORS):
        return json.loads(body.removeprefix(BOM_UTF8).decode())
    return None


def _literal(body: bytes) -> Any:
    """Return what Python printed: ``b'...'`` or ``{'id': ...}``."""
    with suppress(*_ERRORS):
        return ast.literal_eval(body.decode().strip())
    return None


def _is_event(document: object) -> bool:
    keys = set(cast("dict[str, Any]", document)) if isinstance(document, dict) else set[str]()
    return keys >= {"id", "event", "createdAt", "data"}


def _in_order(value: object, template: object) -> object:
    """Return ``value`` with its keys in the order of Dub's own events."""
    if isinstance(value, list):
        examples = cast("list[object]", template) if isinstance(template, list) else []
        first = examples[0] if examples else None
        return [_in_order(item, first) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, object]", value)
    known = cast("dict[str, object]", template) if isinstance(template, dict) else {}
    places = {key: place for place, key in enumerate(known)}
    keys = sorted(members, key=lambda key: places.get(key, len(places)))
    return {key: _in_order(members[key], known.get(key)) for key in keys}
