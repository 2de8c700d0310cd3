"""Signing and verifying: hex(HMAC-SHA256(secret, raw body)).

The key is the whole secret string as UTF-8, prefix included; the message is
the request body exactly as it came (Dub docs: verifying webhook requests).

What looks at secrets, bodies and signatures returns errors instead of raising
them: error trackers send the local variables of every frame in a traceback.
"""

from __future__ import annotations

import hashlib
from binascii import unhexlify
from collections.abc import Callable, Sequence
from functools import lru_cache
from hmac import compare_digest
from typing import TYPE_CHECKING, TypeAlias, cast

from ._body import Request
from ._headers import Headers, find_signature, list_items
from .errors import (
    BodyEmpty,
    ConfigurationError,
    DubhooksError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
)

if TYPE_CHECKING:
    from .errors import PayloadError, VerificationError

__all__ = ["sign", "verify"]

OneSecret: TypeAlias = str | bytes
Secrets: TypeAlias = OneSecret | Sequence[OneSecret]
Secret: TypeAlias = Secrets | Callable[[], Secrets]


_BLOCK_SIZE = 64
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


class Keyring:
    """The keys of one secret, of several, or of a callable that is asked every time."""

    __slots__ = ("_ask", "_made")

    def __init__(self, secret: Secret) -> None:
        # The plain secret is not kept: only its keys, or the callable.
        self._ask = secret if callable(secret) else None
        self._made = () if callable(secret) else _make_keys(secret)

    def __repr__(self) -> str:
        return "<Keyring>"

    def check(self) -> None:
        """Raise ``ConfigurationError`` when the secret cannot be right; callables come later."""
        if isinstance(self._made, str):
            raise ConfigurationError(self._made)

    def keys(self) -> tuple[Key, ...]:
        """Return the keys.

        Raises:
            ConfigurationError: there is none, or one of them cannot be right.
            Exception: what the callable raised.
        """
        made = self._made if self._ask is None else _make_keys(self._ask())
        if isinstance(made, str):
            raise ConfigurationError(made)
        return made


def sign(body: bytes, secret: Secret) -> str:
    """Return the ``Dub-Signature`` of a body.

    Args:
        body: the raw bytes to send.
        secret: the signing secret; of several the first one signs, as a sender has only one.

    Returns:
        64 lower-case hex characters.

    Raises:
        ConfigurationError: the secret is unusable or the body is not bytes.
    """
    keyring, request = Keyring(secret), Request(body, ())
    del body, secret
    return keyring.keys()[0].digest(raw_body(request.body)).hex()


def verify(body: bytes, signature: str | None, secret: Secret) -> None:
    """Return if a signature proves that a body comes from Dub, else raise.

    Args:
        body: the raw request body, unparsed.
        signature: the value of the ``Dub-Signature`` header; ``None`` when there is none.
        secret: the signing secret, several of them (any may match, so that one can be
            rotated), or a callable that returns either.

    Raises:
        SignatureMissing: there is no signature.
        SignatureMalformed: it is not 64 hex characters.
        SignatureMismatch: it belongs to another body or secret.
        ConfigurationError: the secret is unusable or the body is not bytes.
    """
    # The signature stands in for the headers, because no frame that raises may hold it.
    keyring, request = Keyring(secret), Request(body, cast(Headers, signature))
    del body, secret, signature
    error = check_body(request) or _check_signature(keyring.keys(), request, request.headers)
    if error is not None:
        raise error


def raw_body(body: bytes) -> bytes:
    """Return ``body`` as ``bytes``.

    Raises:
        ConfigurationError: it is text or parsed JSON, which cannot be verified.
    """
    request = Request(body, ())
    del body
    error = check_body(request)
    if error is not None:
        raise error
    return request.body


def explain_odd_secret(secret: Secret, family: str) -> str | None:
    """Return what looks wrong about a secret, if anything; callers once could choose any."""
    prefix, other = ("whsec_", "pbsec_") if family == "webhook" else ("pbsec_", "whsec_")
    for one in () if callable(secret) else _list_secrets(secret):
        text = one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one)
        if text in (prefix, other):
            return f"the signing secret is nothing but the prefix {text}: was it cut off?"
        for wrong, why in (
            ("dub_", "as Dub's API keys do"),
            (other, "so it belongs to the other family"),
        ):
            if text.startswith(wrong):
                return (
                    f"the signing secret begins with {wrong}, {why}: the secret of a {family} "
                    f"begins with {prefix}"
                )
    return None


def check_request(
    keys: tuple[Key, ...], request: Request
) -> VerificationError | PayloadError | ConfigurationError | None:
    """Return why ``request`` is not proven to come from Dub; ``None``: it is."""
    items = list_items(request.headers)
    if items is not None:
        request.headers = items  # an iterator can be read only once
    signature = find_signature(request.headers)
    if isinstance(signature, DubhooksError):
        return signature
    return _check_signature(keys, request, signature)


def _check_signature(
    keys: tuple[Key, ...], request: Request, signature: object
) -> VerificationError | None:
    if signature is None:
        return SignatureMissing(
            "there is no Dub-Signature header: the request is not from Dub, "
            "or a proxy in front of this server drops the header"
        )
    claimed = _decode(signature)
    if claimed is None:
        return SignatureMalformed(
            "the Dub-Signature header must be exactly 64 hex characters, once, without a prefix"
        )
    # Every key is tried even after a match: which one matched must not show in the time.
    is_match = False
    for key in keys:
        is_match |= compare_digest(key.digest(request.body), claimed)
    if is_match:
        return None
    return SignatureMismatch(
        "the signature does not belong to this body and secret: check that the secret is "
        "this webhook's own and that the body is the raw request body, unparsed"
    )


def check_body(request: Request) -> ConfigurationError | None:
    """Make the body ``bytes``, or return why it cannot be: text or parsed JSON has no bytes."""
    body: object = request.body
    if type(body) is bytes:
        return None
    if isinstance(body, (bytes, bytearray, memoryview)):
        request.body = bytes(body)
        return None
    return ConfigurationError(
        f"the body must be the raw request bytes, not {type(body).__name__}: "
        "read it before anything parses or decodes it"
    )


def body_empty_error() -> BodyEmpty:
    """Return the error for a body that has no bytes."""
    return BodyEmpty(
        "the body is empty: was it read before dubhooks saw it (middleware, request.json)?"
    )


def _make_keys(secret: object) -> tuple[Key, ...] | str:
    """Return the keys, or what is wrong with the secret."""
    keys: list[Key] = []
    for one in _list_secrets(secret):
        # Before the cache, which takes only what can be hashed.
        if not isinstance(one, (str, bytes)):
            return f"a secret must be str or bytes, not {type(one).__name__}"
        key = _make_key(one)
        if isinstance(key, str):
            return key
        keys.append(key)
    return tuple(keys) or (
        "no signing secret: pass a str, bytes, a non-empty sequence of them, or a callable "
        "that returns one; is DUB_WEBHOOK_SECRET (or DUB_POSTBACK_SECRET) set?"
    )


def _list_secrets(secret: object) -> Sequence[object]:
    """Return the secrets that were given; none when it is no sequence of them."""
    if isinstance(secret, (str, bytes)):
        return (secret,)
    return cast("Sequence[object]", secret) if isinstance(secret, Sequence) else ()


@lru_cache(maxsize=256)
def _make_key(secret: OneSecret) -> Key | str:
    if not secret:
        return "the signing secret is empty: set DUB_WEBHOOK_SECRET (or DUB_POSTBACK_SECRET)"
    if isinstance(secret, str):
        try:
            key = secret.encode()
        except UnicodeEncodeError:
            return "the signing secret cannot be encoded as UTF-8"
    else:
        key = secret
    # Stripped as text, which knows more kinds of whitespace than bytes do.
    if secret != secret.strip() or key[:1] in b"\"'" or key[-1:] in b"\"'":
        return (
            "the signing secret begins or ends with whitespace or a quote: "
            "copy it again, and check the quoting in the .env file"
        )
    return Key(key)


def _decode(signature: object) -> bytes | None:
    stripped = signature.strip(" \t") if isinstance(signature, str) else ""
    try:
        return unhexlify(stripped) if len(stripped) == 64 else None
    except ValueError:
        return None
