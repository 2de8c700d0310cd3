"""Undo common changes to a body, one at a time."""

from __future__ import annotations

import ast
import json
import zlib
from base64 import b64decode
from binascii import Error as Base64Error
from codecs import BOM_UTF8
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Candidate", "bodies_from", "form_of", "suspicions"]

_LARGEST: Final = 16 * 1_048_576
"""Bytes to decompress at most; no event has as many."""

_MOST_LEVELS: Final = 200

_ERRORS: Final = (
    *(ValueError, SyntaxError, RecursionError, MemoryError),
    TypeError,  # a Python literal with a list as a key
    ConfigurationError,  # a number that JSON has no form for
)


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
    elif _has_sorted_keys(document):
        yield "body_sorted"
    else:
        form = form_of(body)
        if form is not None and form != _COMPACT:
            yield "body_reserialized"


def form_of(body: bytes) -> str | None:
    """Return the style in which the JSON in ``body`` is written; ``None``: no known one."""
    document = _document(body)
    if document is None:
        return None
    stripped = body.removeprefix(BOM_UTF8).strip()
    return next((name for name, written in _forms(document) if written == stripped), None)


def _around(body: bytes) -> Iterator[Candidate]:
    bare = body.rstrip(b"\r\n")
    for end in (b"", b"\n", b"\r\n"):
        yield Candidate(bare + end, "body_newline")
    stripped = body.strip()
    yield Candidate(stripped, "body_whitespace")
    yield Candidate(body.removeprefix(BOM_UTF8), "body_bom")
    yield Candidate(BOM_UTF8 + body, "body_bom")
    yield Candidate(body.removeprefix(BOM_UTF8).rstrip(b"\r\n"), "body_bom")
    unix = body.replace(b"\r\n", b"\n")
    yield Candidate(unix, "body_line_endings")
    yield Candidate(unix.rstrip(b"\n"), "body_line_endings")
    yield Candidate(unix.replace(b"\n", b"\r\n"), "body_line_endings")


def _recoded(body: bytes) -> Iterator[Candidate]:
    for charset in ("latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be"):
        # Somebody sent the body in the other character set, or decoded it with that by mistake.
        with suppress(UnicodeError):
            yield Candidate(body.decode(charset).encode(), "body_charset")
        with suppress(UnicodeError):
            yield Candidate(body.decode().encode(charset), "body_charset")


def _unwrapped(body: bytes) -> Iterator[Candidate]:
    with suppress(ValueError, Base64Error):
        yield Candidate(b64decode(body.strip(), validate=True), "body_base64")
    with suppress(zlib.error):
        # 47 is a window of 15 bits, plus 32 to detect gzip or zlib by the header.
        yield Candidate(zlib.decompressobj(47).decompress(body, _LARGEST), "body_compressed")
    document = _document(body)
    if isinstance(document, str):
        yield Candidate(document.encode("utf-8", "replace"), "body_double_encoded")
    if body.strip()[:2] in (b"b'", b'b"'):
        with suppress(*_ERRORS):
            literal = ast.literal_eval(body.decode().strip())
            if isinstance(literal, bytes):
                yield Candidate(literal, "body_python_repr")


def _rewritten(inner: Candidate) -> Iterator[Candidate]:
    document = _document(inner.body)
    cause = inner.cause or "body_reserialized"
    if document is None and inner.body.strip()[:1] == b"{":
        with suppress(*_ERRORS):
            document = ast.literal_eval(inner.body.decode())
            cause = "body_python_repr"
    if not isinstance(document, dict):
        return
    for name, written in _forms(cast("dict[str, Any]", document)):
        yield Candidate(written, cause, name)
        yield Candidate(written + b"\n", cause, name)
    for ordered in _reordered(cast("dict[str, Any]", document)):
        for name, written in _forms(ordered)[:1]:
            yield Candidate(written, "body_sorted", name)


_COMPACT: Final = "JavaScript's JSON.stringify, as Dub writes"

_STYLES: Final[dict[str, dict[str, Any]]] = {
    "compact": {"separators": (",", ":")},
    "Python's json.dumps": {},
    "indented by 2": {"indent": 2},
    "indented by 4": {"indent": 4},
}


def _forms(document: object) -> list[tuple[str, bytes]]:
    """Return ``document`` in the common styles of JSON, Dub's first."""
    from .._samples._stringify import stringify

    forms: list[tuple[str, bytes]] = []

    def add(name: str, write: Callable[[], bytes]) -> None:
        with suppress(*_ERRORS):
            forms.append((name, write()))

    def dumped(**style: Any) -> bytes:
        return json.dumps(document, **style).encode("utf-8", "surrogatepass")

    add(_COMPACT, lambda: stringify(document))
    for name, style in _STYLES.items():
        for is_ascii in (True, False):
            for is_sorted in (False, True):
                options = {**style, "ensure_ascii": is_ascii, "sort_keys": is_sorted}
                add(
                    f"{name}{', sorted keys' if is_sorted else ''}"
                    f"{', ASCII-escaped' if is_ascii else ', not escaped'}",
                    partial(dumped, **options),
                )
    return forms


def _document(body: bytes) -> Any:
    with suppress(*_ERRORS):
        document = json.loads(body.removeprefix(BOM_UTF8).decode())
        return None if _is_deep(document) else document
    return None


def _is_deep(document: Any) -> bool:
    """Tell whether JSON has more levels than a receiver takes, or than a recursion here could."""
    level: list[Any] = [document]
    for _ in range(_MOST_LEVELS):
        lists: list[Any] = [one for one in level if type(one) is list]
        dicts: list[Any] = [one for one in level if type(one) is dict]
        level = [inner for one in lists for inner in one]
        level.extend(inner for one in dicts for inner in one.values())
    return bool(level)


def _is_event(document: object) -> bool:
    keys = set(cast("dict[str, Any]", document)) if isinstance(document, dict) else set[str]()
    return keys >= {"id", "event", "createdAt", "data"}


def _has_sorted_keys(value: object) -> bool:
    if isinstance(value, list):
        return all(_has_sorted_keys(item) for item in cast("list[object]", value))
    if not isinstance(value, dict):
        return True
    members = cast("dict[str, object]", value)
    return list(members) == sorted(members) and all(map(_has_sorted_keys, members.values()))


def _reordered(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield ``document`` with its keys in the order of Dub's own events."""
    for template in _templates(str(document.get("event"))):
        ordered: dict[str, Any] = _like(template, document)
        yield ordered


@cache
def _templates(name: str) -> tuple[dict[str, Any], ...]:
    from .._samples import find_template

    envelope: dict[str, Any] = dict.fromkeys(("id", "event", "createdAt"))
    return tuple(find_template(name)) or (envelope,)


def _like(template: object, value: object) -> Any:
    if isinstance(value, list):
        examples = cast("list[object]", template) if isinstance(template, list) else []
        first = examples[0] if examples else None
        return [_like(first, item) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, Any]", value)
    known = cast("dict[str, Any]", template) if isinstance(template, dict) else {}
    keys = [
        *(key for key in known if key in members),
        *(key for key in members if key not in known),
    ]
    return {key: _like(known.get(key), members[key]) for key in keys}
