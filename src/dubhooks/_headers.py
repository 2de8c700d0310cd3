"""Reading request headers, whatever a framework calls a mapping of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from .errors import BodyCompressed, ConfigurationError, SignatureMalformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

__all__ = ["EnvironHeaders", "items_of", "pairs_of", "signature_in"]

# Dub sends Dub-Signature; X-Dub-Signature is what documentation elsewhere names.
SIGNATURE_NAMES = ("dub-signature", "x-dub-signature")
_ENCODING_NAME = "content-encoding"
_IDENTITY = ("", "identity")
_LENGTHS = frozenset(map(len, (*SIGNATURE_NAMES, _ENCODING_NAME)))
_VERIFYING = tuple(
    (f"HTTP_{name.upper().replace('-', '_')}", name) for name in (*SIGNATURE_NAMES, _ENCODING_NAME)
)
_NOT_HEADERS = "headers must be a mapping or an iterable of (name, value) pairs, of str or bytes"


class EnvironHeaders:
    """The request headers in a WSGI environ (PEP 3333), which is read when somebody asks."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def items(self) -> list[tuple[str, str]]:
        """Return all of them."""
        headers = [
            (name[5:].replace("_", "-"), value)
            for name, value in self._environ.items()
            if name[:5] == "HTTP_"
        ]
        # The two that CGI names without a prefix; empty means absent.
        if content_type := self._environ.get("CONTENT_TYPE"):
            headers.append(("CONTENT-TYPE", content_type))
        if content_length := self._environ.get("CONTENT_LENGTH"):
            headers.append(("CONTENT-LENGTH", content_length))
        return headers

    def to_verify(self) -> list[tuple[str, str]]:
        """Return those that verification looks at."""
        environ = self._environ
        return [(name, environ[key]) for key, name in _VERIFYING if key in environ]


if TYPE_CHECKING:
    Headers: TypeAlias = (
        Mapping[str, str]
        | Mapping[bytes, bytes]
        | Iterable[tuple[str, str]]
        | Iterable[tuple[bytes, bytes]]
        | EnvironHeaders
    )
    Items: TypeAlias = list[tuple[Any, Any]] | EnvironHeaders


def items_of(headers: Headers) -> list[tuple[object, object]]:
    """Return headers as a list of name and value, as they came.

    Raises:
        ConfigurationError: they are neither a mapping nor an iterable.
    """
    if type(headers) is list:
        return cast("list[tuple[object, object]]", headers)
    items = getattr(headers, "items", None)
    try:
        return list(cast("Any", items() if callable(items) else headers))
    except TypeError:
        raise ConfigurationError(_NOT_HEADERS) from None


def pairs_of(headers: Headers) -> list[tuple[str, str]]:
    """Return headers as pairs of lower-case name and value, doubles kept; ``None`` is no value.

    Raises:
        ConfigurationError: they are neither a mapping nor pairs.
    """
    try:
        return [
            (_text(name).lower(), _text(value))
            for name, value in items_of(headers)
            if value is not None
        ]
    except (TypeError, ValueError):
        raise ConfigurationError(_NOT_HEADERS) from None


def signature_in(items: Iterable[tuple[object, object]] | EnvironHeaders) -> str | None:
    """Return the one signature value, or ``None`` when there is none.

    Raises:
        BodyCompressed: the body is not sent as it is, so it cannot be verified.
        SignatureMalformed: there are two, so it is unclear which one counts.
        ConfigurationError: an item is not a pair of text or bytes.
    """
    signature = None
    if isinstance(items, EnvironHeaders):
        items = items.to_verify()
    try:
        for name, value in items:
            # Most headers are told by the length of their name, since this runs for each of them.
            # And {name: headers.get(name)} holds None when there is no such header.
            if len(cast("str", name)) not in _LENGTHS or value is None:
                continue
            lower = (name if type(name) is str else _text(name)).lower()
            if lower in SIGNATURE_NAMES:
                if signature is not None:
                    raise SignatureMalformed("there are two signature headers: send exactly one")
                signature = value if type(value) is str else _text(value)
            elif lower == _ENCODING_NAME and _text(value).strip().lower() not in _IDENTITY:
                raise BodyCompressed(
                    "the body has a Content-Encoding: Dub sends plain JSON, so something in "
                    "between compresses it, and the signature cannot match"
                )
    except (TypeError, ValueError):
        raise ConfigurationError(_NOT_HEADERS) from None
    return signature


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        # Latin-1 maps every byte, so no header fails to decode (RFC 9110, section 5.5).
        return value.decode("latin-1")
    raise TypeError
