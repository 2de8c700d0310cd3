"""Explain why a signature does not match: for operators and developers, never for a reply.

It undoes the known mistakes one at a time, and combined, until the signature
matches.  What it had to undo is then the proven cause.  Otherwise it reports
what looks suspicious, or that the cause is unknown.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

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
    signature = _text(signature)
    given = _given(secret)
    if _is_valid(body, signature, given):
        return Explanation(True, True, ())
    secrets = _texts(given)
    if not any(secrets):
        return Explanation(False, True, (cause("secret_missing"),))
    if signature is None or not signature.strip():
        return Explanation(False, True, (cause("signature_missing"),))
    targets = list(targets_in(signature))
    keys = [*_keys(secrets), *_keys(_texts(_given(other_secrets)), "wrong_family")]
    bodies = [*bodies_from(body), *(Candidate(one, "other_delivery") for one in other_bodies)]
    found = _search(targets, keys, _distinct(bodies))
    if found is not None:
        causes = _causes(found, body) or _refused(secrets)
        return Explanation(False, True, causes)
    return Explanation(False, False, _suspected(targets, secrets, body, family))


class _Key(NamedTuple):
    key: bytes
    causes: tuple[str, ...]


class _Found(NamedTuple):
    causes: tuple[str, ...]
    """The causes in the secret and in the signature."""
    candidate: Candidate


def _is_valid(body: bytes, signature: str | None, secrets: list[str | bytes]) -> bool:
    try:
        verify(body, signature, secrets)
    except (VerificationError, ConfigurationError):
        return False
    return True


def _text(signature: object) -> str | None:
    if isinstance(signature, (str, bytes)):
        # The bytes of a header are Latin-1 (RFC 9110, section 5.5).
        return signature.decode("latin-1") if isinstance(signature, bytes) else signature
    if signature is None:
        return None
    raise ConfigurationError(
        f"the signature must be the text of the Dub-Signature header, not "
        f"{type(signature).__name__}; None when there is no such header"
    )


def _given(secret: Secret | None) -> list[str | bytes]:
    given: object = secret() if callable(secret) else secret
    if given is None:
        return []
    is_one = isinstance(given, (str, bytes)) or not isinstance(given, Sequence)
    several = [given] if is_one else list(cast("Sequence[object]", given))
    for one in several:
        if not isinstance(one, (str, bytes)):
            raise ConfigurationError(
                f"a secret must be str or bytes, not {type(one).__name__}: pass one, a sequence of "
                "them or a callable that returns one; is DUB_WEBHOOK_SECRET (or "
                "DUB_POSTBACK_SECRET) set?"
            )
    return cast("list[str | bytes]", several)


def _texts(secrets: list[str | bytes]) -> list[str]:
    return [
        one.decode("utf-8", "surrogateescape") if isinstance(one, bytes) else one for one in secrets
    ]


def _keys(secrets: list[str], *causes: str) -> Iterator[_Key]:
    for secret in secrets:
        for key, more in keys_from(secret):
            yield _Key(key, (*causes, *more))


def _distinct(candidates: list[Candidate]) -> list[Candidate]:
    # The first way to get to a body is the simplest one.
    seen: dict[bytes, Candidate] = {}
    for candidate in candidates:
        seen.setdefault(candidate.body, candidate)
    return list(seen.values())


def _search(targets: list[Target], keys: list[_Key], bodies: list[Candidate]) -> _Found | None:
    """Return the match with the fewest causes."""
    best: tuple[int, _Found] | None = None
    for key in keys:
        for candidate in bodies:
            cost = len(key.causes) + (candidate.cause is not None)
            if best is not None and best[0] <= cost:
                continue
            for more, digest in _digests(key.key, candidate.body, cost):
                for target in targets:
                    hit = target.hit_by(digest)
                    if hit is None:
                        continue
                    found = _Found((*key.causes, *hit, *more), candidate)
                    total = len(found.causes) + (candidate.cause is not None)
                    if best is None or total < best[0]:
                        best = total, found
    return best[1] if best else None


def _digests(key: bytes, body: bytes, cost: int) -> Iterator[tuple[tuple[str, ...], bytes]]:
    yield (), hmac.digest(key, body, "sha256")
    if cost:
        return  # other mistakes and another hash as well: nobody does that
    for name in ("sha1", "sha512"):
        yield ("signature_other_hash",), hmac.digest(key, body, name)
    for message in (body, key + body, body + key):
        yield ("signature_other_hash",), hashlib.sha256(message).digest()


def _causes(found: _Found, body: bytes) -> tuple[Cause, ...]:
    causes = [cause(code) for code in dict.fromkeys(found.causes)]
    if found.candidate.cause is not None:
        causes.append(cause(found.candidate.cause, _rewriting(found.candidate, body)))
    return tuple(causes)


def _refused(secrets: list[str]) -> tuple[Cause, ...]:
    # One secret matches, so another one is why no receiver starts with them.
    codes = [code for secret in secrets for code in secret_suspicions(secret, None)]
    refused = ("secret_missing", "secret_whitespace", "secret_quotes", "secret_invisible")
    return tuple(cause(code) for code in dict.fromkeys(codes) if code in refused)


def _rewriting(candidate: Candidate, body: bytes) -> str:
    if candidate.form is None:
        return ""
    now = form_of(body)
    here = f"it is written as {now}; " if now else ""
    return f"{here}the signature belongs to {candidate.form}"


def _suspected(
    targets: list[Target], secrets: list[str], body: bytes, family: FamilyName | None
) -> tuple[Cause, ...]:
    codes = [code for secret in secrets for code in secret_suspicions(secret, family)]
    codes.extend(code for target in targets[:1] for code in target.causes)
    if not any(len(target.start) == _HEX_DIGITS for target in targets):
        codes.append("signature_malformed")
    codes.extend(body_suspicions(body))
    return tuple(cause(code) for code in dict.fromkeys(codes)) or (cause("unknown"),)
