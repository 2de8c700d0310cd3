"""Signing and verifying: hex(HMAC-SHA256(secret, raw body)).

The key is the whole secret string as UTF-8, prefix included; the message is
the request body exactly as it came (Dub docs: verifying webhook requests).
"""

from __future__ import annotations

import hashlib
from binascii import unhexlify
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from hmac import compare_digest
from typing import TYPE_CHECKING, cast

from .errors import (
    BodyEmpty,
    ConfigurationError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    OneSecret: TypeAlias = str | bytes
    Secrets: TypeAlias = OneSecret | Sequence[OneSecret]
    Secret: TypeAlias = Secrets | Callable[[], Secrets]

__all__ = ["Key", "body_empty", "keys_of", "raw_body", "sign", "verify", "verify_with"]

_BLOCK_SIZE = 64
_DIGEST_SIZE = 32
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))


class Key:
    """One secret, with both HMAC pads hashed once (RFC 2104, section 4).

    Copying two hash states per delivery is cheaper than ``hmac.new``.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, secret: bytes) -> None:
        block = hashlib.sha256(secret).digest() if len(secret) > _BLOCK_SIZE else secret
        block = block.ljust(_BLOCK_SIZE, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER_PAD))
        self._outer = hashlib.sha256(block.translate(_OUTER_PAD))

    def digest(self, body: bytes) -> bytes:
        """Return the 32 raw bytes of the HMAC of ``body``."""
        inner = self._inner.copy()
        inner.update(body)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()


def sign(body: bytes, secret: Secret) -> str:
    """Return the ``Dub-Signature`` of ``body``: 64 lower-case hex characters.

    With several secrets the first one signs, as a sender has only one.

    Raises:
        ConfigurationError: the secret is unusable or the body is not bytes.
    """
    return keys_of(secret)[0].digest(raw_body(body)).hex()


def verify(body: bytes, signature: str | None, secret: Secret) -> None:
    """Return if ``signature`` proves that ``body`` comes from Dub, else raise.

    ``body`` is the raw request body, ``signature`` the value of the
    ``Dub-Signature`` header (``None`` when there is none), and any of the
    secrets may match, so that a secret can be rotated.

    Raises:
        SignatureMissing, SignatureMalformed, SignatureMismatch: it does not.
        ConfigurationError: the secret is unusable or the body is not bytes.
    """
    verify_with(keys_of(secret), raw_body(body), signature)


def verify_with(keys: tuple[Key, ...], body: bytes, signature: str | None) -> None:
    """Do what :func:`verify` does with keys that were made before."""
    if signature is None:
        raise SignatureMissing(
            "there is no Dub-Signature header: the request is not from Dub, "
            "or a proxy in front of this server drops the header"
        )
    claimed = _decoded(signature)
    # Every key is tried even after a match: which one matched must not show in the time.
    matched = False
    for key in keys:
        matched |= compare_digest(key.digest(body), claimed)
    if not matched:
        raise SignatureMismatch(
            "the signature does not belong to this body and secret: check that the secret is "
            "this webhook's own and that the body is the raw request body, unparsed"
        )


def keys_of(secret: Secret) -> tuple[Key, ...]:
    """Return the keys of one secret, of several, or of a callable that gives them.

    Raises:
        ConfigurationError: there is none, or one of them cannot be right.
    """
    if isinstance(secret, str):
        return (_key(secret),)
    given: object = secret() if callable(secret) else secret
    if isinstance(given, (str, bytes)):
        return (_key(given),)
    if isinstance(given, Sequence) and given:
        return tuple([_checked(one) for one in cast("Sequence[object]", given)])
    raise ConfigurationError(
        "no signing secret: pass a str, bytes, a non-empty sequence of them, or a callable "
        "that returns one; is DUB_WEBHOOK_SECRET (or DUB_POSTBACK_SECRET) set?"
    )


def raw_body(body: bytes) -> bytes:
    """Return ``body`` as bytes.

    Raises:
        ConfigurationError: it is text or parsed JSON, which cannot be verified.
    """
    if type(body) is bytes:
        return body
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise ConfigurationError(
        f"the body must be the raw request bytes, not {type(body).__name__}: "
        "read it before anything parses or decodes it"
    )


def body_empty() -> BodyEmpty:
    """Return the error for a body that has no bytes."""
    return BodyEmpty(
        "the body is empty: was it read before dubhooks saw it (middleware, request.json)?"
    )


def _checked(secret: object) -> Key:
    # Before the cache, which takes only what can be hashed.
    if not isinstance(secret, (str, bytes)):
        raise ConfigurationError(f"a secret must be str or bytes, not {type(secret).__name__}")
    return _key(secret)


@lru_cache(maxsize=256)
def _key(secret: OneSecret) -> Key:
    if not secret:
        raise ConfigurationError(
            "the signing secret is empty: set DUB_WEBHOOK_SECRET (or DUB_POSTBACK_SECRET)"
        )
    # Stripped as text, which knows more kinds of whitespace than bytes do.
    key = _utf8(secret) if secret == secret.strip() else None
    if key is None or key[:1] in b"\"'" or key[-1:] in b"\"'":
        raise ConfigurationError(
            "the signing secret begins or ends with whitespace or a quote: "
            "copy it again, and check the quoting in the .env file"
        )
    return Key(key)


def _utf8(secret: OneSecret) -> bytes:
    if isinstance(secret, bytes):
        return secret
    with suppress(UnicodeEncodeError):
        return secret.encode()
    # Raised out here because a UnicodeEncodeError in the context would hold the secret.
    raise ConfigurationError("the signing secret cannot be encoded as UTF-8")


def _decoded(signature: str) -> bytes:
    stripped = signature.strip(" \t") if isinstance(signature, str) else ""
    if len(stripped) == 2 * _DIGEST_SIZE:
        try:
            return unhexlify(stripped)
        except ValueError:
            pass
    raise SignatureMalformed(
        "the Dub-Signature header must be exactly 64 hex characters, once, without a prefix"
    )
