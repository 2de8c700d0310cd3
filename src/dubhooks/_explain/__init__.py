"""Explain why a signature does not match: for operators and developers, never for a reply.

It undoes the known mistakes one at a time, and combined, until the signature
matches.  What it had to undo is then the proven cause.  Otherwise it reports
what looks suspicious, or that the cause is unknown.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ..errors import ConfigurationError, VerificationError
from ..signature import raw_body, verify
from .bodies import Candidate, bodies_from, form_of
from .bodies import suspicions as body_suspicions
from .causes import Cause, cause
from .secrets import keys_from
from .secrets import suspicions as secret_suspicions
from .signatures import targets_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..signature import Secret
    from .secrets import FamilyName
    from .signatures import Target

__all__ = ["Cause", "Explanation", "explain"]

_HEX_DIGITS = 64


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
    other_bodies: Iterable[bytes] = (),
) -> Explanation:
    """Explain whether a signature matches, and if not, why not.

    Args:
        body: the raw request body.
        signature: the value of the ``Dub-Signature`` header; ``None`` when there is none.
        secret: everything that a receiver accepts, also with mistakes in it; ``None`` is an
            environment variable that is not set.
        family: ``webhook`` or ``postback``, if you know which.
        other_secrets: the secrets of the other family.
        other_bodies: bodies of other deliveries that the signature may belong to.

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
    others = _texts(_list_secrets(other_secrets))
    keys = [*_keys(secrets), *_keys(others, "wrong_family")]
    bodies = [*bodies_from(body), *(Candidate(one, "other_delivery") for one in other_bodies)]
    targets = list(targets_in(signature))
    found = _search(targets, keys, bodies)
    if found is None:
        return Explanation(False, False, _suspected(targets, secrets, body, family))
    return Explanation(False, True, _causes(*found, body) or _refused(secrets))


class _Key(NamedTuple):
    key: bytes
    causes: tuple[str, ...]


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


def _keys(secrets: list[str], *causes: str) -> Iterator[_Key]:
    for secret in secrets:
        for key, more in keys_from(secret):
            yield _Key(key, (*causes, *more))


def _search(
    targets: list[Target], keys: list[_Key], bodies: list[Candidate]
) -> tuple[tuple[str, ...], Candidate] | None:
    """Return the match with the fewest causes: those outside the body, and the body."""

    def count_causes(pair: tuple[_Key, Candidate]) -> int:
        return len(pair[0].causes) + (pair[1].cause is not None)

    for key, candidate in sorted(product(keys, bodies), key=count_causes):
        digest = hmac.digest(key.key, candidate.body, "sha256").hex()
        for target in targets:
            hit = target.hit_by(digest)
            if hit is not None:
                return (*key.causes, *hit), candidate
    return None


def _causes(codes: tuple[str, ...], candidate: Candidate, body: bytes) -> tuple[Cause, ...]:
    causes = [cause(code) for code in dict.fromkeys(codes)]
    if candidate.cause is not None:
        detail = ""
        if candidate.form is not None:
            now = form_of(body)
            here = f"it is written as {now}; " if now else ""
            detail = f"{here}the signature belongs to {candidate.form}"
        causes.append(cause(candidate.cause, detail))
    return tuple(causes)


def _refused(secrets: list[str]) -> tuple[Cause, ...]:
    # One secret matches, so another one is why no receiver starts with them.
    codes = [code for secret in secrets for code in secret_suspicions(secret, None)]
    refused = ("secret_missing", "secret_whitespace", "secret_quotes", "secret_invisible")
    return tuple(cause(code) for code in dict.fromkeys(codes) if code in refused)


def _suspected(
    targets: list[Target], secrets: list[str], body: bytes, family: FamilyName | None
) -> tuple[Cause, ...]:
    codes = [code for secret in secrets for code in secret_suspicions(secret, family)]
    codes.extend(code for target in targets[:1] for code in target.causes)
    if not any(len(target.start) == _HEX_DIGITS for target in targets):
        codes.append("signature_malformed")
    codes.extend(body_suspicions(body))
    return tuple(cause(code) for code in dict.fromkeys(codes)) or (cause("unknown"),)
