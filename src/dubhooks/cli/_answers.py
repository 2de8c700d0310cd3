"""What the answer to a delivery means: its outcome, and what to do when it is no success."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final, NamedTuple, cast

from ..reply import Outcome, find_outcome

SUCCESSES: Final = ("handled", "queued", "duplicate", "ignored")
_UNTAKEN: Final = "Dub does not follow a redirect, and takes it for success"

_BY_CODE: Final = {
    "body_empty": "the body is empty: something read it before the receiver did",
    "body_incomplete": "the body broke off before its end",
    "conflict": "another body was handled under this event id: send a new event, or forget the id",
    "event_from_future": "the event is from the future: compare the clocks of both machines",
    "event_too_old": "the event is older than the receiver's max_age: send a new one",
    "invalid": "the body does not fit the model of its event: the application's log names fields",
    "malformed": "the body is not an event: it must be Dub's JSON, as it is",
    "rejected": "the handler refused the event for good (Reject)",
    "retry": "the handler asked for it to be sent again (RetryLater)",
    "signature_missing": "no signature arrived: none was sent, or a proxy drops the header",
    "unavailable": "the receiver's store, queue or secret cannot be reached: the application's "
    "log names it",
    "unhandled_payout": "no handler takes this payout: register one for PayoutConfirmed",
}
"""By a code of ours: of an error, else of an outcome whose status has other meanings, too."""

_BY_STATUS: Final[dict[int, str]] = {
    **dict.fromkeys((301, 307, 308), f"a slash too many or too few in the URL: {_UNTAKEN}"),
    **dict.fromkeys((302, 303), f"a redirect, usually to a login: exempt this path; {_UNTAKEN}"),
    401: "the application has another secret than the one used here, or something changes the "
    "body on its way: 'dubhooks verify' says more",
    403: "CSRF protection, a login or a firewall is in the way: exempt this path from it",
    404: "nothing is mounted at this path",
    405: "this path does not take POST: is it the receiver's own?",
    408: "the body did not arrive in time",
    409: "the application is handling this event already: send it again later",
    413: "the body is larger than the receiver or its server takes",
    415: "the body must be application/json and not compressed",
    422: "the application does not take this body: see its log",
    501: "the application does not take this event: a payout needs a handler",
    502: "the proxy does not reach the application: is it running?",
    503: "the application, or something that it needs, is down: see its log",
}
_TITLE: Final = re.compile(rb"<title[^>]*>([^<]*)</title", re.IGNORECASE)


class Meaning(NamedTuple):
    """What an answer means."""

    outcome: Outcome | None
    """As a receiver of dubhooks told it; ``None``: the answer does not tell."""
    advice: str | None
    """One line; ``None`` for a success."""


def explain_answer(status: int | None, body: bytes) -> Meaning:
    """Return what an answer to a delivery means.

    Args:
        status: ``None`` when there was no answer.
        body: the answer's; its beginning is enough.
    """
    if status is None:
        return Meaning(None, "see the application's log, and whether it runs at this address")
    told = _read_reply(body)
    detail = told.get("detail", "")
    outcome = find_outcome(told.get("outcome", detail))
    advice = _BY_CODE.get(told.get("code", detail)) or _BY_CODE.get(str(outcome))
    if outcome and outcome not in SUCCESSES and status < 400:
        advice = (
            f"dubhooks refused it ({outcome}) but an exception handler of the application "
            f"changed the status to {status}, which Dub takes for success: keep the status"
        )
    elif 200 <= status < 300:
        advice = None
    elif advice is None:
        advice = _BY_STATUS.get(status) or _describe_class(status)
    return Meaning(outcome, advice)


def describe_body(headers: Mapping[str, str], body: bytes) -> str:
    """Return the text of an answer; of a page in HTML only its title.

    Args:
        headers: names in lower case.
        body: the answer's; its beginning is enough.
    """
    if "html" in headers.get("content-type", "") or body.lstrip()[:1] == b"<":
        title = _TITLE.search(body)
        return f"a page in HTML: {title[1].decode('utf-8', 'replace')}" if title else "HTML"
    return body.decode("utf-8", "replace")


def _read_reply(body: bytes) -> dict[str, str]:
    """Return the codes in an answer; FastAPI writes one of ours as ``detail``."""
    try:
        document = cast("dict[str, object]", json.loads(body))
        codes = {name: document.get(name) for name in ("outcome", "code", "detail")}
    except (ValueError, RecursionError, AttributeError):
        return {}
    return {name: code for name, code in codes.items() if isinstance(code, str) and len(code) < 50}


def _describe_class(status: int) -> str:
    if status >= 500:
        return "the application failed: see its log"
    return f"a redirect: {_UNTAKEN}" if status < 400 else "the application refused it: see its log"
