"""Undo common mistakes in a secret, one at a time."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    FamilyName: TypeAlias = Literal["webhook", "postback"]

__all__ = ["FamilyName", "keys_from", "suspicions"]

PREFIXES: Final = {"webhook": "whsec_", "postback": "pbsec_"}
_QUOTES: Final = "\"'`\u2018\u2019\u201c\u201d"
_NAMED: Final = re.compile(r"^(export\s+)?[A-Z][A-Z0-9_]{2,}\s*=\s*")
_REFUSED: Final = ("secret_whitespace", "secret_quotes")
_HIDDEN: Final = re.compile(r"[^\x21-\x7e]")
_MADE_BY_DUB: Final = re.compile(r"(whsec_|pbsec_)[0-9a-f]{32}")
_MASKED: Final = re.compile(r"[*\u2022\u25cf\u2026<>]|\.\.\.|x{6,}|your", re.IGNORECASE)


def keys_from(secret: str) -> Iterator[tuple[bytes, tuple[str, ...]]]:
    """Yield the keys that ``secret`` may stand for, each with the causes that were undone.

    The first key is the secret as it is; its causes are why a receiver would refuse it.
    """
    cleaned, causes = _cleaned(secret)
    yield _bytes(secret), tuple(code for code in causes if code in _REFUSED)
    if causes:
        yield _bytes(cleaned), causes
    if cleaned:
        for key, code in _changed(cleaned):
            yield key, (*causes, code)


def suspicions(secret: str, family: FamilyName | None) -> Iterator[str]:
    """Yield the codes of what looks suspicious in a secret.

    Args:
        secret: the secret as it was given.
        family: ``webhook`` or ``postback``, if you know which.
    """
    cleaned, causes = _cleaned(secret)
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
        yield "other_family"
    elif family != "postback" and not _MADE_BY_DUB.fullmatch(cleaned):
        yield "secret_ignored"


def _cleaned(secret: str) -> tuple[str, tuple[str, ...]]:
    """Remove what is around a secret, layer by layer; return the causes too."""
    causes: dict[str, None] = {}
    while True:
        for code, peeled in (
            ("secret_whitespace", _stripped(secret)),
            ("secret_quotes", secret.strip(_QUOTES)),
            ("secret_named", _NAMED.sub("", secret)),
            ("secret_invisible", _HIDDEN.sub("", secret)),
        ):
            if peeled != secret:
                secret = peeled
                causes[code] = None
                break
        else:
            return secret, tuple(causes)


def _stripped(secret: str) -> str:
    # An escaped line break, a backslash and an n, counts as well.
    return secret.strip().removesuffix("\\n").removesuffix("\\r")


def _changed(secret: str) -> Iterator[tuple[bytes, str]]:
    if not secret.startswith(tuple(PREFIXES.values())):
        for prefix in PREFIXES.values():
            yield _bytes(prefix + secret), "secret_prefix_missing"
    if secret.lower() != secret:
        yield _bytes(secret.lower()), "secret_case"


def _bytes(secret: str) -> bytes:
    # A secret from the environment may have bytes that are not UTF-8.
    with suppress(UnicodeEncodeError):
        return secret.encode("utf-8", "surrogateescape")
    return secret.encode("utf-8", "surrogatepass")
