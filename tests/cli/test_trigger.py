"""``dubhooks trigger`` and what it shares with the other commands that send."""

import json
import re
import socket
import threading
from pathlib import Path
from typing import IO, Any

import pytest

from dubhooks import MemoryStore, SignatureMismatch, Webhooks, verify, webhooks, wsgi
from dubhooks.cli._sending import Answer
from dubhooks.cli._summary import describe, printable
from dubhooks.cli.trigger import DELAYS, find_wait
from tests.cli.conftest import Recorder

SECRET = "whsec_0123456789abcdef0123456789abcdef"
POSTBACK_SECRET = "pbsec_00112233445566778899aabbccddeeff"


@pytest.fixture
def shop(serve: Any) -> str:
    """Return the URL of a receiver of dubhooks that handles sales, with a store."""
    hooks = Webhooks(SECRET, store=MemoryStore())
    hooks.on(webhooks.SaleCreated)(lambda _event: None)
    url: str = serve(wsgi.app(hooks))
    return url


def test_an_event_is_sent(cli: Any, serve: Any) -> None:
    """It arrives signed and typed; status, time and a foreign answer are shown."""
    endpoint = Recorder()
    done = cli("trigger", "link.clicked", "--to", serve(endpoint))
    assert done.code == 0
    assert re.fullmatch(r"200 in [\d.]+ ms: \[31mthanks\n", done.out)
    verify(endpoint.bodies[0], endpoint.signatures[0], SECRET)
    assert isinstance(webhooks.parse(endpoint.bodies[0]), webhooks.LinkClicked)


def test_a_postback_is_signed_with_its_own_secret(cli: Any, serve: Any) -> None:
    """``--postback`` sends the partner's event, signed with the postback secret."""
    endpoint = Recorder()
    assert cli("trigger", "sale.created", "--postback", "--to", serve(endpoint)).code == 0
    verify(endpoint.bodies[0], endpoint.signatures[0], POSTBACK_SECRET)


def test_the_outcome_is_shown(cli: Any, shop: str) -> None:
    """A receiver of dubhooks answers with the outcome, which is what one looks for."""
    done = cli("trigger", "sale.created", "--to", shop)
    assert re.fullmatch(r"200 handled in [\d.]+ ms\n", done.out)
    done = cli("trigger", "payout.confirmed", "--to", shop)
    assert done.code == 1
    first, second = done.out.splitlines()
    assert first.startswith("501 unhandled_payout in ")
    assert second == "    no handler takes this payout: register one for PayoutConfirmed"


def test_advice_follows_what_is_no_success(cli: Any, serve: Any) -> None:
    """A summary says once what each kind of answer means, and JSON has it too."""
    done = cli("trigger", "sale.created", "--repeat", 3, "--to", serve(Recorder(404, 302)))
    assert done.code == 1
    first, *advice = done.out.splitlines()
    assert first.startswith("3 sent (1 x 404, 1 x 302, 1 x 200);")
    assert advice[0] == "404: nothing is mounted at this path"
    assert advice[1].endswith("Dub does not follow a redirect, and takes it for success")
    url = serve(wsgi.app(Webhooks("whsec_another")))
    report = json.loads(cli("trigger", "sale.created", "--to", url, "--json").out)
    (attempt,) = report["attempts"]
    assert (attempt["status"], attempt["outcome"]) == (401, "unauthorized")
    assert attempt["advice"].startswith("the application has another secret")
    assert report["advice"] == {"401 unauthorized": attempt["advice"]}


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("data.sale.amount=1900", 1900),
        ('data.eventName="Upgrade"', "Upgrade"),
        ("data.eventName=1900", "1900"),
        ("data.customer.email=a@b.example", "a@b.example"),
        ("data.customer.email=null", None),
        ("data.customer.external_id=42", "42"),
        ("data.link.tags.0.name=a=b", "a=b"),
        ('data.metadata={"seats": 3}', {"seats": 3}),
    ],
)
def test_set_changes_the_event(cli: Any, serve: Any, change: str, value: object) -> None:
    """``--set`` takes JSON; where the field is text, what stands there is text."""
    endpoint = Recorder()
    assert cli("trigger", "sale.created", "--to", serve(endpoint), "--set", change).code == 0
    found: Any = json.loads(endpoint.bodies[0])
    for part in change.partition("=")[0].replace("external_id", "externalId").split("."):
        found = found[int(part) if part.isdecimal() else part]
    assert found == value


def test_a_file_is_sent_as_it_is(cli: Any, serve: Any, tmp_path: Path) -> None:
    """``--file`` sends exactly the bytes of the file, whatever they are, rightly signed."""
    file = tmp_path / "body.json"
    file.write_bytes(b'{"odd" : "\xff"}\r\n')
    endpoint = Recorder()
    assert cli("trigger", "--file", file, "--to", serve(endpoint)).code == 0
    assert endpoint.bodies == [file.read_bytes()]
    verify(endpoint.bodies[0], endpoint.signatures[0], SECRET)


def test_tampered_and_unsigned(
    cli: Any, serve: Any, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--tamper`` breaks the signature and not the JSON; ``--no-signature`` needs no secret."""
    endpoint = Recorder(200)
    url = serve(endpoint)
    done = cli("trigger", "sale.created", "--to", url, "--tamper")
    assert done.out.endswith(
        "\n    accepted without a valid signature: the endpoint does not verify it\n"
    )
    assert json.loads(endpoint.bodies[0])["event"] == "sale.created"
    with pytest.raises(SignatureMismatch):
        verify(endpoint.bodies[0], endpoint.signatures[0], SECRET)
    done = cli("trigger", "sale.created", "--to", shop, "--tamper")
    assert (done.code, done.out[:17]) == (1, "401 unauthorized ")
    assert done.out.endswith("\n    as it should be: the signature is not valid\n")
    monkeypatch.delenv("DUB_WEBHOOK_SECRET")
    assert cli("trigger", "sale.created", "--to", url, "--no-signature").code == 0
    assert endpoint.signatures[1] is None


@pytest.mark.parametrize("concurrency", [1, 8])
def test_repeat_sends_new_events(cli: Any, shop: str, concurrency: int) -> None:
    """``--repeat`` sends so many different events and sums the answers up."""
    arguments = ["--repeat", 100, "--concurrency", concurrency, "--json"]
    report = json.loads(cli("trigger", "sale.created", "--to", shop, *arguments).out)
    assert (report["sent"], report["accepted"]) == (100, 100)
    assert report["outcomes"] == {"handled": 100}
    assert 0 < report["seconds"]["median"] <= report["seconds"]["slowest"]


def test_retries_follow_the_schedule(cli: Any, serve: Any) -> None:
    """``--retries`` delivers the same bytes again until they are taken, and says when."""
    endpoint = Recorder(500, 503)
    arguments = ["--retries", "--speed", 10_000]
    done = cli("trigger", "sale.created", "--to", serve(endpoint), *arguments)
    assert done.code == 0
    assert [line for line in done.out.splitlines() if line.startswith("again")] == [
        "again in 12 s (at speed 10000)",
        "again in 148 s (at speed 10000)",
    ]
    assert len(endpoint.bodies) == 3
    assert len(set(endpoint.bodies)) == 1


def test_what_the_queue_does_with_an_answer() -> None:
    """Dub's schedule holds unless ``Retry-After`` says otherwise; 489 may end the retries."""
    ok, bad = Answer(200, 0.1), Answer(500, 0.1)
    assert list(DELAYS) == [12, 148, 1808, 22026, 86400]
    assert find_wait(ok, 12) is None
    assert [find_wait(bad, delay) for delay in (*DELAYS, None)] == [*DELAYS, None]
    assert find_wait(Answer(None, 0.1, problem="gone"), 12) == 12
    assert find_wait(Answer(503, 0.1, {"retry-after": "300"}), 12) == 300
    assert find_wait(Answer(503, 0.1, {"retry-after": "999999999999"}), 12) == 86_400
    assert find_wait(Answer(503, 0.1, {"retry-after": "soon"}), 12) == 12
    assert find_wait(Answer(489, 0.1, {"upstash-nonretryable-error": "true"}), 12) is None
    assert find_wait(Answer(489, 0.1), 12) == 12


def test_answers_cannot_steer_the_terminal() -> None:
    """Control characters of an answer are not printed, and long answers are cut."""
    assert printable("a\x1b[2J\x07\u202eb\n c") == "a [2J b c"
    assert len(printable("x" * 1000)) == 303
    assert describe(Answer(204, 0.001)) == "204 in 1.0 ms: (no body)"
    page = Answer(404, 0.001, body=b"<!doctype html><title>Not Found</title>" + b"x" * 1000)
    assert describe(page) == "404 in 1.0 ms: a page in HTML: Not Found"
    assert describe(Answer(None, 20, problem="gone")).startswith("no answer after 20")


def _read_request(stream: IO[bytes]) -> bytes:
    length = 0
    while (line := stream.readline().lower()) not in (b"\r\n", b""):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return stream.read(length)


@pytest.mark.parametrize("answered", [[True, True], [True, False]])
def test_a_server_that_hangs_up(cli: Any, answered: list[bool]) -> None:
    """Each delivery has a connection of its own and is sent once, answered or not."""
    seen: list[bool] = []

    def work() -> None:
        for is_answered in answered:
            with server.accept()[0] as connection, connection.makefile("rb") as stream:
                while _read_request(stream):
                    seen.append(is_answered)
                    if not is_answered:
                        break
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=work, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        done = cli("trigger", "link.clicked", "--to", url, "--repeat", 2)
    assert (done.code, seen) == (0 if all(answered) else 1, answered)
    assert ("Server disconnected" in done.out) == (not all(answered))


SALE = "sale.created --to http://x"
WRONG_USE = {
    "sale.created --to localhost:80": "not an http or https URL",
    "sale.created --to http://127.0.0.1:99999/": "not an http or https URL",
    "sale.created --to u:s3cret@x": "'***@x' is not",
    "sale.created --to http://u:s3/cret@x:p": "'http://***@x:p' is",
    "sale.craeted --to http://x": "did you mean sale.created?",
    "--to http://x": "name an event",
    "--file missing.json --to http://x": "cannot read 'missing.json'",
    f"--file {__file__} --set a=1 --to http://x": "--set changes a sample",
    f"{SALE} --set data.sale.amout=1": "did you mean 'amount'?",
    f"{SALE} --set data": "write PATH=VALUE",
    f"{SALE} --set data.sale.amount=much": "must be JSON, as ",
    f"{SALE} --set data..x=1": "SaleData has no ''",
    f"{SALE} --set data.sale=1": "does not fit",
    f"{SALE} --set data.customer=null": "write it to a file: dubhooks trigger --file FILE",
    f"{SALE} --secret-file missing": "cannot read 'missing'",
}


@pytest.mark.parametrize(("arguments", "told"), WRONG_USE.items(), ids=WRONG_USE.values())
def test_wrong_use(cli: Any, arguments: str, told: str) -> None:
    """Wrong use is one clear line on stderr and code 2."""
    done = cli("trigger", *arguments.split(" "))
    assert told in done.err
    assert "s3" not in done.err
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)


def test_no_secret(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a secret the line names the variable."""
    cli("events")
    monkeypatch.delenv("DUB_WEBHOOK_SECRET")
    done = cli("trigger", "sale.created", "--to", "http://127.0.0.1:1")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "dubhooks: no signing secret: set DUB_WEBHOOK_SECRET or use --secret-file "
        "('dubhooks secret' makes one)\n"
    )


def test_a_secret_that_cannot_be_right(cli: Any, serve: Any, tmp_path: Path) -> None:
    """A secret file may end with a line break; quotes in it are refused without showing it."""
    file = tmp_path / "secret"
    endpoint = Recorder()
    url = serve(endpoint)
    file.write_text("whsec_from_a_file\n")
    assert cli("trigger", "sale.created", "--to", url, "--secret-file", file).code == 0
    verify(endpoint.bodies[0], endpoint.signatures[0], "whsec_from_a_file")
    file.write_text('"whsec_from_a_file"\n')
    done = cli("trigger", "sale.created", "--to", url, "--secret-file", file)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "quote" in done.err
    assert "whsec" not in done.err


def test_credentials_of_a_url_are_used_and_not_shown(
    cli: Any, serve: Any, refused_url: str, tmp_path: Path
) -> None:
    """A password in the URL reaches the endpoint and no output, good or bad, of any command."""
    seen: list[str] = []

    def endpoint(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ.get("HTTP_AUTHORIZATION", ""))
        start_response("200 OK", [])
        return []

    (tmp_path / "one.body").write_bytes(b"{}")
    (tmp_path / "one.json").write_text('{"headers": {"dub-signature": "x"}}')
    good, bad = (one.replace("//", "//ada:s3cret@") for one in (serve(endpoint), refused_url))
    commands = (("trigger", "sale.created", "--to"), ("replay", tmp_path, "--to"), ("doctor",))
    for command in commands:
        done = cli(*command, good, "--json")
        assert "//***@127.0.0.1" in done.out
        assert "s3cret" not in done.out + done.err
        done = cli(*command, bad)
        assert "//***@127.0.0.1" in done.err
        assert "s3cret" not in done.out + done.err
    assert seen[0] == "Basic YWRhOnMzY3JldA=="


@pytest.mark.parametrize("concurrency", [1, 4])
def test_nothing_listens(cli: Any, refused_url: str, concurrency: int) -> None:
    """A refused connection is one line and code 2, with many threads too."""
    arguments = ["--repeat", 20, "--concurrency", concurrency]
    done = cli("trigger", "sale.created", "--to", refused_url, *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.endswith(": nothing listens there\n")


def test_no_answer_in_time(cli: Any, serve: Any) -> None:
    """An endpoint that is too slow gets code 1 and a line that says so."""
    release = threading.Event()

    def slow(_environ: Any, start_response: Any) -> list[bytes]:
        release.wait(10)
        start_response("200 OK", [])
        return []

    url = serve(slow)
    try:
        done = cli("trigger", "sale.created", "--to", url, "--timeout", 0.1)
    finally:
        release.set()
    assert done.code == 1
    assert re.match(r"no answer after [\d.]+ m?s: no answer in time\n", done.out)
