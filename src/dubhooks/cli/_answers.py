"""What the answer to a delivery means: its outcome, and what to do when it is no success."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from ..reply import find_outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..reply import Outcome

__all__ = ["Meaning", "describe_body", "explain_answer"]

_UNTAKEN: Final = "Dub does not follow it and takes it for success"

_BY_OUTCOME: Final[dict[Outcome, str]] = {
    "unauthorized": "the application has another secret than the one used here, or something "
    "between changes the body: 'dubhooks verify' says more",
    "unhandled_payout": "no handler takes this payout: register one for PayoutConfirmed",
    "busy": "another worker is handling this event: send it again when it is done",
    "conflict": "another body was handled under this event id: forget the id, or send a new event",
    "invalid": "the body does not fit the model of its event: the application's log names the "
    "fields",
    "malformed": "the body is not an event that is read here",
    "too_large": "the body is larger than the receiver's max_body",
    "too_slow": "the body did not arrive within the read timeout",
    "compressed": "a proxy or the client compresses the body: send it as it is",
    "unavailable": "the receiver's store, queue or secret cannot be reached: the application's "
    "log names it",
    "retry": "the handler asked for it to be sent again (RetryLater)",
    "rejected": "the handler refused the event for good (Reject)",
    "failed": "the handler failed: see the application's log",
}
_BY_CODE: Final = {
    "signature_missing": "no signature arrived: a proxy drops the Dub-Signature header, or none "
    "was sent",
    "event_too_old": "the event is older than the receiver's max_age: send a new one",
    "event_from_future": "the event is from the future: compare the clocks of both machines",
    "body_empty": "the body is empty: something read it before the receiver did",
    "body_incomplete": "the body broke off before its end",
}
_BY_STATUS: Final = {
    301: f"a redirect, usually a slash too many or too few at the end of the URL: {_UNTAKEN}",
    302: f"a redirect, usually to a login: exempt this path from it; {_UNTAKEN}",
    400: "the application refused the body: see its log",
    401: "the application has another secret than the one used here, or wants a login",
    403: "CSRF protection, a login or a firewall is in the way: exempt this path from it",
    404: "nothing is mounted at this path",
    405: "this path does not take POST: is it the receiver's own?",
    408: "the body did not arrive in time",
    409: "the application is handling this event already: send it again later",
    413: "the body is larger than the server or the application takes",
    415: "the application does not take this content type: it must take application/json as it is",
    422: "the application does not take this body: see its log",
    429: "a limit on the rate of requests is in the way: exempt this path from it",
    501: "the application does not take this event: a payout needs a handler",
    502: "the proxy does not reach the application: is it running?",
    503: "the application, or something that it needs, is down: see its log",
    504: "the application did not answer the proxy in time",
}
_SAME_AS: Final = {303: 302, 307: 301, 308: 301}
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
        return Meaning(None, "is the application running, and at this address?")
    told = _read_reply(body)
    code = told.get("code") or told.get("detail")
    outcome = find_outcome(str(told.get("outcome") or told.get("detail")))
    advice = _BY_CODE.get(str(code)) or (_BY_OUTCOME.get(outcome) if outcome else None)
    if status < 400 and outcome in _BY_OUTCOME:
        advice = (
            f"dubhooks refused it ({outcome}) but an exception handler of the application "
            f"changed the status to {status}, which Dub takes for success: keep the status"
        )
    elif 200 <= status < 300:
        advice = None
    elif advice is None:
        advice = _BY_STATUS.get(_SAME_AS.get(status, status)) or _describe_class(status)
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


def _read_reply(body: bytes) -> dict[str, Any]:
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}


def _describe_class(status: int) -> str:
    if status >= 500:
        return "the application failed: see its log"
    return f"a redirect: {_UNTAKEN}" if status < 400 else "the application refused it: see its log"
