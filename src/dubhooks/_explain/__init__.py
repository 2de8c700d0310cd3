"""Explain why a signature does not match: for operators and developers, never for a reply.

It undoes the known mistakes one at a time, and combined, until the signature
matches.  What it had to undo is then the proven cause.  Otherwise it reports
what looks suspicious, or that the cause is unknown.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, cast

from ..errors import ConfigurationError, VerificationError
from ..signature import raw_body, verify
from .bodies import Candidate, bodies_from
from .bodies import suspicions as body_suspicions
from .causes import Cause, cause
from .secrets import FamilyName, keys_from
from .secrets import suspicions as secret_suspicions
from .signatures import Target, targets_in

if TYPE_CHECKING:
    from ..signature import Secret

__all__ = ["Cause", "Explanation", "explain"]

_Key = tuple[bytes, tuple[str, ...]]
"""A key, and the codes of what was undone to get it."""


@dataclass(frozen=True)
class Explanation:
    """The result of verifying a delivery, and its reasons.

    It holds no secret, no signature and nothing of the body, so you may log it.
    """

    valid: bool
    """A receiver accepts the delivery as it is."""
    proven: bool
    """The signature matches once ``causes`` are undone; false: they are suspicions."""
    causes: tuple[Cause, ...]
    """Empty when valid, else at least one; its code is ``unknown`` when nothing was found."""

    def __str__(self) -> str:
        if self.valid:
            return "valid"
        reasons = "\n".join(f"{one.meaning}. Fix: {one.fix}." for one in self.causes)
        is_guess = not self.proven and self.causes[0].code != "unknown"
        return f"not proven, but suspicious:\n{reasons}" if is_guess else reasons


def explain(
    body: bytes,
    signature: str | bytes | None,
    secret: Secret | None,
    *,
    family: FamilyName | None = None,
    other_secrets: Secret | None = None,
) -> Explanation:
    """Explain whether a signature matches, and if not, why not.

    Args:
        body: the raw request body.
        signature: the value of the ``Dub-Signature`` header; ``None`` when there is none.
        secret: everything that a receiver accepts, also with mistakes in it; ``None`` is an
            environment variable that is not set.
        family: ``webhook`` or ``postback``, if you know which.
        other_secrets: the secrets of the other family.

    Raises:
        ConfigurationError: the body is not bytes, or the signature or a secret
            is neither text nor bytes.
    """
    body = raw_body(body)
    if signature is not None:
        # The bytes of a header are Latin-1 (RFC 9110, section 5.5).
        signature = _text(signature, "latin-1", "the signature")
    given = _list_secrets(secret)
    if _is_valid(body, signature, given):
        return Explanation(True, True, ())
    secrets = _texts(given)
    if not any(secrets):
        return Explanation(False, True, (cause("secret_missing"),))
    if signature is None or not signature.strip():
        return Explanation(False, True, (cause("signature_missing"),))
    keys: list[_Key] = [key for one in secrets for key in keys_from(one)]
    for one in _texts(_list_secrets(other_secrets)):
        keys.extend((key, ("wrong_family", *codes)) for key, codes in keys_from(one))
    targets = list(targets_in(signature))
    if causes := _prove(targets, keys, body):
        return Explanation(False, True, causes)
    return Explanation(False, False, _suspect(targets, secrets, body, family))


def _is_valid(body: bytes, signature: str | None, secrets: list[Any]) -> bool:
    try:
        verify(body, signature, secrets)
    except (VerificationError, ConfigurationError):
        return False
    return True


def _text(given: object, charset: str, what: str, hint: str = "") -> str:
    if isinstance(given, bytes):
        return given.decode(charset, "surrogateescape")
    if isinstance(given, str):
        return given
    raise ConfigurationError(f"{what} must be str or bytes, not {type(given).__name__}{hint}")


def _texts(secrets: list[Any]) -> list[str]:
    hint = "; is DUB_WEBHOOK_SECRET (or DUB_POSTBACK_SECRET) set?"
    return [_text(one, "utf-8", "a secret", hint) for one in secrets]


def _list_secrets(secret: Secret | None) -> list[Any]:
    given: object = secret() if callable(secret) else secret
    if isinstance(given, Sequence) and not isinstance(given, (str, bytes)):
        return list(cast("Sequence[object]", given))
    return [] if given is None else [given]


def _prove(targets: list[Target], keys: list[_Key], body: bytes) -> tuple[Cause, ...]:
    """Return the fewest causes without which the signature matches, if it does."""

    def count_causes(pair: tuple[_Key, Candidate]) -> int:
        return len(pair[0][1]) + (pair[1].cause is not None)

    for (key, codes), candidate in sorted(product(keys, bodies_from(body)), key=count_causes):
        digest = hmac.digest(key, candidate.body, "sha256").hex()
        for target in targets:
            if digest.startswith(target.start):
                causes = [cause(code) for code in (*codes, *target.causes)]
                if candidate.cause is not None:
                    detail = f"the signature belongs to {candidate.form}" if candidate.form else ""
                    causes.append(cause(candidate.cause, detail))
                return tuple(causes)
    return ()


def _suspect(
    targets: list[Target], secrets: list[str], body: bytes, family: FamilyName | None
) -> tuple[Cause, ...]:
    codes = [code for secret in secrets for code in secret_suspicions(secret, family)]
    codes.extend(code for target in targets for code in target.causes)
    if not any(len(target.start) == 64 for target in targets):
        codes.append("signature_malformed")
    codes.extend(body_suspicions(body))
    return tuple(cause(code) for code in dict.fromkeys(codes)) or (cause("unknown"),)
