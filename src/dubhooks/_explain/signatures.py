"""Undo common changes to a signature, one at a time."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Target", "targets_in"]

_NAMED: Final = re.compile(r"^(x-)?dub-signature\s*:\s*", re.IGNORECASE)
_PREFIX: Final = re.compile(
    r"^(0x|(t=\d+,)?((hmac[-_]?)?sha-?256|hmac|hex|v\d)\s*[=:,]\s*)", re.IGNORECASE
)
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_SHORTEST: Final = 8
"""Characters of a cut signature below which a match could be chance."""


class Target(NamedTuple):
    """A digest that the signature may stand for."""

    start: str
    """All of its hex digits, or the first ones."""
    causes: tuple[str, ...]

    def hit_by(self, digest: str) -> tuple[str, ...] | None:
        """Return the causes if this is ``digest``, in hex, else ``None``."""
        if digest == self.start:
            return self.causes
        if digest.startswith(self.start):
            return (*self.causes, "signature_truncated")
        return None


def targets_in(signature: str) -> Iterator[Target]:
    """Yield the digests that ``signature`` may stand for."""
    bare, causes = _peeled(signature)
    parts = [part for part in re.split(r"[,\s]+", bare) if part]
    if len(parts) > 1:
        for part in parts:
            inner, more = _peeled(part)
            yield from _targets(inner, ("signature_doubled", *causes, *more))
    else:
        yield from _targets(bare, causes)


def _targets(text: str, causes: tuple[str, ...]) -> Iterator[Target]:
    if _HEX.fullmatch(text) and len(text) >= _SHORTEST:
        yield Target(text.lower(), causes)
    with suppress(ValueError):
        plain = text.rstrip("=").replace("+", "-").replace("/", "_")
        decoded = urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
        if len(decoded) >= 20:
            yield Target(decoded.hex(), (*causes, "signature_base64"))


def _peeled(signature: str) -> tuple[str, tuple[str, ...]]:
    # Spaces and tabs around a header's value are no part of it (RFC 9110, section 5.5).
    signature = signature.strip(" \t")
    causes: dict[str, None] = {}
    while True:
        for code, peeled in (
            ("signature_whitespace", signature.strip()),
            ("signature_quotes", signature.strip("\"'`")),
            ("signature_named", _NAMED.sub("", signature)),
            ("signature_prefix", _PREFIX.sub("", signature)),
        ):
            if peeled != signature:
                signature = peeled
                causes[code] = None
                break
        else:
            return signature, tuple(causes)
