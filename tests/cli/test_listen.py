"""``dubhooks listen``: what it prints, answers, saves and forwards."""

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dubhooks import MemoryStore, Webhooks, postbacks, sign, wsgi
from dubhooks.testing import make_event, make_unknown_event, signed_request
from dubhooks.webhooks import LeadCreated, PayoutConfirmed, SaleCreated
from tests.support.listening import SECRET, Application, Listener, listeners

POSTBACK_SECRET = "pbsec_00112233445566778899aabbccddeeff"
LATER = ("503 Later", [("Retry-After", "30"), ("X-Private", "1")], b"later")
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    """Return a function that starts a listener; without options with ``--json``."""
    with listeners() as start:
        yield lambda *options, **variables: start("--json", *options, **variables)


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    """A listener that several tests send to; it has nothing to complain about in the end."""
    with listeners() as start:
        started = start("--json")
        yield started
        assert started.stop() == (0, "")


# -- the signature and the event, told apart ------------------------------------------------------


def test_a_valid_delivery(listener: Listener) -> None:
    """A valid delivery is answered 200 and printed with its event and nothing of its payload."""
    event = make_event(SaleCreated)
    printed = listener.deliver(*signed_request(event, SECRET))
    assert (printed["status"], printed["outcome"], printed["advice"]) == (200, "ignored", None)
    assert (printed["valid"], printed["family"]) == (True, "webhook")
    assert (printed["event"], printed["event_id"]) == ("sale.created", event.id)
    assert (printed["fits"], printed["reading"]) == (True, "SaleCreated")
    assert printed["differences"] == []
    assert str(event.data.customer.email) not in json.dumps(printed)


def test_a_signature_that_is_not_valid_is_explained(listener: Listener) -> None:
    """A delivery that does not verify is answered 401 with the cause, and its event is read."""
    body, headers = signed_request(make_event(SaleCreated), SECRET)
    rewritten = json.dumps(json.loads(body)).encode()
    printed = listener.deliver(rewritten, headers)
    assert (printed["status"], printed["outcome"]) == (401, "unauthorized")
    assert (printed["valid"], printed["family"]) == (False, None)
    assert printed["causes"] == ["body_reserialized"]
    assert (printed["event"], printed["fits"]) == ("sale.created", True)
    assert listener.deliver(make_event(LeadCreated).to_json(), headers)["causes"] == ["unknown"]
    assert listener.deliver(body, JSON)["causes"] == ["signature_missing"]
    doubled = {**headers, "dub-signature": headers["Dub-Signature"]}
    assert listener.deliver(body, doubled)["causes"] == ["signature_surrounded"]


def odd_event() -> bytes:
    """Return a sale that does not fit its model."""
    document = json.loads(make_event(SaleCreated, id="evt_odd").to_json())
    document["data"]["sale"]["amount"] = "private"
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("body", "outcome", "name", "reading"),
    [
        (odd_event(), "invalid", "sale.created", "does not fit its model"),
        (b"private", "malformed", None, "the body is not a JSON document"),
        (b'{"id":"evt_1"}', "malformed", None, "the JSON is not an event"),
        (
            make_unknown_event("invoice.refunded").to_json(),
            *("ignored", "invoice.refunded", "this version does not know the event"),
        ),
    ],
)
def test_an_event_that_is_odd_has_a_valid_signature(
    listener: Listener, body: bytes, outcome: str, name: str | None, reading: str
) -> None:
    """What is wrong with the event says nothing about the signature, and nothing of its values."""
    printed = listener.deliver(*signed_request(body, SECRET))
    assert (printed["valid"], printed["outcome"], printed["event"]) == (True, outcome, name)
    assert printed["reading"].startswith(reading)
    assert printed["fits"] == (outcome == "ignored")
    assert "private" not in json.dumps(printed)


def test_both_families(listen: Any) -> None:
    """With both secrets webhooks and postbacks are told apart by what verifies."""
    listener = listen(DUB_POSTBACK_SECRET=POSTBACK_SECRET)
    postback = signed_request(make_event(postbacks.SaleCreated), POSTBACK_SECRET)
    assert listener.deliver(*postback)["family"] == "postback"
    assert listener.deliver(*signed_request(make_event(SaleCreated), SECRET))["family"] == "webhook"
    alone = listen(DUB_WEBHOOK_SECRET="", DUB_POSTBACK_SECRET=POSTBACK_SECRET)
    assert alone.deliver(*postback)["family"] == "postback"


def test_a_payout_is_never_taken(listener: Listener) -> None:
    """The inspector answers a payout 501, because 200 would mark it as paid."""
    printed = listener.deliver(*signed_request(make_event(PayoutConfirmed), SECRET))
    assert (printed["status"], printed["outcome"]) == (501, "unhandled_payout")


@pytest.mark.parametrize(
    ("options", "variable", "event"),
    [
        ([], "DUB_WEBHOOK_SECRET", make_event(SaleCreated)),
        (["--postback"], "DUB_POSTBACK_SECRET", make_event(postbacks.SaleCreated)),
    ],
)
def test_without_a_secret_it_has_one_of_its_own(
    listen: Any, options: list[str], variable: str, event: Any
) -> None:
    """It starts with a new secret and prints it, because nobody could send without it."""
    listener = listen(*options, DUB_WEBHOOK_SECRET="")
    made = json.loads(listener.greeting)[variable]
    assert listener.deliver(*signed_request(event, made))["valid"]
    other = json.loads(listen(*options, DUB_WEBHOOK_SECRET="").greeting)[variable]
    assert made != other


def test_people_get_lines() -> None:
    """Without ``--json`` signature, event and answer are told apart, and what is wrong follows."""
    with listeners() as start:
        listener = start()
        assert listener.greeting == f"listening on {listener.url}; Ctrl-C stops\n"
        body, headers = signed_request(make_event(SaleCreated, id="evt_1"), SECRET)
        prefixed = {"Dub-Signature": f"sha256={headers['Dub-Signature']}"}
        for request in ((body, headers), (body, prefixed), signed_request(b"\x1b[2J", SECRET)):
            listener.request("POST", "/", *request)
        lines = [listener.line().rstrip("\n") for _ in range(5)]
        assert lines[0].startswith("#1 ")
        assert lines[0].endswith(" sale.created evt_1; signature valid (webhook); 200 ignored")
        assert lines[1].endswith(" sale.created evt_1; signature NOT VALID; 401 unauthorized")
        assert lines[2].startswith("    signature: the signature has something around it")
        assert lines[3].endswith(" no event; signature valid (webhook); 400 malformed")
        assert lines[4].startswith("    event: the body is not a JSON document")
        alone = start(DUB_WEBHOOK_SECRET="")
        assert alone.line().startswith("no secret is set")
        assert alone.line().startswith("    export DUB_WEBHOOK_SECRET=whsec_")
        assert "'dubhooks secret'" in alone.line()


# -- saving, forwarding, replaying ----------------------------------------------------------------


def test_deliveries_are_saved_and_can_be_replayed(
    listen: Any, cli: Any, serve: Any, tmp_path: Path
) -> None:
    """``--save`` keeps every delivery, readable by the owner only, for ``dubhooks replay``."""
    directory = tmp_path / "deliveries"
    listener = listen("--save", str(directory))
    event = make_event(SaleCreated)
    body, headers = signed_request(event, SECRET)
    saved = Path(listener.deliver(body, headers)["saved_as"])
    listener.deliver(body, JSON)
    assert saved.read_bytes() == body
    assert len(list(directory.iterdir())) == 4
    assert {one.stat().st_mode & 0o777 for one in directory.iterdir()} == {0o600}
    hooks = Webhooks(SECRET, store=MemoryStore())
    ran: list[str] = []
    hooks.on(SaleCreated)(lambda one: ran.append(one.id))
    done = cli("replay", saved, "--to", serve(wsgi.app(hooks)))
    assert (done.code, ran) == (0, [event.id])


def test_a_delivery_that_cannot_be_saved_must_come_again(listen: Any, tmp_path: Path) -> None:
    """It is answered 503 and not forwarded, and the terminal says why."""
    listener = listen("--save", str(tmp_path / "gone"))
    shutil.rmtree(tmp_path / "gone")
    request = signed_request(make_event(SaleCreated), SECRET)
    assert listener.request("POST", "/", *request)[0] == 503
    errors = "dubhooks: a delivery could not be saved: No such file or directory\n"
    assert listener.stop() == (0, errors)


def test_an_answer_stands_when_nobody_reads_the_terminal(listen: Any) -> None:
    """As in ``dubhooks listen | head``: a delivery that was answered is not sent again."""
    listener = listen()
    assert listener.process.stdout is not None
    listener.process.stdout.close()
    request = signed_request(make_event(SaleCreated), SECRET)
    assert [listener.request("POST", "/", *request)[0] for _ in "12"] == [200, 200]
    listener.process.stdout = None


def test_forwarding_and_replaying(listen: Any, serve: Any) -> None:
    """``--forward-to`` passes bytes, signature and the answer on; a replay is a new entry."""
    application = Application(*LATER)
    listener = listen("--forward-to", serve(application))
    body, headers = signed_request(make_event(SaleCreated), SECRET)
    status, answered, text = listener.request("POST", "/", body, headers)
    assert (status, answered["retry-after"], text) == (503, "30", b"later")
    assert "x-private" not in answered
    first = listener.printed()
    assert (first["number"], first["replay_of"], first["outcome"]) == (1, None, None)
    assert first["seconds"] > 0
    status, _, text = listener.replay(1)
    again = listener.printed()
    assert (status, json.loads(text)) == (200, again)
    assert (again["number"], again["replay_of"], again["status"]) == (2, 1, 503)
    assert again["advice"] == "the application, or something that it needs, is down: see its log"
    assert application.requests == [(body, sign(body, SECRET))] * 2


def test_the_outcome_of_the_application(listen: Any, serve: Any) -> None:
    """The application's outcome is shown, and what to do where it is no success."""
    hooks = Webhooks(SECRET, store=MemoryStore())
    hooks.on(SaleCreated)(lambda _: None)
    request = signed_request(make_event(SaleCreated), SECRET)
    listener = listen("--forward-to", serve(wsgi.app(hooks)))
    assert [listener.deliver(*request)["outcome"] for _ in "12"] == ["handled", "duplicate"]
    listener = listen("--forward-to", serve(wsgi.app(Webhooks("whsec_" + "0" * 32))))
    printed = listener.deliver(*request)
    assert (printed["valid"], printed["outcome"]) == (True, "unauthorized")
    assert printed["advice"].startswith("the application has another secret")
    forged = listener.deliver(request[0], JSON)
    assert (forged["status"], forged["causes"]) == (401, ["signature_missing"])
    assert forged["advice"] is None  # the cause says more


def test_an_application_that_is_down(listen: Any, refused_url: str) -> None:
    """When nothing listens behind the inspector, the sender gets 502 and will come again."""
    listener = listen("--forward-to", refused_url)
    printed = listener.deliver(*signed_request(make_event(SaleCreated), SECRET))
    assert (printed["status"], printed["valid"], printed["outcome"]) == (502, True, None)
    assert printed["advice"].startswith("cannot connect (")
    assert "see the application's log" in printed["advice"]


# -- requests -------------------------------------------------------------------------------------


def test_a_body_in_chunks(listener: Listener) -> None:
    """Tunnels may send chunks; the body is what they hold together."""
    body, headers = signed_request(make_event(SaleCreated), SECRET)
    assert listener.deliver([body[:1], body[1:700], body[700:]], headers)["valid"]
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nDub-Signature: "
    signature = headers["Dub-Signature"].encode()
    chunks = b"%x;name=value\r\n%s\r\n0\r\nTrailer: 1\r\n\r\n" % (len(body), body)
    assert listener.send_raw(head + signature + b"\r\n\r\n" + chunks).startswith(b"HTTP/1.0 200")
    assert listener.printed()["valid"]


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        (b"Content-Length: 99999999999999999999\r\n\r\n", 413),
        (b"Content-Length: -1\r\n\r\n", 400),
        (b"Content-Length: 10\r\n\r\n{}", 400),
        (b"Transfer-Encoding: gzip\r\n\r\n{}", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}", 400),
        (b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n{}", 413),
        (b"Transfer-Encoding: chunked\r\n\r\n100000\r\n" + b"{" * 0x100000 + b"\r\n1\r\n{", 413),
    ],
)
def test_a_body_that_is_not_whole_or_too_large(
    listener: Listener, rest: bytes, status: int
) -> None:
    """It is refused, and no delivery: half a body would look like a forged one."""
    before = listener.deliver(None, {})["number"]
    answer = listener.send_raw(b"POST / HTTP/1.1\r\nHost: x\r\n" + rest)
    assert answer.startswith(b"HTTP/1.0 %d" % status)
    assert listener.deliver(None, {})["number"] == before + 1


def test_only_this_machine_is_listened_to(listener: Listener) -> None:
    """Only the loopback interface is bound."""
    with socket.socket() as probe:
        probe.settimeout(2)
        # Another loopback address stands for another interface: it would be reached on 0.0.0.0.
        assert probe.connect_ex(("127.0.0.2", listener.port)) != 0


# -- the page's side ------------------------------------------------------------------------------


def test_the_page_takes_nothing_for_code(listener: Listener) -> None:
    """The page's own policy forbids inline code, and its script only sets text."""
    _, headers, page = listener.request("GET", "/")
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy
    assert b" onclick" not in page
    _, _, script = listener.request("GET", "/_dubhooks/page.js")
    for danger in (b"innerHTML", b"outerHTML", b"insertAdjacent", b"document.write", b"eval("):
        assert danger not in script
    assert listener.request("GET", "/_dubhooks/../listen.py")[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "example.ngrok.app"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"X-Forwarded-Host": "example.trycloudflare.com"},
        {"Forwarded": "for=203.0.113.9"},
    ],
)
def test_the_page_is_for_this_machine_only(listener: Listener, headers: dict[str, str]) -> None:
    """Through a tunnel or under another name deliveries come in, and nothing is shown."""
    body, signed = signed_request(make_event(SaleCreated), SECRET)
    number = listener.deliver(body, {**signed, **headers})["number"]
    for path in ("/", "/_dubhooks/feed/new/0", "/_dubhooks/page.js"):
        status, _, text = listener.request("GET", path, headers=headers)
        assert (status, text) == (404, b"not found")
    wanted = {**headers, "X-Dubhooks": "replay"}
    assert listener.request("POST", f"/_dubhooks/replay/{number}", headers=wanted)[0] == 404


def test_another_site_cannot_replay(listen: Any, serve: Any) -> None:
    """A replay needs a header that a page of another site cannot send unasked."""
    application = Application(*LATER)
    listener = listen("--forward-to", serve(application))
    listener.deliver(*signed_request(make_event(SaleCreated), SECRET))
    assert listener.request("POST", "/_dubhooks/replay/1")[0] == 404
    assert [listener.replay(number)[0] for number in (0, 2)] == [409, 409]
    assert len(application.requests) == 1
    alone = listen()
    alone.deliver(*signed_request(make_event(SaleCreated), SECRET))
    assert alone.replay(1)[0] == 409


def test_wrong_use(cli: Any, tmp_path: Path) -> None:
    """A port that is taken, a bad URL, directory or secret is one line and code 2."""
    file = tmp_path / "file"
    file.write_text(" ")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for options, told in (
            (["--port", port], "cannot listen on port"),
            (["--port", 0, "--forward-to", "nowhere"], "not an http or https URL"),
            (["--port", 0, "--forward-to", ""], "not an http or https URL"),
            (["--port", 0, "--save", file], "cannot save in"),
            (["--port", 0, "--secret-file", tmp_path / "missing"], "cannot read"),
            (["--port", 0, "--secret-file", file], "secret"),
        ):
            done = cli("listen", *options)
            assert told in done.err
            assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
