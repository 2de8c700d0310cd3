"""The causes of a mismatch: what they mean and how to fix them.

The texts are constants, so no secret, signature or body can appear in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


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
_COPY_IT_AGAIN: Final = "copy the secret again, without anything around it"
_COPY_SIGNATURE: Final = "take the value of the Dub-Signature header as it came"

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
    "secret_invisible": (
        "the secret holds characters that cannot be seen",
        f"{_COPY_IT_AGAIN}; characters such as a zero-width space come along from web pages",
    ),
    "secret_prefix_missing": (
        "the prefix of the secret was cut off",
        "use the whole secret: whsec_ or pbsec_ is a part of it",
    ),
    "wrong_family": (
        "the secret is that of the other family",
        "use DUB_WEBHOOK_SECRET for webhooks (whsec_) and DUB_POSTBACK_SECRET for postbacks "
        "(pbsec_), and send each to an endpoint of its own",
    ),
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
    "signature_surrounded": (
        "the signature has something around it: quotes, a prefix such as sha256=, its header's "
        "name, or a second signature from a header that came twice",
        f"{_COPY_SIGNATURE}; to sign a test use dubhooks.sign or dubhooks trigger",
    ),
    "signature_base64": (
        "the signature is in base64; Dub writes it in hex",
        "to sign a test use dubhooks.sign or dubhooks trigger",
    ),
    "signature_truncated": (
        "the signature was cut off: it must have 64 characters",
        f"{_COPY_SIGNATURE}; look for a column, a log or a proxy that shortens it",
    ),
    "signature_malformed": ("the signature is not 64 hex characters", _COPY_SIGNATURE),
    # the body
    "body_empty": ("the body is empty: something read it before", _RAW_BODY),
    "body_newline": ("a line break at the end of the body was added or removed", _BYTES),
    "body_bom": ("a byte order mark was put before the body, or taken away", _BYTES),
    "body_charset": ("the body was decoded with another character set than UTF-8", _BYTES),
    "body_reserialized": ("the body was parsed and written again", _RAW_BODY),
    "body_base64": ("the body is in base64", "decode it first: API Gateway sets isBase64Encoded"),
    "body_not_json": (
        "the body is no JSON: it breaks off before its end, or was encoded or printed on its way",
        "look for a proxy that compresses it, and for a limit on its size in a proxy or a log; "
        "verify the bytes that arrived",
    ),
    "body_not_event": (
        "the body is not the whole event: id, event, createdAt or data is missing",
        "verify the whole request body, not a part of it",
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
