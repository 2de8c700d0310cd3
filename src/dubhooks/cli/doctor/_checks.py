"""The checks of ``dubhooks doctor``: what an endpoint must do, and how to fix it.

A check returns what happened when that is a fault, and ``None`` when an answer showed that all is
well.  When no answer shows either, it raises ``Unseen``.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..._explain.bodies import bodies_from
from ..._samples import load_abridged
from ...signature import sign
from .._answers import SUCCESSES
from .._sending import Answer, tamper
from .._summary import printable
from ._probe import Probe

_COPIES: Final = 6
_RAN: Final = ("handled", "queued")
_DID_NOT_RUN: Final = ("duplicate", "busy")
_VERIFY: Final = "verify every request with dubhooks.verify or an adapter, before anything else"
_RAW: Final = (
    "verify the raw bytes of the body before anything parses it, with dubhooks.verify or an adapter"
)


class Unseen(Exception):
    """No answer shows whether it is so."""


@dataclass(frozen=True)
class Check:
    """One thing that an endpoint must do."""

    code: str
    """Stable, machine-readable name."""
    title: str
    fix: str
    run: Callable[[Probe], str | None]


CHECKS: Final[list[Check]] = []


def check(title: str, *, fix: str) -> Callable[[Callable[[Probe], str | None]], None]:
    """Register the function below as a check."""

    def register(run: Callable[[Probe], str | None]) -> None:
        CHECKS.append(Check(run.__name__.strip("_"), title, fix, run))

    return register


def explain_refusal(probe: Probe) -> tuple[str, str]:
    """Return what happened to a genuine event that was not accepted, and what to do."""
    answer = probe.genuine
    if answer.status in (400, 401, 403, 422, 500):
        body = probe.make_body()
        for candidate in bodies_from(body):
            signature = sign(candidate.body, probe.secret)
            if candidate.cause and probe.post(body, signature).accepted:
                form = candidate.form or candidate.cause
                return f"the signature of another body was accepted: {form}", _RAW
    return f"a genuine event was {_told(answer)}", answer.advice or "see the application's log"


@check("the raw bytes are verified, however the JSON is written", fix=_RAW)
def _raw_bytes(probe: Probe) -> str | None:
    document = probe.make_document()
    document["data"]["dubhooksProbe"] = "Forl\u00ec \u2028 \U0001f389 </script>"
    if wrong := _not_accepted(probe.deliver_document(document), "text that is not ASCII"):
        return wrong
    document = probe.make_document()
    spaced = json.dumps(document, indent=1).encode()
    return _not_accepted(probe.deliver(spaced), "JSON with spaces and escapes, rightly signed,")


@check("a changed body is refused", fix=_VERIFY)
def _tampered(probe: Probe) -> str | None:
    body = probe.make_body()
    signature = sign(body, probe.secret)
    return _not_refused(probe, probe.post(tamper(body), signature), "a changed body")


@check("a missing signature is refused", fix=_VERIFY)
def _no_signature(probe: Probe) -> str | None:
    for body in (probe.make_body(), b'\xff\xfe{"id', b""):
        for signature in (None, "", "0" * 64):
            if wrong := _not_refused(probe, probe.post(body, signature), "an unsigned request"):
                return wrong
    return None


@check(
    "the signature of another or an empty secret is refused",
    fix=f"{_VERIFY}, and fail at start when DUB_WEBHOOK_SECRET is not set",
)
def _other_secret(probe: Probe) -> str | None:
    body = probe.make_body()
    # HMAC fills an empty key with zeros.
    for key in (b"whsec_made_up_by_the_doctor", b"\0", b"None", b"undefined", b"null"):
        answer = probe.post(body, hmac.digest(key, body, "sha256").hex())
        if wrong := _not_refused(probe, answer, "the signature of another secret"):
            return wrong
    return None


@check(
    "what is no signature is refused",
    fix="compare whole digests, as bytes, with hmac.compare_digest: not with startswith or in, "
    "and not as text, for which it raises TypeError",
)
def _odd_signature(probe: Probe) -> str | None:
    body = probe.make_body()
    right = sign(body, probe.secret)
    for odd in (right[:16], right + "00", f"{right}, {right}", "\u00e9\u00ff" * 32):
        if wrong := _not_refused(probe, probe.post(body, odd), "what is no signature"):
            return wrong
    return None


@check(
    "a refusal keeps its status",
    fix="answer with the exception's own status_code in the application's exception handlers",
)
def _refusal_status(probe: Probe) -> str | None:
    answer = probe.post(probe.make_body(), None)
    if _is_changed(probe, answer):
        return f"dubhooks refused an unsigned event, but the application answered {answer.status}"
    if answer.status is None or not (probe.genuine.outcome or answer.outcome):
        raise Unseen("only replies of dubhooks show it")
    return None


@check(
    "the same delivery again is accepted and runs nothing",
    fix="give the receiver a store: Webhooks(secret, store=SQLiteStore(...))",
)
def _duplicate(probe: Probe) -> str | None:
    body = probe.make_body()
    probe.deliver(body)
    answer = probe.deliver(body)
    if answer.outcome in _RAN:
        return "the handler ran again for the same delivery"
    if wrong := _not_accepted(answer, "the same delivery again"):
        return wrong
    if answer.outcome not in _DID_NOT_RUN:
        raise _unseen_runs(probe)
    return None


@check(
    f"{_COPIES} copies at the same time run once",
    fix="claim the event's id in one atomic step before handling it: use a store of dubhooks",
)
def _burst(probe: Probe) -> str | None:
    answers = probe.deliver_copies(probe.make_body(), _COPIES)
    for answer in answers:
        if not answer.accepted and answer.status not in (409, 423, 425, 429, 503):
            return f"one of {_COPIES} copies at the same time was {_told(answer)}"
    ran = sum(answer.outcome in _RAN for answer in answers)
    if ran > 1:
        return f"the handler ran {ran} times for {_COPIES} copies at the same time"
    if sum(answer.outcome in _DID_NOT_RUN for answer in answers) != _COPIES - 1:
        raise _unseen_runs(probe)
    return None


@check(
    "an event that is not known yet is accepted",
    fix="answer 2xx to names that you do not know: 20 failures in a row disable the endpoint",
)
def _unknown_event(probe: Probe) -> str | None:
    answer = probe.deliver(probe.make_unknown_body("dubhooks.probe", {}))
    return _not_accepted(answer, "an event that is not known yet")


@check(
    "an event with new keys or with fewer is accepted",
    fix="accept unknown keys and absent keys: use the models of dubhooks",
)
def _other_keys(probe: Probe) -> str | None:
    document = probe.make_document()
    document["dubhooksProbe"] = 1
    document["data"]["dubhooksProbe"] = {"new": [None, 0.5]}
    if wrong := _not_accepted(probe.deliver_document(document), "an event with new keys"):
        return wrong
    for title, body in load_abridged().items():
        if title.startswith(probe.event) and not probe.postback:
            return _not_accepted(probe.deliver(body), "an event with fewer keys")
    return None


@check(
    "a payout that no handler takes is not accepted",
    fix="answer 501 to payout events without a handler: any answer below 400 marks them as paid",
)
def _unknown_payout(probe: Probe) -> str | None:
    if probe.postback:
        raise Unseen("postbacks have no payouts")
    inside = {"id": "po_dubhooks_probe", "mode": "external"}
    for name, data in (("payout.dubhooks_probe", {}), ("dubhooks.probe", inside)):
        answer = probe.deliver(probe.make_unknown_body(name, data))
        if answer.status is None:
            raise Unseen(f"a payout was {_told(answer)}")
        if answer.status < 400:
            return f"a payout that is not known was {_told(answer)}, so Dub marks it as paid"
    return None


@check(
    "a body of 8 MB is refused", fix="limit the size of the body before it is read: 1 MB is plenty"
)
def _size(probe: Probe) -> str | None:
    document = probe.make_document()
    document["data"]["dubhooksProbe"] = "x" * 8 * 1_048_576
    answer = probe.deliver_document(document)
    if answer.status is None:
        raise Unseen(f"it was {_told(answer)}")
    return _not_refused(probe, answer, "a body of 8 MB")


@check(
    "no answer tells a secret or a stack trace",
    fix="answer with constant texts and turn debug mode off: Dub stores and shows every answer",
)
def _silent(probe: Probe) -> str | None:
    for answer, signature in probe.answers:
        text = answer.body.decode("utf-8", "replace")
        told = text + "".join(answer.headers.values())
        if probe.secret in told or signature in told.lower():
            return "an answer held the secret or the right signature"
        if "Traceback (most recent call last)" in text:
            return "an answer held a stack trace"
    return None


def _not_accepted(answer: Answer, what: str) -> str | None:
    return None if answer.accepted else f"{what} was {_told(answer)}"


def _not_refused(probe: Probe, answer: Answer, what: str) -> str | None:
    if answer.status is not None and 400 <= answer.status < 500:
        return None
    if _is_changed(probe, answer):
        raise Unseen("the application changes the replies of dubhooks")
    return f"{what} was {_told(answer)}, not refused with 4xx"


def _is_changed(probe: Probe, answer: Answer) -> bool:
    """Tell whether dubhooks' refusal became a success, in an exception handler for instance."""
    is_ours = (probe.genuine.outcome or answer.outcome) is not None
    return is_ours and (answer.status or 400) < 400 and answer.outcome not in SUCCESSES


def _unseen_runs(probe: Probe) -> Unseen:
    if probe.genuine.outcome == "ignored":
        return Unseen(f"no handler takes {probe.event}: name another event with --event")
    return Unseen("the answers do not say how often the handler ran: test it with your data")


def _told(answer: Answer) -> str:
    if answer.status is None:
        return f"not answered ({printable(answer.problem)})"
    return f"answered {answer.status}"
