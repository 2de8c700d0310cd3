"""``dubhooks.explain``: every cause is found from a real mistake, and no cause is made up."""

import base64
import gzip
import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubhooks import ConfigurationError, Explanation, explain, postbacks, sign
from dubhooks.testing import make_event
from dubhooks.webhooks import LeadCreated, LinkCreated, SaleCreated

SECRET = "whsec_0123456789abcdef0123456789abcdef"
OTHER = "pbsec_00112233445566778899aabbccddeeff"
BODY = make_event(SaleCreated, {"data.metadata": {"città": "Forlì 🎉", "a": 1}}, seed=1).to_json()
SIGNATURE = sign(BODY, SECRET)


def codes(explanation: Explanation) -> list[str]:
    """Return the codes of the causes."""
    return [cause.code for cause in explanation.causes]


def mac(key: bytes, body: bytes = BODY, name: str = "sha256") -> str:
    """Sign as a tool that is not ours."""
    return hmac.new(key, body, name).hexdigest()


def cases(table: dict[str, list[Any]]) -> list[Any]:
    """Return every value with its code, under a name that is the same in every process."""
    return [
        pytest.param(code, value, id=f"{code}-{number}")
        for code, values in table.items()
        for number, value in enumerate(values)
    ]


def test_a_valid_delivery_has_no_cause() -> None:
    """What the library accepts is valid, with upper-case hex and spaces around it too."""
    for signature in (SIGNATURE, SIGNATURE.upper(), f" {SIGNATURE}\t"):
        assert explain(BODY, signature, SECRET) == Explanation(True, True, ())
    assert str(explain(BODY, SIGNATURE, [OTHER, SECRET])) == "valid"


SECRETS = {
    "secret_whitespace": [f"{SECRET}\n", f" {SECRET}", f"{SECRET}\r\n", f"{SECRET}\u00a0"],
    "secret_quotes": [f'"{SECRET}"', f"'{SECRET}'", f"\u201c{SECRET}\u201d"],
    "secret_named": [f"DUB_WEBHOOK_SECRET={SECRET}", f"export DUB_WEBHOOK_SECRET={SECRET}"],
    "secret_invisible": [f"{SECRET[:9]}\u200b{SECRET[9:]}", f"\ufeff{SECRET}"],
    "secret_case": [SECRET.upper()],
    "secret_prefix_missing": [SECRET.removeprefix("whsec_")],
}


@pytest.mark.parametrize(("code", "secret"), cases(SECRETS))
@pytest.mark.parametrize("kind", [str.encode, str], ids=["bytes", "str"])
def test_a_changed_secret(code: str, secret: str, kind: Callable[[str], str | bytes]) -> None:
    """What was done to the secret is found by undoing it."""
    found = explain(BODY, SIGNATURE, kind(secret))
    assert (found.valid, found.proven, codes(found)) == (False, True, [code])


def test_layers_around_a_secret_are_all_named() -> None:
    """A line of a .env file, copied whole, has three things around the secret."""
    found = explain(BODY, SIGNATURE, f'DUB_WEBHOOK_SECRET="{SECRET}"\n')
    assert found.proven
    assert codes(found) == ["secret_whitespace", "secret_quotes", "secret_named"]


def test_a_env_file_read_without_a_parser(tmp_path: Path) -> None:
    """A process whose environment comes from ``docker --env-file`` style reading keeps quotes."""
    (tmp_path / ".env").write_text(f'DUB_WEBHOOK_SECRET="{SECRET}"\n')
    name, _, value = (tmp_path / ".env").read_text().rstrip("\n").partition("=")
    code = "import os, sys; sys.stdout.write(os.environ['DUB_WEBHOOK_SECRET'])"
    given = subprocess.run(
        [sys.executable, "-c", code], env={name: value}, capture_output=True, text=True, check=True
    )
    assert codes(explain(BODY, SIGNATURE, given.stdout)) == ["secret_quotes"]


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("secret_prefix_ignored", SECRET.removeprefix("whsec_").encode()),
        ("secret_decoded", bytes.fromhex(SECRET.removeprefix("whsec_"))),
        ("secret_decoded", base64.b64decode(SECRET.removeprefix("whsec_"))),
    ],
)
def test_a_signer_that_changes_the_secret(code: str, key: bytes) -> None:
    """A signer that strips or decodes the secret, as for other services, is found."""
    found = explain(BODY, mac(key), SECRET)
    assert (found.proven, codes(found)) == (True, [code])


def test_the_secret_of_the_other_family_is_proven_when_it_is_known() -> None:
    """A postback sent to the endpoint of webhooks is found with the postback secret."""
    body = make_event(postbacks.SaleCreated).to_json()
    found = explain(body, sign(body, OTHER), SECRET, other_secrets=[OTHER])
    assert (found.proven, codes(found)) == (True, ["wrong_family"])


@pytest.mark.parametrize(
    ("secret", "code"),
    [
        (OTHER, "other_family"),
        ("dub_a1b2c3d4e5f6", "api_key"),
        ("whsec_\u2022\u2022\u2022\u2022\u2022\u2022", "secret_masked"),
        ("whsec_...", "secret_masked"),
        ("whsec_xxxxxxxxxxxxxxxx", "secret_masked"),
    ],
)
def test_a_suspicious_secret_is_a_suspicion(secret: str, code: str) -> None:
    """What a secret looks like is named, but not as proven."""
    found = explain(BODY, SIGNATURE, secret, family="webhook")
    assert not found.proven
    assert code in codes(found)
    assert str(found).startswith("not proven")


BASE_64 = base64.b64encode(bytes.fromhex(SIGNATURE)).decode()
SIGNATURES: dict[str, list[str | None]] = {
    "signature_missing": [None, "", "  "],
    "signature_whitespace": [f"{SIGNATURE}\n"],
    "signature_quotes": [f'"{SIGNATURE}"'],
    "signature_named": [f"Dub-Signature: {SIGNATURE}", f"x-dub-signature:{SIGNATURE}"],
    "signature_prefix": [f"sha256={SIGNATURE}", f"v1={SIGNATURE}", f"0x{SIGNATURE}"],
    "signature_base64": [BASE_64, BASE_64.rstrip("="), BASE_64.replace("/", "_")],
    "signature_truncated": [SIGNATURE[:63], SIGNATURE[:32], SIGNATURE[:8]],
    "signature_doubled": [f"{SIGNATURE}, {SIGNATURE}", f"{'0' * 64},{SIGNATURE}"],
    "signature_other_hash": [
        mac(SECRET.encode(), name="sha1"),
        mac(SECRET.encode(), name="sha512"),
        hashlib.sha256(BODY).hexdigest(),
        hashlib.sha256(SECRET.encode() + BODY).hexdigest(),
    ],
}


@pytest.mark.parametrize(("code", "signature"), cases(SIGNATURES))
def test_a_changed_signature(code: str, signature: str | None) -> None:
    """What was done to the signature is found by undoing it."""
    found = explain(BODY, signature, SECRET)
    assert (found.valid, found.proven, codes(found)) == (False, True, [code])


@pytest.mark.parametrize("signature", ["nonsense", "abc", "g" * 64, "\u00e9" * 64, "0123abc"])
def test_something_that_is_no_signature(signature: str) -> None:
    """Text that cannot be a signature is called malformed, without a proof."""
    found = explain(BODY, signature, SECRET)
    assert not found.proven
    assert "signature_malformed" in codes(found)


DOCUMENT = json.loads(BODY)
BODIES = {
    "body_newline": [BODY + b"\n", BODY + b"\r\n"],
    "body_whitespace": [b"  " + BODY + b" "],
    "body_bom": [b"\xef\xbb\xbf" + BODY],
    "body_charset": [
        BODY.decode().encode("utf-16"),
        BODY.decode().encode("utf-16-le"),
        BODY.decode("latin-1").encode(),
    ],
    "body_base64": [base64.b64encode(BODY)],
    "body_compressed": [gzip.compress(BODY)],
    "body_double_encoded": [json.dumps(BODY.decode()).encode()],
    "body_python_repr": [str(DOCUMENT).encode(), repr(BODY).encode()],
    "body_reserialized": [
        json.dumps(DOCUMENT).encode(),
        json.dumps(DOCUMENT, ensure_ascii=False).encode(),
        json.dumps(DOCUMENT, separators=(",", ":")).encode(),
        json.dumps(DOCUMENT, indent=2).encode() + b"\n",
        json.dumps(DOCUMENT, indent="\t", ensure_ascii=False).encode(),
        BODY.replace(b"https://", b"https:\\/\\/"),
    ],
    "body_sorted": [
        json.dumps(json.loads(make_event(LinkCreated, seed=2).to_json()), sort_keys=True).encode()
    ],
}


@pytest.mark.parametrize(("code", "body"), cases(BODIES))
def test_a_changed_body(code: str, body: bytes) -> None:
    """What was done to the body is found by undoing it."""
    signature = SIGNATURE
    if code == "body_sorted":
        signature = sign(make_event(LinkCreated, seed=2).to_json(), SECRET)
    found = explain(body, signature, SECRET)
    assert (found.valid, found.proven, codes(found)) == (False, True, [code])


@pytest.mark.parametrize(
    ("signed", "sent", "code"),
    [
        (json.dumps(DOCUMENT).encode(), BODY, "body_reserialized"),
        (json.dumps(DOCUMENT, indent=2).encode(), BODY, "body_reserialized"),
        (json.dumps(DOCUMENT, sort_keys=True).encode(), BODY, "body_reserialized"),
        (BODY + b"\n", BODY, "body_newline"),
        (b"\xef\xbb\xbf" + BODY, BODY, "body_bom"),
        (b'{\n"id": 1\n}', b'{\r\n"id": 1\r\n}', "body_line_endings"),
        (b'{\r\n"id": 1\r\n}', b'{\n"id": 1\n}', "body_line_endings"),
    ],
)
def test_a_tool_that_signs_something_else_than_it_sends(
    signed: bytes, sent: bytes, code: str
) -> None:
    """A test that signs one form of the JSON and sends another is found as well."""
    found = explain(sent, sign(signed, SECRET), SECRET)
    assert (found.proven, codes(found)) == (True, [code])


def test_a_rewritten_body_says_how_it_is_written() -> None:
    """The form of the body and the form that was signed are both named."""
    (cause,) = explain(json.dumps(DOCUMENT).encode(), SIGNATURE, SECRET).causes
    assert "Python's json.dumps" in cause.meaning
    assert "JSON.stringify" in cause.meaning
    assert "request.get_data()" in cause.fix


def test_javascript_that_rewrites_the_body() -> None:
    """A handler in Node that verifies ``JSON.stringify(body, null, 2)`` is found."""
    sent = '{"id":"evt_1","event":"é","createdAt":"","data":{"a":[],"b":{},"c":[1e+21,0.1]}}'
    node = (
        '{\n  "id": "evt_1",\n  "event": "é",\n  "createdAt": "",\n  "data": {\n    "a": [],\n'
        '    "b": {},\n    "c": [\n      1e+21,\n      0.1\n    ]\n  }\n}'
    )
    found = explain(node.encode(), sign(sent.encode(), SECRET), SECRET)
    assert (found.proven, codes(found)) == (True, ["body_reserialized"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "body_empty"),
        (BODY[:-20], "body_truncated"),
        (json.dumps(DOCUMENT["data"]).encode(), "body_not_event"),
        (b"[1]", "body_not_event"),
    ],
)
def test_a_body_that_cannot_be_mended_is_a_suspicion(body: bytes, code: str) -> None:
    """What is missing from a body cannot be undone, so it is named without a proof."""
    found = explain(body, SIGNATURE, SECRET)
    assert (found.valid, found.proven) == (False, False)
    assert code in codes(found)


def test_what_a_body_looks_like_is_a_suspicion() -> None:
    """With another secret nothing can be proven, but a body that was written again shows."""
    other = "whsec_ffffffffffffffffffffffffffffffff"
    for text, code in (
        (json.dumps(DOCUMENT, indent=2), "body_reserialized"),
        (json.dumps(DOCUMENT, sort_keys=True), "body_sorted"),
        (json.dumps(DOCUMENT, separators=(",", ":"), sort_keys=True), "body_sorted"),
    ):
        found = explain(text.encode(), SIGNATURE, other)
        assert (found.proven, codes(found)) == (False, [code])


def test_the_signature_of_another_delivery() -> None:
    """The signature of one delivery with the body of another is found among those saved."""
    other = make_event(LeadCreated).to_json()
    found = explain(other, SIGNATURE, SECRET, other_bodies=[BODY])
    assert (found.proven, codes(found)) == (True, ["other_delivery"])


def test_mistakes_are_found_together() -> None:
    """A quoted secret, a prefixed signature and a rewritten body are all named."""
    found = explain(json.dumps(DOCUMENT).encode(), f"sha256={SIGNATURE}", f"'{SECRET}'")
    assert found.proven
    assert codes(found) == ["secret_quotes", "signature_prefix", "body_reserialized"]


def test_an_unknown_cause_is_called_unknown() -> None:
    """Another secret of the right form leaves nothing to find, and nothing is made up."""
    found = explain(BODY, SIGNATURE, "whsec_ffffffffffffffffffffffffffffffff", family="webhook")
    assert (found.valid, found.proven, codes(found)) == (False, False, ["unknown"])
    assert str(found).startswith("the cause is unknown")


@pytest.mark.parametrize("secret", ["", " ", "\n", '""', []])
def test_no_secret(secret: str | list[str]) -> None:
    """An empty secret is named, not tried."""
    assert "secret_missing" in codes(explain(BODY, SIGNATURE, secret))


@pytest.mark.parametrize("secret", [None, "", b"", [], [""], lambda: None, lambda: ""])
def test_a_secret_that_is_not_set(secret: Any) -> None:
    """An unset or empty variable is the cause, whichever way the secret was given."""
    found = explain(BODY, SIGNATURE, secret)
    assert (found.valid, found.proven, codes(found)) == (False, True, ["secret_missing"])
    assert "set DUB_WEBHOOK_SECRET" in str(found)


@pytest.mark.parametrize(
    "secret",
    [
        lambda: SECRET,
        lambda: [OTHER, SECRET.encode()],
        (OTHER, SECRET),
        SECRET.encode(),
        [b"\xff not UTF-8", SECRET],
    ],
)
@pytest.mark.parametrize("signature", [SIGNATURE, SIGNATURE.encode()], ids=["str", "bytes"])
def test_what_a_receiver_takes_is_explained(secret: Any, signature: str | bytes) -> None:
    """A secret in every form that a receiver takes, and a signature as a server's bytes."""
    assert explain(BODY, signature, secret).valid
    found = explain(BODY + b"\n", signature, secret)
    assert (found.proven, codes(found)) == (True, ["body_newline"])


@pytest.mark.parametrize(
    ("beside", "code"),
    [
        ("", "secret_missing"),
        (f'"{OTHER}"', "secret_quotes"),
        (f"{OTHER} ", "secret_whitespace"),
        ("whsec_\ud800", "secret_invisible"),
    ],
)
def test_an_unusable_secret_beside_a_right_one(beside: str, code: str) -> None:
    """A receiver refuses both, so the unusable one is the cause."""
    found = explain(BODY, SIGNATURE, [beside, SECRET])
    assert (found.valid, found.proven, codes(found)) == (False, True, [code])


def test_a_secret_is_asked_for_once() -> None:
    """A callable secret may look into a vault, which should not be asked for every guess."""
    asked: list[int] = []

    def secret() -> str:
        asked.append(1)
        return SECRET

    assert not explain(BODY + b"x", SIGNATURE, secret).valid
    assert len(asked) == 1


def test_a_secret_that_is_no_text_can_be_right() -> None:
    """Any bytes can be a secret, here as in verify."""
    secret = bytes(range(128, 160))
    assert explain(BODY, sign(BODY, secret), secret).valid


def test_wrong_types_are_refused() -> None:
    """Text for a body or a number for a secret is the caller's mistake."""
    with pytest.raises(ConfigurationError, match="raw request bytes"):
        explain(BODY.decode(), SIGNATURE, SECRET)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="must be str or bytes"):
        explain(BODY, SIGNATURE, [1])  # type: ignore[list-item]
    with pytest.raises(ConfigurationError, match=r"not NoneType.* is DUB_WEBHOOK_SECRET"):
        explain(BODY, SIGNATURE, [None, SECRET])  # type: ignore[list-item]
    with pytest.raises(ConfigurationError, match="must be str or bytes, not int"):
        explain(BODY, SIGNATURE, 5)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="the text of the Dub-Signature header, not int"):
        explain(BODY, 5, SECRET)  # type: ignore[arg-type]


@given(
    body=st.binary(max_size=300) | st.just(BODY),
    signature=st.none() | st.text(max_size=90),
    secret=st.text(max_size=60),
)
def test_nothing_secret_is_told_and_nothing_breaks(
    body: bytes, signature: str | None, secret: str
) -> None:
    """Any input is explained, and neither secret nor signature is in what is said."""
    marker = "m4rk3r"
    found = explain(body, f"{signature}{marker}" if signature else None, secret + marker)
    assert not found.valid
    assert found.causes
    assert marker not in str(found) + repr(found)
