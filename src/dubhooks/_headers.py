"""Reading request headers, whatever a framework calls a mapping of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .errors import BodyCompressed, ConfigurationError, SignatureMalformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    Headers: TypeAlias = (
        Mapping[str, str]
        | Mapping[bytes, bytes]
        | Iterable[tuple[str, str]]
        | Iterable[tuple[bytes, bytes]]
    )

__all__ = ["pairs_of", "signature_in"]

# Dub sends Dub-Signature; X-Dub-Signature is what documentation elsewhere names.
SIGNATURE_NAMES = ("dub-signature", "x-dub-signature")
_ENCODING_NAME = "content-encoding"
_IDENTITY = ("", "identity")


def pairs_of(headers: Headers) -> list[tuple[str, str]]:
    """Return headers as pairs of lower-case name and value, doubles kept.

    Raises:
        ConfigurationError: they are neither a mapping nor pairs.
    """
    items = getattr(headers, "items", None)
    pairs = cast("Iterable[tuple[object, object]]", items() if callable(items) else headers)
    try:
        # The usual type is told without a call, since this runs for every header.
        return [
            (
                (name if type(name) is str else _text(name)).lower(),
                value if type(value) is str else _text(value),
            )
            for name, value in pairs
        ]
    except (TypeError, ValueError):
        raise ConfigurationError(
            "headers must be a mapping or an iterable of (name, value) pairs, of str or bytes"
        ) from None


def signature_in(pairs: list[tuple[str, str]]) -> str | None:
    """Return the one signature value, or ``None`` when there is none.

    Raises:
        BodyCompressed: the body is not sent as it is, so it cannot be verified.
        SignatureMalformed: there are two, so it is unclear which one counts.
    """
    signature = None
    for name, value in pairs:
        if name in SIGNATURE_NAMES:
            if signature is not None:
                raise SignatureMalformed("there are two signature headers: send exactly one")
            signature = value
        elif name == _ENCODING_NAME and value.strip().lower() not in _IDENTITY:
            raise BodyCompressed(
                "the body has a Content-Encoding: Dub sends plain JSON, so something in "
                "between compresses it, and the signature cannot match"
            )
    return signature


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        # Latin-1 maps every byte, so no header fails to decode (RFC 9110, section 5.5).
        return value.decode("latin-1")
    raise TypeError
