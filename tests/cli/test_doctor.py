"""``dubhooks doctor``: finds every seeded fault, and finds none where there is none."""

import asyncio
import hashlib
import hmac
import json
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

import dubhooks
from dubhooks import Postbacks, SQLiteStore, Webhooks, asgi, wsgi

SECRET = "whsec_0123456789abcdef0123456789abcdef"
POSTBACK_SECRET = "pbsec_00112233445566778899aabbccddeeff"
KNOWN_KEYS = {"id", "event", "createdAt", "data"}


class Endpoint:
    """A hand-written endpoint that is right, unless a fault is seeded."""

    def __init__(self, *faults: str) -> None:
        self.faults = set(faults)
        self.seen: set[str] = set()
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        try:
            status, text = self.answer(environ)
        except Exception:  # noqa: BLE001 - as a framework does
            status = 500
            text = traceback.format_exc() if self.has("stack trace") else "error"
        location = [("Location", "/elsewhere")] if 300 <= status < 400 else []
        start_response(f"{status} Answer", [("Content-Type", "text/plain"), *location])
        return [text.encode()]

    def has(self, fault: str) -> bool:
        """Tell whether this fault is seeded."""
        return fault in self.faults

    def answer(self, environ: dict[str, Any]) -> tuple[int, str]:
        """Return status and text."""
        if environ["REQUEST_METHOD"] != "POST":
            if self.has("crash on get"):
                raise KeyError("body")
            return 405, "post only"
        length = int(environ["CONTENT_LENGTH"] or 0)
        if length > 1_000_000 and not self.has("no size limit"):
            return 413, "too large"
        body = environ["wsgi.input"].read(length)
        if self.has("slow"):
            time.sleep(0.6)
        if self.has("parses first"):
            json.loads(body)
        if not self.is_genuine(body, environ.get("HTTP_DUB_SIGNATURE")):
            if self.has("tells the signature"):
                return 401, "expected " + self.sign(body)
            if self.has("redirects"):
                return 302, "log in"
            return 500 if self.has("500 for forgeries") else 401, "bad signature"
        return self.handle(body)

    def sign(self, body: bytes) -> str:
        """Return the right signature."""
        secret = "" if self.has("empty secret") else SECRET
        return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()

    def is_genuine(self, body: bytes, signature: str | None) -> bool:
        """Verify, as the seeded faults have it."""
        if self.has("no verification"):
            return True
        if signature is None:
            return self.has("missing passes")
        if self.has("rewritten, by Python"):
            # The snippet that is found most often: a rewritten body and a plain comparison.
            expected = self.sign(json.dumps(json.loads(body)).encode())
            is_wrong = signature != expected
            return not is_wrong
        if self.has("rewritten, compact"):
            document = json.loads(body)
            body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        if self.has("decoded as latin-1"):
            body = body.decode("latin-1").encode()
        if self.has("startswith"):
            return self.sign(body).startswith(signature)
        if self.has("text compared"):
            return hmac.compare_digest(self.sign(body), signature)
        return hmac.compare_digest(self.sign(body).encode(), signature.encode("latin-1"))

    def handle(self, body: bytes) -> tuple[int, str]:
        """Handle a genuine delivery."""
        try:
            event = json.loads(body)
            name, event_id = event["event"], event["id"]
        except (ValueError, TypeError, KeyError):
            if self.has("crash on garbage"):
                raise
            return 400, "not an event"
        with self.lock:
            is_new = event_id not in self.seen
            self.seen.add(event_id)
        if not is_new and self.has("refuses duplicates"):
            return 400, "seen before"
        if not is_new and self.has("crash on duplicates"):
            raise RuntimeError("UNIQUE constraint failed")
        if self.has("strict keys") and (
            set(event) - KNOWN_KEYS or "dubhooksProbe" in event["data"]
        ):
            return 422, "unknown key"
        if self.has("every key needed") and "ua" not in event["data"].get("click", {"ua": 1}):
            return 422, "missing key"
        if "payout" in name or str(event["data"].get("id")).startswith("po_"):
            return (200, "ok") if self.has("takes payouts") else (501, "not handled")
        if name not in ("lead.created", "sale.created") and self.has("refuses unknown"):
            return 404, "unknown event"
        return 200, "ok"


SEEDED = {
    "no verification": "tampered",
    "missing passes": "no_signature",
    "rewritten, by Python": "raw_bytes",
    "rewritten, compact": "raw_bytes",
    "decoded as latin-1": "raw_bytes",
    "startswith": "part_of_signature",
    "text compared": "non_ascii_signature",
    "empty secret": "empty_secret",
    "500 for forgeries": "tampered",
    "redirects": "redirects",
    "parses first": "forged_garbage",
    "tells the signature": "silent",
    "crash on get": "get",
    "no size limit": "size",
    "slow": "in_time",
    "crash on garbage": "signed_garbage",
    "refuses duplicates": "duplicate",
    "crash on duplicates": "burst",
    "strict keys": "new_keys",
    "every key needed": "fewer_keys",
    "takes payouts": "unknown_payout",
    "refuses unknown": "unknown_event",
}


@pytest.mark.parametrize(("fault", "check"), SEEDED.items())
def test_a_seeded_fault_is_found(cli: Any, serve: Any, fault: str, check: str) -> None:
    """The fault is found by its check, with a reason and what to do, and the code is 1."""
    timeout = 0.5 if fault == "slow" else 5
    done = cli("doctor", serve(Endpoint(fault)), "--json", "--timeout", timeout)
    assert (done.code, done.err) == (1, "")
    report = json.loads(done.out)
    faults = {one["check"]: one for one in report["checks"] if one["verdict"] == "fault"}
    assert report["faults"] == len(faults)
    assert check in faults
    assert faults[check]["reason"]
    assert faults[check]["fix"]


def test_stack_traces_are_found(cli: Any, serve: Any) -> None:
    """An answer with a stack trace is a fault of its own."""
    url = serve(Endpoint("crash on garbage", "stack trace"))
    report = json.loads(cli("doctor", url, "--json").out)
    silent = next(one for one in report["checks"] if one["check"] == "silent")
    assert silent["verdict"] == "fault"
    assert silent["reason"] == "an answer holds a stack trace"


def test_an_endpoint_without_a_fault(cli: Any, serve: Any) -> None:
    """A hand-written endpoint that is right has no fault; what cannot be seen is said."""
    done = cli("doctor", serve(Endpoint()))
    assert (done.code, done.err) == (0, "")
    assert "FAULT" not in done.out
    assert done.out.rstrip().endswith("no fault found")
    assert "unseen the same delivery again" in done.out


def test_people_get_the_reason_and_the_fix(cli: Any, serve: Any) -> None:
    """Every fault is followed by its reason and by what to do."""
    done = cli("doctor", serve(Endpoint("no size limit")))
    assert done.code == 1
    lines = done.out.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("FAULT"))
    assert lines[place + 1].strip().startswith("8 MB")
    assert lines[place + 2].strip().startswith("to do: limit the size")
    assert lines[-1].startswith("1 faults in")


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Return a function that makes a receiver with a handler."""
    store = SQLiteStore(tmp_path / "claims.db")

    def make(*, with_store: bool = True, postbacks: bool = False) -> Any:
        chosen = store if with_store else None
        receiver: Any = (
            Postbacks(POSTBACK_SECRET, store=chosen)
            if postbacks
            else Webhooks(SECRET, store=chosen)
        )
        family = (dubhooks.postbacks if postbacks else dubhooks.webhooks).family
        receiver.on(family.classes["lead.created"])(lambda _event: None)
        return receiver

    yield make
    store.close()


def test_our_wsgi_application_has_no_fault(cli: Any, serve: Any, hooks: Any) -> None:
    """``dubhooks.wsgi.app`` with a store passes every check, and nothing is left unseen."""
    done = cli("doctor", serve(wsgi.app(hooks())), "--json")
    report = json.loads(done.out)
    assert {one["verdict"] for one in report["checks"]} == {"ok"}
    assert (done.code, report["ok"]) == (0, True)


def test_postbacks_are_examined_with_their_own_secret(cli: Any, serve: Any, hooks: Any) -> None:
    """``--postback`` signs with the postback secret and sends no payouts."""
    done = cli("doctor", serve(wsgi.app(hooks(postbacks=True))), "--postback", "--json")
    assert done.code == 0
    assert "unknown_payout" not in done.out


def test_a_receiver_without_a_store_runs_twice(cli: Any, serve: Any, hooks: Any) -> None:
    """Where answers say what ran, a handler that runs for duplicates is a fault."""
    done = cli("doctor", serve(wsgi.app(hooks(with_store=False))), "--json")
    faults = [one["check"] for one in json.loads(done.out)["checks"] if one["verdict"] == "fault"]
    assert (done.code, faults) == (1, ["duplicate", "burst"])


def test_our_asgi_application_has_no_fault(cli: Any, hooks: Any) -> None:
    """``dubhooks.asgi.app`` on a real server passes every check."""
    config = uvicorn.Config(asgi.app(hooks()), port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        done = cli("doctor", f"http://127.0.0.1:{port}/", "--json")
    finally:
        server.should_exit = True
        thread.join()
    assert {one["verdict"] for one in json.loads(done.out)["checks"]} == {"ok"}
    assert done.code == 0


def test_the_wrong_secret_is_not_called_a_rewritten_body(cli: Any, serve: Any) -> None:
    """When a good event is refused, what needs it is not examined and not called a fault."""
    endpoint = wsgi.app(Webhooks("whsec_another"))
    report = json.loads(cli("doctor", serve(endpoint), "--json").out)
    verdicts = {one["check"]: one["verdict"] for one in report["checks"]}
    assert [check for check, verdict in verdicts.items() if verdict == "fault"] == ["good_event"]
    assert verdicts["raw_bytes"] == verdicts["unknown_event"] == "unseen"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ftp://127.0.0.1/"], "not an http or https URL"),
        (["http://127.0.0.1:1/", "--event", "payout.confirmed"], "sends no payouts"),
        (["http://127.0.0.1:1/", "--event", "nonsense"], "is not a webhook event"),
    ],
)
def test_wrong_use(cli: Any, arguments: list[str], told: str) -> None:
    """Wrong use is one line on stderr and code 2."""
    done = cli("doctor", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert told in done.err


def test_nothing_listens(cli: Any, refused_url: str) -> None:
    """A refused connection is one line and code 2."""
    done = cli("doctor", refused_url)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "cannot connect" in done.err
