"""Bytes → JSON document, or the error that says what is wrong with them.

This is the slow, careful path.  It runs after pydantic's native parser has refused
a body: to say why, or to repair what Dub may really send and that parser refuses.
"""

from __future__ import annotations

import json
import re
from functools import partial
from math import isfinite
from typing import Any, NoReturn, cast

from .errors import InvalidEnvelope, InvalidJSON
from .signature import body_empty_error

__all__ = ["NOT_JSON", "is_payout_like", "read_document", "write_document"]

NOT_JSON = (
    "the body is not a JSON document in UTF-8, or begins with a byte order mark, is nested too "
    "deep or holds a number that is too long: is it the body that Dub sent?"
)

_NOTHING = object()
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""An escape of half a character: of a whole pair, or a lone one."""


def read_document(body: bytes) -> dict[str, Any]:
    """Return the JSON object in ``body``.

    Args:
        body: the raw request body.

    Raises:
        BodyEmpty: there are no bytes.
        InvalidJSON: it is not JSON in UTF-8, holds NaN, Infinity or a number
            that overflows, or is nested too deep.
        InvalidEnvelope: it is JSON but not an object.
    """
    if not body:
        raise body_empty_error()
    document = _loaded(body)
    if document is _NOTHING:
        raise InvalidJSON(NOT_JSON)
    if not isinstance(document, dict):
        raise InvalidEnvelope("the body is JSON but not an object: events are objects")
    return cast("dict[str, Any]", document)


def _loaded(body: bytes) -> Any:
    # UnicodeDecodeError, JSONDecodeError and the error for an integer of 5,000 digits are all
    # ValueErrors.  They hold the body, so none of them may become the context of our error.
    try:
        text = body.decode()
        document = json.loads(text, parse_constant=_not_finite, parse_float=_finite)
        return _mended(document) if _SURROGATE.search(body) else document
    except (ValueError, RecursionError):
        return _NOTHING


def write_document(document: dict[str, Any]) -> bytes:
    """Return ``document`` as compact JSON in UTF-8, as Dub writes it."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _mended(value: Any) -> Any:
    # Lone surrogates, which JavaScript can write as escapes, become U+FFFD: the native parser
    # refuses them.
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_mended(item) for item in cast("list[object]", value)]
        case dict():
            members = cast("dict[str, Any]", value).items()
            return {_mended(key): _mended(item) for key, item in members}
        case _:
            return value


def is_payout_like(event_name: str, data: object) -> bool:
    """Tell whether Dub might take a reply below 400 to this event as "the payout is paid".

    Dub renames and adds payout events, so an id that begins with ``po_`` counts as well.

    Args:
        event_name: the event's name on the wire.
        data: the event's ``data``, a model or plain JSON.
    """
    if "payout" in event_name.lower():
        return True
    read = cast("dict[str, object]", data).get if isinstance(data, dict) else partial(_read, data)
    return str(read("id")).startswith("po_")


def _read(data: object, name: str) -> object:
    return getattr(data, name, None)


def _not_finite(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError
    return number
