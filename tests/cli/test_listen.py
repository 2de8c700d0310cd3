"""``dubhooks listen``: the inspector in a process of its own, over real HTTP."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dubhooks import MemoryStore, Webhooks, postbacks, sign, wsgi
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import LeadCreated, PayoutConfirmed, SaleCreated

SECRET = "whsec_0123456789abcdef0123456789abcdef"
POSTBACK_SECRET = "pbsec_00112233445566778899aabbccddeeff"
JSON = {"Content-Type": "application/json"}


class Listener:
    """A running ``dubhooks listen --json``."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        command = [sys.executable, "-W", "error", "-m", "dubhooks", "listen", "--json"]
        self.process = subprocess.Popen(
            [*command, "--port", "0", *arguments],
            env={**os.environ, "DUB_WEBHOOK_SECRET": SECRET, "DUB_POSTBACK_SECRET": ""} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = str(self.line()["listening"])
        self.port = urlsplit(self.url).port

    def line(self) -> dict[str, Any]:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr and self.process.stderr.read()
        found: dict[str, Any] = json.loads(line)
        return found

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request; return status, headers with lower-case names, and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            given = {name.lower(): value for name, value in response.getheaders()}
            return response.status, given, response.read()
        finally:
            connection.close()

    def deliver(self, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Send a delivery; return the status and what was printed."""
        status, _, _ = self.request("POST", "/webhooks/dub", body, headers)
        return status, self.line()

    def stop(self) -> tuple[int, str]:
        """Press Ctrl-C; return the exit code and stderr."""
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=10)
        return self.process.returncode, errors


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    """Return a function that starts a listener."""
    started: list[Listener] = []

    def start(*arguments: str, **variables: str) -> Listener:
        started.append(Listener(*arguments, **variables))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


class Feed:
    """The live feed of the page."""

    def __init__(self, listener: Listener, after: int | None = None) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=10)
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        self.connection.request("GET", "/_dubhooks/events", headers=headers)
        self.response = self.connection.getresponse()
        assert self.response.getheader("Content-Type") == "text/event-stream"

    def next(self) -> tuple[str, dict[str, Any]]:
        """Return the next message and its kind."""
        fields: dict[str, str] = {}
        while line := self.response.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        return fields["event"], json.loads(fields["data"])

    def close(self) -> None:
        """Close the page."""
        self.response.close()
        self.connection.close()


def test_a_valid_delivery(listen: Any) -> None:
    """A valid delivery is answered 200 and printed with its event and nothing of its payload."""
    listener = listen()
    event = make_event(SaleCreated)
    status, printed = listener.deliver(*signed_request(event, SECRET))
    assert status == 200
    assert (printed["valid"], printed["family"]) == (True, "webhook")
    assert (printed["event"], printed["event_id"]) == ("sale.created", event.id)
    assert str(event.data.customer.email) not in json.dumps(printed)
    assert listener.stop() == (0, "")


def test_a_delivery_that_is_not_valid_is_explained(listen: Any) -> None:
    """A delivery that does not verify is answered 401 and printed with the cause."""
    listener = listen()
    body, headers = signed_request(make_event(SaleCreated), SECRET)
    rewritten = json.dumps(json.loads(body)).encode()
    status, printed = listener.deliver(rewritten, headers)
    assert (status, printed["valid"], printed["causes"]) == (401, False, ["body_reserialized"])
    listener.deliver(body, headers)
    other = make_event(LeadCreated).to_json()
    assert listener.deliver(other, headers)[1]["causes"] == ["other_delivery"]
    assert listener.deliver(other, JSON)[1]["causes"] == ["signature_missing"]


def test_both_families(listen: Any) -> None:
    """With both secrets webhooks and postbacks are told apart by what verifies."""
    listener = listen(DUB_POSTBACK_SECRET=POSTBACK_SECRET)
    body, headers = signed_request(make_event(postbacks.SaleCreated), POSTBACK_SECRET)
    status, printed = listener.deliver(body, headers)
    assert (status, printed["family"]) == (200, "postback")
    body, headers = signed_request(make_event(SaleCreated), SECRET)
    assert listener.deliver(body, headers)[1]["family"] == "webhook"


def test_a_payout_is_never_taken(listen: Any) -> None:
    """The inspector answers a payout 501, because 200 would mark it as paid."""
    listener = listen()
    for name in ("payout.confirmed", "external_payout.confirmed"):
        payout = make_event(PayoutConfirmed, event=name)
        assert listener.deliver(*signed_request(payout, SECRET))[0] == 501


def test_drift_is_shown(listen: Any) -> None:
    """Keys that the models do not know are printed by path."""
    listener = listen()
    event = make_event(SaleCreated, {"+data.newKey": "private"})
    printed = listener.deliver(*signed_request(event, SECRET))[1]
    assert {"kind": "unknown_key", "path": "data.newKey", "detail": "string"} in printed[
        "differences"
    ]


def test_an_event_that_does_not_fit_is_named(listen: Any) -> None:
    """Its name, its id and what does not fit are printed, and nothing of its values."""
    listener = listen()
    document = json.loads(make_event(SaleCreated, id="evt_odd").to_json())
    document["data"]["sale"]["amount"] = "private"
    request = signed_request(json.dumps(document).encode(), SECRET)
    status, printed = listener.deliver(*request)
    assert (status, printed["event"], printed["event_id"]) == (422, "sale.created", "evt_odd")
    found = {one["path"]: one["kind"] for one in printed["differences"]}
    assert found["data.sale.amount"] == "invalid"
    assert "private" not in json.dumps(printed)


def test_deliveries_are_saved_and_can_be_replayed(
    listen: Any, cli: Any, serve: Any, tmp_path: Path
) -> None:
    """``--save`` keeps every delivery, readable by the owner only, for ``dubhooks replay``."""
    directory = tmp_path / "deliveries"
    listener = listen("--save", str(directory))
    event = make_event(SaleCreated)
    body, headers = signed_request(event, SECRET)
    saved = listener.deliver(body, headers)[1]["saved_as"]
    listener.deliver(body, JSON)
    assert (directory / f"{saved}.body").read_bytes() == body
    assert len(list(directory.iterdir())) == 4
    assert {one.stat().st_mode & 0o777 for one in directory.iterdir()} == {0o600}
    hooks = Webhooks(SECRET, store=MemoryStore())
    ran: list[str] = []
    hooks.on(SaleCreated)(lambda one: ran.append(one.id))
    done = cli("replay", directory / f"{saved}.body", "--to", serve(wsgi.app(hooks)))
    assert (done.code, ran) == (0, [event.id])


class Application:
    """An application that is developed behind the inspector."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, str | None]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Keep the request and ask for it later."""
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        self.requests.append((body, environ.get("HTTP_DUB_SIGNATURE")))
        start_response("503 Later", [("Retry-After", "30"), ("X-Private", "1")])
        return [b"later"]


def test_forwarding_and_replaying(listen: Any, serve: Any) -> None:
    """``--forward-to`` passes bytes, signature and the answer on; the page can do it again."""
    application = Application()
    listener = listen("--forward-to", serve(application))
    body, headers = signed_request(make_event(SaleCreated), SECRET)
    status, answered, text = listener.request("POST", "/", body, headers)
    assert (status, answered["retry-after"], text) == (503, "30", b"later")
    assert "x-private" not in answered
    assert listener.line()["seconds"] > 0
    replay = "/_dubhooks/replay/1"
    assert listener.request("POST", replay, headers={"X-Dubhooks": "replay"})[0] == 200
    assert application.requests == [(body, sign(body, SECRET))] * 2


def test_an_application_that_is_down(listen: Any, refused_url: str) -> None:
    """When nothing listens behind the inspector, the sender gets 502 and will come again."""
    listener = listen("--forward-to", refused_url)
    status, printed = listener.deliver(*signed_request(make_event(SaleCreated), SECRET))
    assert (status, printed["valid"]) == (502, True)


def test_the_page_gets_deliveries_live(listen: Any) -> None:
    """The feed has the deliveries so far and those to come, with everything there is to see."""
    listener = listen()
    first = make_event(SaleCreated, {"data.eventName": "<img src=x onerror=alert(1)>"})
    listener.deliver(*signed_request(first, SECRET))
    feed = Feed(listener)
    assert feed.next() == ("settings", {"canReplay": False})
    kind, delivery = feed.next()
    assert (kind, delivery["number"], delivery["model"]) == ("delivery", 1, "SaleCreated")
    assert delivery["body"].encode() == first.to_json()
    assert json.loads(delivery["typed"])["event"] == "sale.created"
    listener.deliver(b"\xff\n{", {"Dub-Signature": "\u00e9"})
    kind, delivery = feed.next()
    assert (delivery["number"], delivery["valid"], delivery["typed"]) == (2, False, None)
    assert delivery["body"] == "\\xff\n{"
    feed.close()
    later = Feed(listener, after=1)
    later.next()
    assert later.next()[1]["number"] == 2
    later.close()


def test_the_page_takes_nothing_for_code(listen: Any) -> None:
    """The page's own policy forbids inline code, and its script only sets text."""
    listener = listen()
    status, headers, page = listener.request("GET", "/")
    assert status == 200
    policy = headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert b"<script src=" in page
    assert b" onclick" not in page
    _, _, script = listener.request("GET", "/_dubhooks/page.js")
    for danger in (b"innerHTML", b"outerHTML", b"insertAdjacent", b"document.write", b"eval("):
        assert danger not in script
    assert listener.request("GET", "/_dubhooks/page.css")[0] == 200
    assert listener.request("GET", "/_dubhooks/../listen.py")[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "example.ngrok.app"},
        {"Host": ""},
        {"X-Forwarded-For": "203.0.113.9"},
        {"X-Forwarded-Host": "example.trycloudflare.com"},
        {"Forwarded": "for=203.0.113.9"},
    ],
)
def test_the_page_is_for_this_machine_only(listen: Any, headers: dict[str, str]) -> None:
    """Through a tunnel or under another name deliveries come in, and nothing is shown."""
    listener = listen()
    body, signed = signed_request(make_event(SaleCreated), SECRET)
    assert listener.request("POST", "/", body, {**signed, **headers})[0] == 200
    for path in ("/", "/_dubhooks/events", "/_dubhooks/page.js"):
        status, _, text = listener.request("GET", path, headers=headers)
        assert (status, text) == (404, b"not found")
    wanted = {**headers, "X-Dubhooks": "replay"}
    assert listener.request("POST", "/_dubhooks/replay/1", headers=wanted)[0] == 404


def test_another_site_cannot_replay(listen: Any, serve: Any) -> None:
    """A replay needs a header that a page of another site cannot send unasked."""
    application = Application()
    listener = listen("--forward-to", serve(application))
    replay = {"X-Dubhooks": "replay"}
    assert listener.request("POST", "/_dubhooks/replay/1")[0] == 404
    assert listener.request("POST", "/_dubhooks/replay/1", headers=replay)[0] == 404
    assert listener.request("POST", "/_dubhooks/replay/x", headers=replay)[0] == 404
    assert application.requests == []
    alone = listen()
    assert alone.request("POST", "/_dubhooks/replay/1", headers=replay)[0] == 409


def test_only_this_machine_is_listened_to(listen: Any) -> None:
    """Without being told otherwise only the loopback interface is bound."""
    listener = listen()
    with socket.socket() as probe:
        probe.settimeout(2)
        # Another loopback address stands for another interface: it would be reached on 0.0.0.0.
        assert probe.connect_ex(("127.0.0.2", listener.port)) != 0


def test_being_told_otherwise_is_warned_about(listen: Any) -> None:
    """Another address is bound when asked for, with a warning."""
    listener = listen("--host", "0.0.0.0")  # noqa: S104 - it is what the test is about
    assert listener.request("GET", "/", headers={"Host": "anything"})[0] == 200
    code, errors = listener.stop()
    assert (code, errors.count("\n")) == (0, 1)
    assert "other machines can reach this" in errors


def test_odd_requests(listen: Any) -> None:
    """A body without a length or beyond the limit, and other methods, are refused."""
    listener = listen()
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 413")
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 411")
    assert listener.request("PUT", "/")[0] == 501
    body, headers = signed_request(make_event(SaleCreated), SECRET)
    doubled = [("Dub-Signature", headers["Dub-Signature"])] * 2
    connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=10)
    connection.putrequest("POST", "/")
    for name, value in [*doubled, ("Content-Length", str(len(body)))]:
        connection.putheader(name, value)
    connection.endheaders(body)
    assert connection.getresponse().status == 401
    connection.close()
    assert listener.line()["causes"] == ["signature_doubled"]


def test_people_get_lines() -> None:
    """Without ``--json`` a delivery is a line, followed by the cause when it is not valid."""
    command = [sys.executable, "-m", "dubhooks", "listen", "--port", "0"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "DUB_WEBHOOK_SECRET": SECRET},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        port = urlsplit(process.stdout.readline().split()[2].rstrip(";")).port
        body, headers = signed_request(make_event(SaleCreated, id="evt_1"), SECRET)
        for signature in (headers["Dub-Signature"], f"sha256={headers['Dub-Signature']}"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("POST", "/", body, {"Dub-Signature": signature})
            connection.getresponse().read()
            connection.close()
        first, second, cause = (process.stdout.readline() for _ in range(3))
        assert first.startswith("#1 ")
        assert first.endswith("sale.created evt_1: webhook, valid; answered 200\n")
        assert second.endswith("sale.created evt_1: NOT VALID; answered 401\n")
        assert cause.startswith("    the signature has a prefix")
    finally:
        process.kill()
        process.communicate()


def test_wrong_use(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is taken, a bad URL, a bad directory or no secret is one line and code 2."""
    file = tmp_path / "file"
    file.write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments, told in (
            (["--port", port], "cannot listen on"),
            (["--port", 0, "--forward-to", "nowhere"], "not an http or https URL"),
            (["--port", 0, "--save", file], "cannot save in"),
            (["--port", 0, "--secret-file", tmp_path / "missing"], "cannot read"),
        ):
            done = cli("listen", *arguments)
            assert told in done.err
            assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    monkeypatch.delenv("DUB_WEBHOOK_SECRET")
    monkeypatch.delenv("DUB_POSTBACK_SECRET")
    assert cli_without_secret() == 2


def cli_without_secret() -> int:
    """Run the command without any secret."""
    without = {key: value for key, value in os.environ.items() if not key.startswith("DUB_")}
    command = [sys.executable, "-m", "dubhooks", "listen", "--port", "0"]
    return subprocess.run(command, env=without, capture_output=True, check=False).returncode
