"""Reading request headers, whatever a framework calls a mapping of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, cast

from .errors import BodyCompressed, ConfigurationError, SignatureMalformed

Headers: TypeAlias = (
    Mapping[str, Any]
    | Mapping[bytes, bytes]
    | Iterable[tuple[str, str]]
    | Iterable[tuple[bytes, bytes]]
)

# Dub sends Dub-Signature; X-Dub-Signature is what documentation elsewhere names.
SIGNATURE_NAMES = ("dub-signature", "x-dub-signature")
_ENCODING_NAME = "content-encoding"
_IDENTITY = ("", "identity")
_LENGTHS = frozenset(map(len, (*SIGNATURE_NAMES, _ENCODING_NAME)))


def headers_in_environ(environ: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the request headers in a WSGI environ (PEP 3333), or in Django's ``request.META``."""
    headers = [
        (name[5:].replace("_", "-"), value)
        for name, value in environ.items()
        if name[:5] == "HTTP_"
    ]
    # The two that CGI names without a prefix; empty means absent.
    if content_type := environ.get("CONTENT_TYPE"):
        headers.append(("CONTENT-TYPE", content_type))
    if content_length := environ.get("CONTENT_LENGTH"):
        headers.append(("CONTENT-LENGTH", content_length))
    return headers


def list_items(headers: Headers) -> list[tuple[Any, Any]] | None:
    """Return headers as a list of name and value as they came; ``None``: they are no headers."""
    if type(headers) is list:
        return cast("list[tuple[Any, Any]]", headers)
    # A dict is told at once; asking whether something is a Mapping takes as long as hashing.
    if type(headers) is dict or isinstance(headers, Mapping):
        mapping = cast("Mapping[Any, Any]", headers)
        if "REQUEST_METHOD" in mapping:
            return [*headers_in_environ(mapping)]
    items = getattr(cast("object", headers), "items", None)
    try:
        return list(cast("Any", items() if callable(items) else headers))
    except TypeError:
        return None


def list_pairs(headers: Headers) -> list[tuple[str, str]]:
    """Return headers as pairs of lower-case name and value, doubles kept; ``None`` is no value.

    Raises:
        ConfigurationError: they are no headers.
    """
    items: Any = list_items(headers)
    try:
        return [(_text(name).lower(), _text(value)) for name, value in items if value is not None]
    except (TypeError, ValueError):
        error = _no_headers_error()
    raise error


def find_signature(
    headers: Headers,
) -> str | SignatureMalformed | BodyCompressed | ConfigurationError | None:
    """Return the one signature value, ``None`` when there is none, or what is wrong.

    An error is returned, not raised: no frame that holds headers may be in a traceback.
    """
    signature = None
    items: Any = list_items(headers)
    try:
        for name, value in items:
            # Most headers are told apart by the length of their name: this runs for each of them.
            # And {name: headers.get(name)} holds None when there is no such header.
            if len(name) not in _LENGTHS or value is None:
                continue
            lower = (name if type(name) is str else _text(name)).lower()
            if lower in SIGNATURE_NAMES:
                if signature is not None:
                    return SignatureMalformed("there are two signature headers: send exactly one")
                signature = value if type(value) is str else _text(value)
            elif lower == _ENCODING_NAME and _text(value).strip().lower() not in _IDENTITY:
                return BodyCompressed(
                    "the body has a Content-Encoding: Dub sends plain JSON, so something in "
                    "between compresses it, and the signature cannot match"
                )
    except (TypeError, ValueError):
        return _no_headers_error()
    return signature


def _no_headers_error() -> ConfigurationError:
    return ConfigurationError(
        "headers must be a mapping or an iterable of (name, value) pairs, of str or bytes: "
        "pass request.headers"
    )


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        # Latin-1 maps every byte, so no header fails to decode (RFC 9110, section 5.5).
        return value.decode("latin-1")
    raise TypeError
