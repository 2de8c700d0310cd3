"""``dubhooks doctor``: finds every fault, and certifies nothing that no answer showed."""

import hashlib
import hmac
import json
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dubhooks import Postbacks, SQLiteStore, Webhooks, postbacks, webhooks, wsgi
from dubhooks.cli.doctor._checks import CHECKS

SECRET = "whsec_0123456789abcdef0123456789abcdef"
POSTBACK_SECRET = "pbsec_00112233445566778899aabbccddeeff"
KNOWN_KEYS = {"id", "event", "createdAt", "data"}


class Endpoint:
    """A hand-written endpoint that is right, unless it has a fault."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.seen: set[str] = set()
        self.lock = threading.Lock()
        self.ran: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        try:
            status, text = self.answer(environ)
        except Exception:  # noqa: BLE001 - as a framework does
            status, text = 500, traceback.format_exc() if self.fault == "stack trace" else "error"
        start_response(f"{status} Answer", [("Content-Type", "text/plain")])
        return [text.encode()]

    def answer(self, environ: dict[str, Any]) -> tuple[int, str]:
        """Return status and text."""
        length = int(environ["CONTENT_LENGTH"] or 0)
        body = environ["wsgi.input"].read(length)
        if length > 1_000_000 and self.fault != "no size limit":
            return 413, "too large"
        if self.fault == "stack trace":
            json.loads(body)
        if not self.is_genuine(body, environ.get("HTTP_DUB_SIGNATURE")):
            if self.fault == "tells the signature":
                return 401, "expected " + self.sign(body)
            return {"500 for forgeries": 500, "redirects forgeries": 302}.get(self.fault, 401), "no"
        return self.handle(json.loads(body))

    def sign(self, body: bytes) -> str:
        """Return the right signature."""
        secret = "" if self.fault == "empty secret" else SECRET
        return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()

    def is_genuine(self, body: bytes, signature: str | None) -> bool:
        """Verify, as the fault has it."""
        if self.fault == "no verification":
            return True
        if signature is None:
            return self.fault == "missing passes"
        if self.fault == "empty secret" and self.sign(body) == signature:
            return True
        if self.fault == "rewritten, by Python":
            # The snippet that is found most often.
            body = json.dumps(json.loads(body)).encode()
        if self.fault == "rewritten, compact":
            document = json.loads(body)
            body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        right = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        if self.fault == "startswith":
            return right.startswith(signature)
        if self.fault == "compares text":
            return hmac.compare_digest(right, signature)
        return hmac.compare_digest(right.encode(), signature.encode("latin-1"))

    def handle(self, event: Any) -> tuple[int, str]:
        """Handle a genuine delivery."""
        name, event_id = event["event"], event["id"]
        with self.lock:
            is_new = event_id not in self.seen
            self.seen.add(event_id)
        if not is_new and self.fault == "refuses duplicates":
            return 400, "seen before"
        if not is_new and self.fault == "crashes on duplicates":
            raise RuntimeError("UNIQUE constraint failed")
        keys = set(event["data"])
        if self.fault == "strict keys" and (set(event) - KNOWN_KEYS or "dubhooksProbe" in keys):
            return 422, "unknown key"
        if self.fault == "every key needed" and "ua" not in event["data"].get("click", {"ua": 1}):
            return 422, "missing key"
        if "payout" in name or str(event["data"].get("id")).startswith("po_"):
            return (200, "ok") if self.fault == "takes payouts" else (501, "not handled")
        if name != "lead.created" and self.fault == "refuses unknown":
            return 404, "unknown event"
        if is_new or self.fault == "runs again":
            self.ran.append(event_id)
        return 200, "ok"


def answering(status: int, text: str = "no") -> Callable[..., Any]:
    """Return an endpoint that answers everything alike."""

    def endpoint(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
        start_response(f"{status} Answer", [("Content-Type", "text/html")])
        return [text.encode()]

    return endpoint


def apologetic(application: Any) -> Callable[..., Any]:
    """Return ``application`` with an exception handler that makes a page of every refusal."""

    def endpoint(environ: dict[str, Any], start_response: Any) -> Any:
        started: list[Any] = []
        answer = application(environ, lambda *given: started.extend(given))
        is_refused = started[0].startswith("4")
        status, headers = ("200 OK", []) if is_refused else started[:2]
        start_response(status, headers)
        return [b"sorry"] if is_refused else answer

    return endpoint


FAULTS = {
    "rewritten, by Python": "genuine_event",
    "rewritten, compact": "raw_bytes",
    "no verification": "tampered",
    "missing passes": "no_signature",
    "500 for forgeries": "no_signature",
    "redirects forgeries": "no_signature",
    "empty secret": "other_secret",
    "startswith": "odd_signature",
    "compares text": "odd_signature",
    "refuses duplicates": "duplicate",
    "crashes on duplicates": "burst",
    "strict keys": "other_keys",
    "every key needed": "other_keys",
    "takes payouts": "unknown_payout",
    "refuses unknown": "unknown_event",
    "no size limit": "size",
    "tells the signature": "silent",
    "stack trace": "silent",
}
"""A fault of a hand-written endpoint, and the check that finds it."""

UNSEEN = {"runs again": ["duplicate", "burst"], "no verification": ["refusal_status"]}
"""A fault that no answer shows, and the checks that must not call it right."""


def verdicts(report: str) -> dict[str, str]:
    """Return the verdict of every check."""
    return {one["check"]: one["verdict"] for one in json.loads(report)["checks"]}


@pytest.mark.parametrize(("fault", "check"), FAULTS.items())
def test_a_fault_is_found(cli: Any, serve: Any, fault: str, check: str) -> None:
    """The fault is found by its check, which says what happened and what to do; the code is 1."""
    done = cli("doctor", serve(Endpoint(fault)), "--json")
    assert (done.code, done.err) == (1, "")
    report = json.loads(done.out)
    found = {one["check"]: one for one in report["checks"] if one["verdict"] == "fault"}
    assert report["faults"] == len(found)
    assert found[check]["reason"] != found[check]["title"]
    assert found[check]["fix"]


@pytest.mark.parametrize(("fault", "checks"), UNSEEN.items())
def test_what_no_answer_shows_is_unseen(cli: Any, serve: Any, fault: str, checks: Any) -> None:
    """A check is never ok where its evidence is in no answer."""
    endpoint = Endpoint(fault)
    found = verdicts(cli("doctor", serve(endpoint), "--json").out)
    assert {found[check] for check in checks} == {"unseen"}
    if fault == "runs again":
        assert max(map(endpoint.ran.count, endpoint.ran)) == 6


def test_every_check_is_tried() -> None:
    """Each check has an endpoint with the fault that it is there for."""
    tried = {*FAULTS.values(), *(check for checks in UNSEEN.values() for check in checks)}
    assert tried == {"genuine_event", *(check.code for check in CHECKS)}


def test_an_endpoint_without_a_fault(cli: Any, serve: Any) -> None:
    """A hand-written endpoint that is right has no fault; what cannot be seen is said."""
    done = cli("doctor", serve(Endpoint()))
    assert (done.code, done.err) == (0, "")
    assert "FAULT" not in done.out
    assert done.out.endswith("\nno fault found\n")
    assert "unseen 6 copies at the same time run once\n       the answers do not" in done.out


@pytest.mark.parametrize(
    ("endpoint", "happened", "todo"),
    [
        (answering(308), "answered 308", "a slash too many or too few"),
        (answering(503, '{"outcome":"unavailable"}'), "answered 503", "store, queue or secret"),
        (wsgi.app(Webhooks("whsec_another")), "answered 401", "another secret"),
    ],
)
def test_a_dead_url_is_one_line(
    cli: Any, serve: Any, endpoint: Any, happened: str, todo: str
) -> None:
    """Where a genuine event is refused nothing else is examined, and nothing is called right."""
    done = cli("doctor", serve(endpoint))
    first, second, last = done.out.splitlines()
    assert (done.code, first) == (1, f"FAULT  a genuine event was {happened}")
    assert todo in second
    assert last == "1 fault found"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    """Return a store."""
    store = SQLiteStore(tmp_path / "claims.db")
    yield store
    store.close()


def receive(hooks: Any) -> Any:
    """Return an application that handles leads."""
    family: Any = postbacks if isinstance(hooks, Postbacks) else webhooks
    hooks.on(family.LeadCreated)(lambda _event: None)
    return wsgi.app(hooks)


def test_our_wsgi_application_has_no_fault(cli: Any, serve: Any, store: SQLiteStore) -> None:
    """``dubhooks.wsgi.app`` with a store passes every check, and nothing is left unseen."""
    done = cli("doctor", serve(receive(Webhooks(SECRET, store=store))), "--json")
    assert set(verdicts(done.out).values()) == {"ok"}
    assert (done.code, json.loads(done.out)["ok"]) == (0, True)


def test_postbacks_are_examined_with_their_own_secret(
    cli: Any, serve: Any, store: SQLiteStore
) -> None:
    """``--postback`` signs with the postback secret and sends no payouts."""
    done = cli(
        "doctor", serve(receive(Postbacks(POSTBACK_SECRET, store=store))), "--postback", "--json"
    )
    assert done.code == 0
    assert verdicts(done.out)["unknown_payout"] == "unseen"


def test_a_receiver_without_a_store_runs_twice(cli: Any, serve: Any) -> None:
    """Where answers say what ran, a handler that runs for duplicates is a fault."""
    done = cli("doctor", serve(receive(Webhooks(SECRET))), "--json")
    faults = [check for check, one in verdicts(done.out).items() if one == "fault"]
    assert (done.code, faults) == (1, ["duplicate", "burst"])
    assert "the handler ran 6 times for 6 copies" in done.out


def test_an_event_without_a_handler_shows_no_run(cli: Any, serve: Any, store: SQLiteStore) -> None:
    """When nothing takes the event, run-once is unseen and another event is asked for."""
    done = cli("doctor", serve(receive(Webhooks(SECRET, store=store))), "--event", "link.created")
    assert done.code == 0
    assert "no handler takes link.created: name another event with --event" in done.out


def test_a_changed_status_is_shown(cli: Any, serve: Any, store: SQLiteStore) -> None:
    """An exception handler of the application that answers a refusal with 200 is a fault."""
    report = cli("doctor", serve(apologetic(receive(Webhooks(SECRET, store=store)))), "--json").out
    found = verdicts(report)
    assert [check for check, one in found.items() if one == "fault"] == ["refusal_status"]
    assert {found["tampered"], found["size"]} == {"unseen"}
    assert "dubhooks refused an unsigned event, but the application answered 200" in report


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ftp://127.0.0.1/"], "not an http or https URL"),
        (["http://127.0.0.1:1/"], "cannot connect"),
        (["http://127.0.0.1:1/", "--event", "payout.confirmed"], "sends no payouts"),
        (["http://127.0.0.1:1/", "--event", "nonsense"], "is not a webhook event"),
    ],
)
def test_wrong_use(cli: Any, arguments: list[str], told: str) -> None:
    """Wrong use, and a URL where nothing listens, is one line on stderr and code 2."""
    done = cli("doctor", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert told in done.err
