"""``dubhooks replay``: saved deliveries again, byte for byte."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from dubhooks import DeadLetterDirectory, MemoryStore, Webhooks, sign, verify, wsgi
from dubhooks.testing import make_event
from dubhooks.webhooks import SaleCreated
from tests.cli.conftest import Recorder

SECRET = "whsec_0123456789abcdef0123456789abcdef"


@pytest.fixture
def letters(tmp_path: Path) -> DeadLetterDirectory:
    """Three deliveries that a receiver could not use, kept one after the other."""
    directory = DeadLetterDirectory(tmp_path / "letters")
    hooks = Webhooks(SECRET, dead_letters=directory)
    for number in range(3):
        document = json.loads(make_event(SaleCreated, id=f"evt_{number}").to_json())
        document["data"]["sale"]["amount"] = "many"
        body = json.dumps(document).encode()
        assert hooks.handle(body, {"Dub-Signature": sign(body, SECRET)}).outcome == "invalid"
        newest = max(directory.path.glob("*.json"), key=lambda one: one.stat().st_mtime_ns)
        os.utime(newest, (number + 1, number + 1))
    return directory


def ids(endpoint: Recorder) -> list[str]:
    """Return the ids of the events that arrived, rightly signed."""
    for body, signature in zip(endpoint.bodies, endpoint.signatures, strict=True):
        verify(body, signature, SECRET)
    return [json.loads(body)["id"] for body in endpoint.bodies]


def test_a_directory_is_sent_oldest_first(
    cli: Any, serve: Any, letters: DeadLetterDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every delivery is sent with its own bytes and signature; no secret is needed."""
    cli("events")
    monkeypatch.delenv("DUB_WEBHOOK_SECRET")
    endpoint = Recorder()
    done = cli("replay", letters.path, "--to", serve(endpoint))
    assert (done.code, ids(endpoint)) == (0, ["evt_0", "evt_1", "evt_2"])
    assert done.out.startswith("3 sent (3 x 200)")


def test_the_last_one_or_a_chosen_one(cli: Any, serve: Any, letters: DeadLetterDirectory) -> None:
    """``--last`` sends the newest; a file of either kind sends its delivery."""
    endpoint = Recorder()
    url = serve(endpoint)
    assert cli("replay", letters.path, "--to", url, "--last").code == 0
    assert ids(endpoint) == ["evt_2"]
    oldest = min(letters.path.glob("*.json"), key=lambda one: one.stat().st_mtime_ns)
    for path in (oldest, oldest.with_suffix(".body")):
        assert cli("replay", path, "--to", url).code == 0
    assert ids(endpoint) == ["evt_2", "evt_0", "evt_0"]


def test_it_stops_at_the_first_that_is_refused(
    cli: Any, serve: Any, letters: DeadLetterDirectory
) -> None:
    """A refused delivery stops it, with a summary of what is left."""
    endpoint = Recorder(200, 500)
    done = cli("replay", letters.path, "--to", serve(endpoint))
    assert (done.code, ids(endpoint)) == (1, ["evt_0", "evt_1"])
    lines = done.out.splitlines()
    assert ": 500 in " in lines[0]
    assert lines[0].endswith(": [31mthanks")
    assert lines[1].startswith("2 sent (1 x 200, 1 x 500)")
    assert lines[2] == "500: the application failed: see its log"
    assert lines[3].startswith("stopped: 1 more not sent")


def test_keep_going(cli: Any, serve: Any, letters: DeadLetterDirectory) -> None:
    """``--keep-going`` sends all of them and names those that were refused."""
    endpoint = Recorder(500)
    done = cli("replay", letters.path, "--to", serve(endpoint), "--keep-going", "--json")
    report = json.loads(done.out)
    assert (done.code, len(ids(endpoint))) == (1, 3)
    assert (report["found"], report["sent"], report["accepted"]) == (3, 3, 2)
    assert [one["status"] for one in report["refused"]] == [500]


def test_a_receiver_that_was_mended_takes_its_dead_letters(
    cli: Any, serve: Any, tmp_path: Path
) -> None:
    """Replaying to a real receiver runs the handler once, however often it is replayed."""
    event = make_event(SaleCreated)
    body = event.to_json()
    directory = tmp_path / "saved"
    directory.mkdir()
    (directory / "a.body").write_bytes(body)
    saved = {"headers": {"dub-signature": sign(body, SECRET), "host": "evil", "x": 1}}
    (directory / "a.json").write_text(json.dumps(saved))
    hooks = Webhooks(SECRET, store=MemoryStore())
    ran: list[str] = []
    hooks.on(SaleCreated)(lambda one: ran.append(one.id))
    url = serve(wsgi.app(hooks))
    for outcome in ("handled", "duplicate"):
        done = cli("replay", directory, "--to", url)
        assert (done.code, f"1 sent: 1 {outcome} (1 x 200)" in done.out) == (0, True)
    assert json.loads(cli("replay", directory, "--to", url, "--json").out)["outcomes"] == {
        "duplicate": 1
    }
    assert ran == [event.id]


def test_wrong_use(
    cli: Any, tmp_path: Path, letters: DeadLetterDirectory, refused_url: str
) -> None:
    """Nothing to send, a broken file, a bad URL or nobody there is one line and code 2."""
    empty = tmp_path / "empty"
    empty.mkdir()
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    bare = tmp_path / "bare.json"
    bare.write_text('{"headers": {}}')
    url = "http://127.0.0.1:1/"
    for arguments in (
        [tmp_path / "missing", "--to", url],
        [empty, "--to", url],
        [broken, "--to", url],
        [bare, "--to", url],
        [letters.path, "--to", "nowhere"],
        [letters.path, "--to", refused_url],
    ):
        done = cli("replay", *arguments)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
