"""Undo common mistakes in a secret, one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

FamilyName = Literal["webhook", "postback"]

PREFIXES: Final = {"webhook": "whsec_", "postback": "pbsec_"}
_QUOTES: Final = "\"'`\u2018\u2019\u201c\u201d"
_HIDDEN: Final = re.compile(r"[^\x21-\x7e]")
_MADE_BY_DUB: Final = re.compile(r"(whsec_|pbsec_)[0-9a-f]{32}")
_MASKED: Final = re.compile(r"[*\u2022\u25cf\u2026<>]|\.\.\.|x{6,}|your", re.IGNORECASE)


def keys_from(secret: str) -> Iterator[tuple[bytes, tuple[str, ...]]]:
    """Yield the keys that ``secret`` may stand for, each with the causes that were undone."""
    yield _encode(secret), ()
    cleaned, causes = _clean(secret)
    if causes:
        yield _encode(cleaned), causes
    if not cleaned.startswith(tuple(PREFIXES.values())):
        for prefix in PREFIXES.values():
            yield _encode(prefix + cleaned), (*causes, "secret_prefix_missing")


def suspicions(secret: str, family: FamilyName | None) -> Iterator[str]:
    """Yield the codes of what looks suspicious in a secret.

    Args:
        secret: the secret as it was given.
        family: ``webhook`` or ``postback``, if you know which.
    """
    cleaned, causes = _clean(secret)
    if not cleaned:
        yield "secret_missing"
        return
    if _MASKED.search(secret):
        yield "secret_masked"
        return
    yield from causes
    if cleaned.startswith("dub_"):
        yield "api_key"
    elif family is not None and cleaned.startswith(
        tuple(prefix for name, prefix in PREFIXES.items() if name != family)
    ):
        yield "wrong_family"
    elif family != "postback" and not _MADE_BY_DUB.fullmatch(cleaned):
        yield "secret_ignored"


def _clean(secret: str) -> tuple[str, tuple[str, ...]]:
    """Remove what is around a secret, layer by layer; return the causes too."""
    causes: dict[str, None] = {}
    while True:
        for code, peeled in (
            ("secret_whitespace", secret.strip()),
            ("secret_quotes", secret.strip(_QUOTES)),
            ("secret_invisible", _HIDDEN.sub("", secret)),
        ):
            if peeled != secret:
                secret = peeled
                causes[code] = None
                break
        else:
            return secret, tuple(causes)


def _encode(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")
