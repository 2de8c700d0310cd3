"""``dubhooks verify``: from real mistakes to the cause, without telling a secret."""

import json
from pathlib import Path
from typing import Any

import pytest

import dubhooks
from dubhooks import DeadLetterDirectory, InvalidJSON, sign
from dubhooks.testing import make_event
from dubhooks.webhooks import SaleCreated

SECRET = "whsec_0123456789abcdef0123456789abcdef"
POSTBACK_SECRET = "pbsec_00112233445566778899aabbccddeeff"


@pytest.fixture
def body(tmp_path: Path) -> Path:
    """A body in a file."""
    file = tmp_path / "body.json"
    file.write_bytes(make_event(SaleCreated).to_json())
    return file


def test_valid(cli: Any, body: Path) -> None:
    """A right signature is valid, with code 0, for people and for machines."""
    signature = sign(body.read_bytes(), SECRET)
    assert cli("verify", "--body", body, "--signature", signature)[:2] == (0, "valid\n")
    done = cli("verify", "--body", body, "--signature", signature, "--json")
    assert json.loads(done.out) == {"valid": True, "proven": True, "causes": []}


def test_the_cause_and_what_to_do(cli: Any, body: Path) -> None:
    """What is wrong is told with what to do, with code 1 and without the signature."""
    signature = sign(body.read_bytes(), SECRET)
    done = cli("verify", "--body", body, "--signature", f"sha256={signature}")
    assert (done.code, done.err) == (1, "")
    assert "prefix such as sha256=" in done.out
    assert "Fix: " in done.out
    assert signature not in done.out


def test_the_other_family_is_tried_when_its_secret_is_there(cli: Any, body: Path) -> None:
    """With both variables set, a postback at the wrong endpoint is proven."""
    body.write_bytes(make_event(dubhooks.postbacks.SaleCreated).to_json())
    signature = sign(body.read_bytes(), POSTBACK_SECRET)
    done = cli("verify", "--body", body, "--signature", signature, "--json")
    assert [one["code"] for one in json.loads(done.out)["causes"]] == ["wrong_family"]
    assert cli("verify", "--body", body, "--signature", signature, "--postback").code == 0


def test_a_secret_file_with_quotes(cli: Any, body: Path, tmp_path: Path) -> None:
    """The explainer looks into a secret that every other command refuses."""
    file = tmp_path / "secret"
    file.write_text(f'"{SECRET}"\n')
    signature = sign(body.read_bytes(), SECRET)
    arguments = ["--signature", signature, "--secret-file", file, "--json"]
    done = cli("verify", "--body", body, *arguments)
    assert [one["code"] for one in json.loads(done.out)["causes"]] == ["secret_quotes"]


def test_a_saved_delivery_brings_its_signature(cli: Any, tmp_path: Path) -> None:
    """The signature is found beside the body."""
    letters = DeadLetterDirectory(tmp_path / "letters")
    body = make_event(SaleCreated).to_json()
    letters.keep(body, {"dub-signature": sign(body, SECRET)}, InvalidJSON(""))
    (saved,) = letters.path.glob("*.body")
    assert cli("verify", "--body", saved).code == 0


def test_wrong_use(cli: Any, body: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file, directory or secret is one line and code 2."""
    missing = tmp_path / "missing"
    for arguments in (
        ["--body", missing, "--signature", "0"],
        ["--body", body, "--signature", "0", "--secret-file", missing],
    ):
        done = cli("verify", *arguments)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert "missing" in done.err
    monkeypatch.delenv("DUB_WEBHOOK_SECRET")
    done = cli("verify", "--body", body, "--signature", "0")
    assert (done.code, done.err.count("\n")) == (2, 1)
