"""The causes of a mismatch: what they mean and how to fix them.

The texts are constants, so no secret, signature or body can appear in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["Cause", "cause"]


@dataclass(frozen=True)
class Cause:
    """One reason, proven or suspected, why a delivery does not verify."""

    code: str
    """Stable, machine-readable name."""
    meaning: str
    """What is wrong."""
    fix: str
    """How to fix it."""


_RAW_BODY: Final = (
    "read the raw body before anything parses it: request.get_data() in Flask, "
    "await request.body() in FastAPI, request.body in Django"
)
_BYTES: Final = (
    "write and read the body as bytes: text mode, utf-8-sig, editors and echo change it "
    "(printf '%s' does not)"
)
_FAMILIES: Final = (
    "use DUB_WEBHOOK_SECRET for webhooks (whsec_) and DUB_POSTBACK_SECRET for postbacks "
    "(pbsec_), and send each to an endpoint of its own"
)
_COPY_IT_AGAIN: Final = "copy the secret again, without anything around it"
_COPY_SIGNATURE: Final = "take the value of the Dub-Signature header as it came"
_SIGN: Final = "this is not how Dub signs: to sign a test use dubhooks.sign or dubhooks trigger"

_TEXTS: Final[dict[str, tuple[str, str]]] = {
    # the secret
    "secret_missing": ("there is no secret", "set DUB_WEBHOOK_SECRET (or DUB_POSTBACK_SECRET)"),
    "secret_whitespace": (
        "the secret begins or ends with whitespace or a line break",
        f"{_COPY_IT_AGAIN}; when it comes from a file, strip it",
    ),
    "secret_quotes": (
        "the secret is wrapped in quotes",
        "take the quotes out of the .env file, docker --env-file or secret store: "
        "not everything that reads such a file removes them",
    ),
    "secret_named": (
        "the secret begins with the name of its variable, as in NAME=value",
        "set the variable to what stands behind the equals sign",
    ),
    "secret_invisible": (
        "the secret holds characters that cannot be seen",
        f"{_COPY_IT_AGAIN}; characters such as a zero-width space come along from web pages",
    ),
    "secret_case": (
        "upper and lower case of the secret were changed",
        "copy the secret again and do not change its case",
    ),
    "secret_prefix_missing": (
        "the prefix of the secret was cut off",
        "use the whole secret: whsec_ or pbsec_ is a part of it",
    ),
    "wrong_family": ("the signature was made with the other family's secret", _FAMILIES),
    "other_family": ("the prefix of the secret is that of the other family", _FAMILIES),
    "api_key": (
        "the secret looks like an API key of Dub (dub_...)",
        "use the signing secret of the webhook (whsec_...), shown on the webhook's own page",
    ),
    "secret_masked": (
        "the secret looks like a placeholder or a masked one",
        "reveal the secret in Dub and copy it whole",
    ),
    "secret_ignored": (
        "the secret is not of Dub's making (whsec_ and 32 hex digits): since July 2026 Dub ignores "
        "a secret that is given when a webhook is created, and makes one itself",
        "use the secret in Dub's answer to the creation, or on the webhook's own page",
    ),
    # the signature
    "signature_missing": (
        "there is no signature",
        "the request is not from Dub, or a proxy in front of the server drops the header",
    ),
    "signature_whitespace": ("the signature holds whitespace or a line break", _COPY_SIGNATURE),
    "signature_quotes": ("the signature is wrapped in quotes", _COPY_SIGNATURE),
    "signature_named": ("the signature begins with the name of its header", _COPY_SIGNATURE),
    "signature_prefix": ("the signature has a prefix such as sha256=, unlike Dub's", _SIGN),
    "signature_base64": ("the signature is in base64; Dub writes it in hex", _SIGN),
    "signature_truncated": (
        "the signature was cut off: it must have 64 characters",
        f"{_COPY_SIGNATURE}; look for a column, a log or a proxy that shortens it",
    ),
    "signature_doubled": (
        "there are two signatures in one: the header came twice and was joined",
        "look for a proxy or a test that adds the header a second time",
    ),
    "signature_malformed": ("the signature is not 64 hex characters", _COPY_SIGNATURE),
    # the body
    "body_empty": ("the body is empty: something read it before", _RAW_BODY),
    "body_newline": ("a line break at the end of the body was added or removed", _BYTES),
    "body_whitespace": ("whitespace around the body was added or removed", _BYTES),
    "body_bom": ("a byte order mark was put before the body, or taken away", _BYTES),
    "body_line_endings": ("line breaks were changed between LF and CRLF", _BYTES),
    "body_charset": ("the body was decoded with another character set than UTF-8", _BYTES),
    "body_reserialized": ("the body was parsed and written again", _RAW_BODY),
    "body_sorted": ("the body was parsed and written again with its keys sorted", _RAW_BODY),
    "body_python_repr": ("the body is what Python prints, not what was sent", _RAW_BODY),
    "body_double_encoded": (
        "the body is a JSON string that holds the real body",
        "it was encoded once too often: send or use the string's content",
    ),
    "body_base64": ("the body is in base64", "decode it first: API Gateway sets isBase64Encoded"),
    "body_compressed": (
        "the body is compressed",
        "Dub sends plain JSON: look for a proxy that compresses it, and verify what it got",
    ),
    "body_truncated": (
        "the body breaks off before its end",
        "look for a limit on the size of the body in a proxy or a log",
    ),
    "body_not_event": (
        "the body is not the whole event: id, event, createdAt or data is missing",
        "verify the whole request body, not a part of it",
    ),
    "other_delivery": (
        "the signature belongs to another delivery",
        "compare the body and the signature of one and the same request",
    ),
    "unknown": (
        "the cause is unknown: nothing that usually goes wrong makes the signature match",
        "check that the secret is that of this very webhook (each has its own), and that the body "
        "is the very one that came with the signature",
    ),
}


def cause(code: str, detail: str = "") -> Cause:
    """Return a cause.

    Args:
        code: its code.
        detail: a constant text to add to its meaning.
    """
    meaning, fix = _TEXTS[code]
    return Cause(code, f"{meaning}: {detail}" if detail else meaning, fix)
