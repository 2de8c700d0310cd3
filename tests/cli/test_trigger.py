"""``dubhooks trigger`` and what it shares with the other commands that send."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from dubhooks import MemoryStore, SignatureMismatch, Webhooks, verify, webhooks, wsgi
from dubhooks.cli._retries import DELAYS, attempts
from dubhooks.cli._sending import Answer
from dubhooks.cli._summary import Summary, in_words, printable
from dubhooks.testing import make_event

SECRET = "whsec_0123456789abcdef0123456789abcdef"
POSTBACK_SECRET = "pbsec_00112233445566778899aabbccddeeff"


class Recorder:
    """An endpoint that keeps what it gets and answers as it is told."""

    def __init__(self, *statuses: int, headers: Iterable[tuple[str, str]] = ()) -> None:
        self.statuses = list(statuses)
        self.headers = list(headers)
        self.bodies: list[bytes] = []
        self.signatures: list[str | None] = []
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer the next status; 200 when there is none."""
        with self.lock:
            self.bodies.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            self.signatures.append(environ.get("HTTP_DUB_SIGNATURE"))
            status = self.statuses.pop(0) if self.statuses else 200
        start_response(f"{status} Answer", [("Content-Type", "text/plain"), *self.headers])
        return [b"\x1b[31mthanks\x07"]


@pytest.mark.parametrize("name", list(webhooks.family.classes))
def test_every_event_can_be_sent(cli: Any, serve: Any, name: str) -> None:
    """Any event arrives signed and typed, and status, time and answer are shown."""
    endpoint = Recorder()
    done = cli("trigger", name, "--to", serve(endpoint))
    assert done.code == 0
    assert done.out.startswith("200 in ")
    assert done.out.endswith(": [31mthanks\n")
    verify(endpoint.bodies[0], endpoint.signatures[0], SECRET)
    assert webhooks.parse(endpoint.bodies[0]).event == name


def test_a_postback_is_signed_with_its_own_secret(cli: Any, serve: Any) -> None:
    """``--postback`` sends the partner's event, signed with the postback secret."""
    endpoint = Recorder()
    assert cli("trigger", "sale.created", "--postback", "--to", serve(endpoint)).code == 0
    verify(endpoint.bodies[0], endpoint.signatures[0], POSTBACK_SECRET)


def test_set_changes_the_event(cli: Any, serve: Any) -> None:
    """``--set`` takes JSON values, several times."""
    endpoint = Recorder()
    changes = ["--set", "data.sale.amount=1900", "--set", 'data.eventName="Upgrade"']
    assert cli("trigger", "sale.created", "--to", serve(endpoint), *changes).code == 0
    data = json.loads(endpoint.bodies[0])["data"]
    assert (data["sale"]["amount"], data["eventName"]) == (1900, "Upgrade")


def test_a_file_is_sent_as_it_is(cli: Any, serve: Any, tmp_path: Path) -> None:
    """``--file`` sends exactly the bytes of the file, whatever they are, rightly signed."""
    file = tmp_path / "body.json"
    file.write_bytes(b'{"odd" : "\xff"}\r\n')
    endpoint = Recorder()
    assert cli("trigger", "--file", file, "--to", serve(endpoint)).code == 0
    assert endpoint.bodies == [file.read_bytes()]
    verify(endpoint.bodies[0], endpoint.signatures[0], SECRET)


def test_tampered_and_unsigned(cli: Any, serve: Any) -> None:
    """``--tamper`` breaks the signature and not the JSON; ``--no-signature`` sends none."""
    endpoint = Recorder(401, 401)
    url = serve(endpoint)
    done = cli("trigger", "sale.created", "--to", url, "--tamper")
    assert (done.code, done.out[:4]) == (1, "401 ")
    assert json.loads(endpoint.bodies[0])["event"] == "sale.created"
    with pytest.raises(SignatureMismatch):
        verify(endpoint.bodies[0], endpoint.signatures[0], SECRET)
    assert cli("trigger", "sale.created", "--to", url, "--no-signature").code == 1
    assert endpoint.signatures[1] is None


def test_no_signature_needs_no_secret(
    cli: Any, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a signature there is nothing to sign with."""
    url = serve(Recorder())
    cli("events")
    monkeypatch.delenv("DUB_WEBHOOK_SECRET")
    assert cli("trigger", "sale.created", "--to", url, "--no-signature").code == 0


@pytest.mark.parametrize("concurrency", [1, 8])
def test_repeat_sends_new_events(cli: Any, serve: Any, concurrency: int) -> None:
    """``--repeat`` sends so many different events and sums the answers up."""
    hooks = Webhooks(SECRET, store=MemoryStore())
    seen: list[str] = []
    hooks.on(webhooks.LinkClicked)(lambda event: seen.append(event.id))
    url = serve(wsgi.app(hooks))
    arguments = ["--repeat", 100, "--concurrency", concurrency, "--json"]
    done = cli("trigger", "link.clicked", "--to", url, *arguments)
    report = json.loads(done.out)
    assert (done.code, report["sent"], report["accepted"]) == (0, 100, 100)
    assert report["answers"] == {"200": 100}
    assert 0 < report["seconds"]["median"] <= report["seconds"]["p95"]
    assert len(set(seen)) == 100


def test_same_sends_duplicates(cli: Any, serve: Any) -> None:
    """``--same`` repeats one event, byte for byte."""
    endpoint = Recorder()
    done = cli("trigger", "sale.created", "--to", serve(endpoint), "--repeat", 5, "--same")
    assert done.out.startswith("5 sent, 5 accepted (5 x 200); median ")
    assert len(endpoint.bodies) == 5
    assert len(set(endpoint.bodies)) == 1


def test_some_refused(cli: Any, serve: Any) -> None:
    """One delivery that is refused is enough for code 1, and a redirect counts as refused."""
    done = cli("trigger", "sale.created", "--to", serve(Recorder(200, 302)), "--repeat", 2)
    assert done.code == 1
    assert "2 sent, 1 accepted" in done.out


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


def test_retries_are_used_up(cli: Any, serve: Any) -> None:
    """After the last of Dub's retries the delivery is given up."""
    endpoint = Recorder(*[500] * 9)
    arguments = ["--retries", "--speed", 1_000_000, "--json"]
    done = cli("trigger", "sale.created", "--to", serve(endpoint), *arguments)
    report = json.loads(done.out)
    assert (done.code, report["sent"], report["accepted"]) == (1, 1, 0)
    assert [one["status"] for one in report["attempts"]] == [500] * 6


def _waits(*answers: Answer) -> list[float]:
    waits: list[float] = []
    left = iter(answers)
    list(attempts(lambda: next(left), retries=True, speed=1e9, waiting=waits.append))
    return waits


def test_what_the_queue_does_with_an_answer() -> None:
    """Dub's schedule holds unless ``Retry-After`` says otherwise; 489 may end the retries."""
    ok, bad = Answer(200, 0.1), Answer(500, 0.1)
    assert list(DELAYS) == [12, 148, 1808, 22026, 86400]
    assert _waits(ok) == []
    assert _waits(*[bad] * 6) == list(DELAYS)
    assert _waits(Answer(None, 0.1, problem="gone"), ok) == [12]
    assert _waits(Answer(503, 0.1, {"retry-after": "300"}), ok) == [300]
    assert _waits(Answer(503, 0.1, {"retry-after": "999999999999"}), ok) == [86_400]
    assert _waits(Answer(503, 0.1, {"retry-after": "soon"}), ok) == [12]
    assert _waits(Answer(503, 0.1, {"retry-after": formatdate(0, usegmt=True)}), ok) == [0]
    final = {"upstash-nonretryable-error": "true"}
    assert _waits(Answer(489, 0.1, final)) == []
    assert _waits(Answer(489, 0.1), ok) == [12]


def test_a_summary_does_not_grow() -> None:
    """Counts and times of any number of answers take the memory of a few."""
    summary = Summary()
    for number in range(10_000):
        summary.add(Answer(None, number / 1000, problem=f"problem {number}"))
    assert (summary.sent, summary.accepted) == (10_000, 0)
    assert len(summary.answers) <= 51
    assert len(summary._times) < 400
    assert summary.seconds_of(0.5) == pytest.approx(5, rel=0.05)
    assert summary.seconds_of(1) == pytest.approx(9.999, rel=0.05)


def test_answers_cannot_steer_the_terminal() -> None:
    """Control characters of an answer are not printed, and long answers are cut."""
    assert printable("a\x1b[2J\x07\u202eb\n c") == "a [2J b c"
    assert len(printable("x" * 1000)) == 303
    assert in_words(Answer(204, 0.001)) == "204 in 1.0 ms: (no body)"
    assert in_words(Answer(None, 20, problem="no answer in time")).startswith("no answer after 20")


WRONG_USE = {
    "bad URL": (["sale.created", "--to", "localhost:80"], "not an http or https URL"),
    "no host": (["sale.created", "--to", "http://"], "not an http or https URL"),
    "bad port": (["sale.created", "--to", "http://127.0.0.1:99999/"], "not an http or https URL"),
    "unknown event": (["sale.craeted", "--to", "http://x"], "did you mean sale.created?"),
    "no event": (["--to", "http://x"], "name an event"),
    "no file": (["--file", "missing.json", "--to", "http://x"], "cannot read 'missing.json'"),
    "file and set": (["--file", __file__, "--set", "a=1", "--to", "http://x"], "--set and --add"),
    "file and add": (["--file", __file__, "--add", "a=1", "--to", "http://x"], "--set and --add"),
    "no equals to add": (["sale.created", "--add", "data", "--to", "http://x"], "--add 'data'"),
    "misspelt key": (
        ["sale.created", "--set", "data.sale.amout=1", "--to", "http://x"],
        "did you mean 'amount'?",
    ),
    "credentials without a scheme": (["sale.created", "--to", "u:s3cret@x"], "'***@x' is not"),
    "odd credentials": (["sale.created", "--to", "http://u:s3/cret@x:p"], "'http://***@x:p' is"),
    "no equals": (["sale.created", "--set", "data", "--to", "http://x"], "write PATH=VALUE"),
    "no JSON": (["sale.created", "--set", "data.sale.amount={", "--to", "http://x"], "not JSON"),
    "NaN": (["sale.created", "--set", "data.sale.amount=NaN", "--to", "http://x"], "not JSON"),
    "bare text": (["sale.created", "--set", "data.eventName=a", "--to", "http://x"], "not JSON"),
    "bad path": (
        ["sale.created", "--set", "data..x=1", "--to", "http://x"],
        "part of the path is empty",
    ),
    "no model": (["sale.created", "--set", "data.sale=1", "--to", "http://x"], "does not fit"),
    "null": (
        ["sale.created", "--set", "data.customer=null", "--to", "http://x"],
        "write it to a file: dubhooks trigger --file FILE",
    ),
    "no secret file": (
        ["sale.created", "--to", "http://x", "--secret-file", "missing"],
        "cannot read 'missing'",
    ),
}


@pytest.mark.parametrize(("arguments", "told"), WRONG_USE.values(), ids=WRONG_USE)
def test_wrong_use(cli: Any, arguments: list[str], told: str) -> None:
    """Wrong use is one clear line on stderr and code 2."""
    done = cli("trigger", *arguments)
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
        "dubhooks: no signing secret: set DUB_WEBHOOK_SECRET or use --secret-file\n"
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
    urls = [url.replace("//", "//ada:s3cret@") for url in (serve(endpoint), refused_url)]
    for url in urls:
        for command in (
            ("trigger", "sale.created", "--to", url),
            ("trigger", "sale.created", "--to", url, "--repeat", 2),
            ("replay", tmp_path, "--to", url),
            ("doctor", url, "--timeout", 1),
        ):
            for flags in ((), ("--json",)):
                done = cli(*command, *flags)
                assert "s3cret" not in done.out + done.err
                if flags and done.out:
                    assert "//***@127.0.0.1" in done.out
                if url == urls[1]:
                    assert "//***@127.0.0.1" in done.err
    assert seen[0] == "Basic YWRhOnMzY3JldA=="


@pytest.mark.parametrize("concurrency", [1, 4])
def test_nothing_listens(cli: Any, refused_url: str, concurrency: int) -> None:
    """A refused connection is one line and code 2, with many threads too."""
    arguments = ["--repeat", 20, "--concurrency", concurrency]
    done = cli("trigger", "sale.created", "--to", refused_url, *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "cannot connect" in done.err


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
    assert re.fullmatch(r"no answer after [\d.]+ m?s: no answer in time\n", done.out)


class _Forgetful(Recorder):
    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.bodies.clear()
        self.signatures.clear()
        return super().__call__(environ, start_response)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_deliveries(serve: Any) -> None:
    """Ten times the deliveries take no more memory: nothing is kept of them."""
    url = serve(_Forgetful())
    peaks = [_peak_kilobytes(url, repeat) for repeat in (150, 1_500)]
    assert peaks[1] - peaks[0] < 3_000


def _peak_kilobytes(url: str, repeat: int) -> int:
    code = (
        "import resource, sys\n"
        "from dubhooks.cli import main\n"
        f"arguments = ['trigger', 'link.clicked', '--to', {url!r}, '--repeat', '{repeat}']\n"
        "try: main([*arguments, '--concurrency', '2', '--json'])\n"
        "except SystemExit as done: assert not done.code\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"DUB_WEBHOOK_SECRET": SECRET},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["accepted"] == repeat
    return int(done.stderr)


def test_the_sample_that_is_sent_is_the_factory_s(cli: Any, serve: Any) -> None:
    """What is sent has the keys of ``make_event``."""
    endpoint = Recorder()
    cli("trigger", "lead.created", "--to", serve(endpoint))
    assert set(json.loads(endpoint.bodies[0])["data"]) == set(
        json.loads(make_event(webhooks.LeadCreated).to_json())["data"]
    )
