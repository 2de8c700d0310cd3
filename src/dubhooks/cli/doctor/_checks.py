"""The checks of ``dubhooks doctor``: what an endpoint must do, why, and how to mend it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..._explain.bodies import bodies_from
from ..._samples import load_abridged
from ...signature import sign
from .._summary import is_accepted, printable
from ._probe import outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._sending import Answer
    from ._probe import Probe

__all__ = ["CHECKS", "Check", "Unseen"]

_COPIES: Final = 6
_RAW: Final = (
    "verify the raw bytes of the body before anything parses it, with dubhooks.verify or an adapter"
)
_VERIFY: Final = "verify every request with dubhooks.verify or an adapter, before anything else"
_OPEN: Final = "accept unknown keys, absent keys and unknown values: use the models of dubhooks"


class Unseen(Exception):
    """Whether it is so cannot be seen from outside."""


@dataclass(frozen=True)
class Check:
    """One thing that an endpoint must do."""

    code: str
    """Stable, machine-readable name."""
    title: str
    fix: str
    run: Callable[[Probe], str | None]
    """Returns what is wrong, or ``None``."""
    needs_good: bool = False
    """Makes no sense while a good event is refused."""
    webhooks_only: bool = False


def _accepted(answer: Answer) -> str | None:
    return None if is_accepted(answer) else f"it was {_told(answer)}"


def _refused(answer: Answer) -> str | None:
    if answer.status is not None and 400 <= answer.status < 500:
        return None
    return f"it was {_told(answer)}, not refused with 4xx"


def _not_crashed(answer: Answer) -> str | None:
    if answer.status is not None and answer.status < 500:
        return None
    return f"it was {_told(answer)}"


def _told(answer: Answer) -> str:
    if answer.status is None:
        return f"not answered ({printable(answer.problem)})"
    return f"answered {answer.status}"


def _good_event(probe: Probe) -> str | None:
    answer = probe.deliver(probe.body())
    wrong = _accepted(answer)
    probe.accepts = wrong is None
    probe.answers_at_all = answer.status is not None
    return wrong


def _raw_bytes(probe: Probe) -> str | None:
    changes = {"data.dubhooksProbe": "Forl\u00ec \u2028 \U0001f389 </script>"}
    body = probe.body(changes)
    if probe.accepts:
        wrong = _accepted(probe.deliver(body))
        if wrong:
            return f"{wrong}: text that is not ASCII, rightly signed"
        other = json.loads(probe.body(changes))
        wrong = _accepted(probe.deliver(json.dumps(other, indent=1).encode()))
        return wrong and f"{wrong}: JSON with spaces and escapes, rightly signed"
    for candidate in bodies_from(body):
        if candidate.cause and is_accepted(probe.post(body, sign(candidate.body, probe.secret))):
            form = candidate.form or candidate.cause
            return f"the signature of another body was accepted: {form}"
    raise Unseen("a good event is refused")


def _tampered(probe: Probe) -> str | None:
    body = probe.body()
    signature = sign(body, probe.secret)
    return _refused(probe.post(body.replace(b'"id":"', b'"id":"x', 1), signature))


def _no_signature(probe: Probe) -> str | None:
    return _refused(probe.post(probe.body(), None))


def _empty_signature(probe: Probe) -> str | None:
    return _refused(probe.post(probe.body(), ""))


def _other_secret(probe: Probe) -> str | None:
    body = probe.body()
    return _refused(probe.post(body, sign(body, "whsec_dubhooks_doctor_has_made_this_up")))


def _empty_secret(probe: Probe) -> str | None:
    import hmac

    body = probe.body()
    guesses = ("", "None", "undefined", "null")
    signatures = [hmac.digest(guess.encode() or b"\0", body, "sha256").hex() for guess in guesses]
    return next(filter(None, (_refused(probe.post(body, one)) for one in signatures)), None)


def _part_of_signature(probe: Probe) -> str | None:
    body = probe.body()
    signature = sign(body, probe.secret)
    parts = (signature[:16], signature + "00", f"{signature}, {signature}")
    return next(filter(None, (_refused(probe.post(body, part)) for part in parts)), None)


def _non_ascii_signature(probe: Probe) -> str | None:
    return _refused(probe.post(probe.body(), "\u00e9\u00ff" * 32))


def _forged_garbage(probe: Probe) -> str | None:
    return _refused(probe.post(b'\xff\xfe{"id', "0" * 64))


def _empty_body(probe: Probe) -> str | None:
    return _refused(probe.post(b"", "0" * 64))


def _signed_garbage(probe: Probe) -> str | None:
    bodies = (b'{"id":', b"[]", b"null", b'{"event":1}')
    return next(filter(None, (_not_crashed(probe.deliver(body)) for body in bodies)), None)


def _header_case(probe: Probe) -> str | None:
    body = probe.body()
    return _accepted(probe.post(body, sign(body, probe.secret), "dub-signature"))


def _duplicate(probe: Probe) -> str | None:
    body = probe.body()
    first, second = probe.deliver(body), probe.deliver(body)
    outcomes = [outcome_of(first), outcome_of(second)]
    if outcomes == ["handled", "handled"]:
        return "the handler ran for both"
    wrong = _accepted(second)
    if outcomes == ["ignored", "ignored"]:
        raise Unseen(f"no handler takes {probe.event}: name another event with --event")
    if wrong is None and outcomes != ["handled", "duplicate"]:
        raise Unseen("the answers do not say whether the handler ran once; test it with your data")
    return wrong and f"{wrong} the second time"


def _burst(probe: Probe) -> str | None:
    answers = probe.burst(probe.body(), _COPIES)
    for answer in answers:
        if not is_accepted(answer) and answer.status not in (409, 423, 425, 429, 503):
            return f"one of them was {_told(answer)}"
    ran = sum(outcome_of(answer) == "handled" for answer in answers)
    return f"the handler ran {ran} times" if ran > 1 else None


def _unknown_event(probe: Probe) -> str | None:
    return _accepted(probe.deliver(probe.unknown_body("dubhooks.probe", {})))


def _new_keys(probe: Probe) -> str | None:
    return _accepted(
        probe.deliver(probe.body({"dubhooksProbe": 1, "data.dubhooksProbe": {"new": [None, 0.5]}}))
    )


def _fewer_keys(probe: Probe) -> str | None:
    for title, body in load_abridged().items():
        if title.startswith(probe.event) and not probe.postback:
            return _accepted(probe.deliver(body))
    raise Unseen(f"there is no shorter form of {probe.event}")


def _unknown_payout(probe: Probe) -> str | None:
    inside = {"id": "po_dubhooks_probe", "mode": "external"}
    for name, data in (("payout.dubhooks_probe", {}), ("dubhooks.probe", inside)):
        answer = probe.deliver(probe.unknown_body(name, data))
        if answer.status is not None and answer.status < 400:
            return f"it was {_told(answer)}, so Dub marks the payout as paid"
    return None


def _size(probe: Probe) -> str | None:
    return None if probe.stops_reading() else "8 MB of an unsigned body were read and more awaited"


def _get(probe: Probe) -> str | None:
    return _not_crashed(probe.get())


def _redirects(probe: Probe) -> str | None:
    found = next((one for one, _ in probe.answers if one.status and 300 <= one.status < 400), None)
    return f"a delivery was {_told(found)}" if found else None


def _silent(probe: Probe) -> str | None:
    for answer, signature in probe.answers:
        text = answer.body.decode("utf-8", "replace")
        told = text + "".join(answer.headers.values())
        if probe.secret in told or signature in told.lower():
            return "an answer holds the secret or the right signature"
        if "Traceback (most recent call last)" in text:
            return "an answer holds a stack trace"
    return None


def _in_time(probe: Probe) -> str | None:
    slowest = max(answer.seconds for answer, _ in probe.answers)
    return f"one took {slowest:.1f} s" if slowest >= probe.timeout else None


CHECKS: Final = (
    Check("good_event", "a good event is accepted", "check secret, path and log", _good_event),
    Check("raw_bytes", "the raw bytes are verified", _RAW, _raw_bytes),
    Check("tampered", "a changed body is refused", _VERIFY, _tampered),
    Check("no_signature", "a missing signature is refused", _VERIFY, _no_signature),
    Check("empty_signature", "an empty signature is refused", _VERIFY, _empty_signature),
    Check("other_secret", "the signature of another secret is refused", _VERIFY, _other_secret),
    Check(
        "empty_secret",
        "the signature of an empty secret is refused",
        "fail at start when DUB_WEBHOOK_SECRET is not set",
        _empty_secret,
    ),
    Check(
        "part_of_signature",
        "a part of a signature and a doubled one are refused",
        "compare whole digests with hmac.compare_digest, not with startswith or in",
        _part_of_signature,
    ),
    Check(
        "non_ascii_signature",
        "a signature that is not ASCII is refused",
        "compare bytes: hmac.compare_digest raises TypeError for such text",
        _non_ascii_signature,
    ),
    Check("forged_garbage", "unsigned garbage is refused", _VERIFY, _forged_garbage),
    Check("empty_body", "an empty body is refused", _VERIFY, _empty_body),
    Check(
        "signed_garbage",
        "a signed body that is no event does not crash",
        "answer 400: Dub counts a 500 towards disabling the endpoint and sends it again",
        _signed_garbage,
    ),
    Check(
        "header_case",
        "the name of the header counts in any case",
        "look the header up without regard to case: proxies write dub-signature",
        _header_case,
        needs_good=True,
    ),
    Check(
        "duplicate",
        "the same delivery again is accepted and runs nothing",
        "give the receiver a store: Webhooks(secret, store=SQLiteStore(...))",
        _duplicate,
        needs_good=True,
    ),
    Check(
        "burst",
        f"{_COPIES} copies at the same time run once",
        "claim the event's id in one atomic step before handling it: use a store of dubhooks",
        _burst,
        needs_good=True,
    ),
    Check(
        "unknown_event",
        "an event that is not known yet is accepted",
        "answer 2xx to names that you do not know: 20 failures in a row disable the endpoint",
        _unknown_event,
        needs_good=True,
    ),
    Check("new_keys", "keys that are not known yet are accepted", _OPEN, _new_keys, True),
    Check("fewer_keys", "an event with fewer keys is accepted", _OPEN, _fewer_keys, True),
    Check(
        "unknown_payout",
        "a payout that nobody takes is not accepted",
        "answer 501 to payout events without a handler: any answer below 400 marks them as paid",
        _unknown_payout,
        webhooks_only=True,
    ),
    Check(
        "size",
        "an endless body is refused",
        "limit the size of the body before it is read: 1 MB is plenty",
        _size,
    ),
    Check("get", "a GET does not crash", "answer 405 to anything but POST", _get),
    Check(
        "redirects",
        "nothing is redirected",
        "use the final URL in Dub: its queue does not follow redirects, and Dub takes one for paid",
        _redirects,
    ),
    Check(
        "silent",
        "no answer tells a secret or a stack trace",
        "answer with constant texts and turn debug mode off: Dub stores and shows every answer",
        _silent,
    ),
    Check(
        "in_time",
        "every answer comes in time",
        "hand slow work to a queue and answer at once",
        _in_time,
    ),
)
