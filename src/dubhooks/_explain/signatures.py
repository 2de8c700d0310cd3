"""Undo common changes to a signature."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

_DIGEST: Final = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])")
_CUT: Final = re.compile(r"[0-9a-fA-F]{8,63}")
"""The beginning of a digest, long enough that a match is no chance."""


class Target(NamedTuple):
    """A digest that the signature may stand for."""

    start: str
    """All of its hex digits, or the first ones."""
    causes: tuple[str, ...]


def targets_in(signature: str) -> Iterator[Target]:
    """Yield the digests that ``signature`` may stand for."""
    # Spaces and tabs around a header's value are no part of it (RFC 9110, section 5.5).
    bare = signature.strip(" \t")
    for digest in _DIGEST.findall(bare):
        yield Target(digest.lower(), () if digest == bare else ("signature_surrounded",))
    if _CUT.fullmatch(bare):
        yield Target(bare.lower(), ("signature_truncated",))
    with suppress(ValueError):
        plain = bare.rstrip("=").replace("+", "-").replace("/", "_")
        decoded = urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
        if len(decoded) == 32:
            yield Target(decoded.hex(), ("signature_base64",))
