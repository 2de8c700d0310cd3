"""``dubhooks.explain``: every cause is found from a real mistake, and no cause is made up."""

import base64
import json
from typing import Any

import pytest

from dubhooks import ConfigurationError, Explanation, explain, postbacks, sign
from dubhooks.testing import make_event
from dubhooks.webhooks import SaleCreated

SECRET = "whsec_0123456789abcdef0123456789abcdef"
OTHER = "pbsec_00112233445566778899aabbccddeeff"
ANOTHER = "whsec_ffffffffffffffffffffffffffffffff"
BODY = make_event(SaleCreated, {"data.metadata": {"città": "Forlì 🎉", "a": 1}}, seed=1).to_json()
DOCUMENT = json.loads(BODY)
SIGNATURE = sign(BODY, SECRET)


def codes(explanation: Explanation) -> list[str]:
    """Return the codes of the causes."""
    return [cause.code for cause in explanation.causes]


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
    "secret_invisible": [f"{SECRET[:9]}\u200b{SECRET[9:]}", f"\ufeff{SECRET}"],
    "secret_prefix_missing": [SECRET.removeprefix("whsec_")],
}


@pytest.mark.parametrize(("code", "secret"), cases(SECRETS))
def test_a_changed_secret(code: str, secret: str) -> None:
    """What was done to the secret is found by undoing it."""
    found = explain(BODY, SIGNATURE, secret.encode())
    assert (found.valid, found.proven, codes(found)) == (False, True, [code])
    assert explain(BODY, SIGNATURE, secret) == found


BASE_64 = base64.b64encode(bytes.fromhex(SIGNATURE)).decode()
SIGNATURES: dict[str, list[str | None]] = {
    "signature_missing": [None, "", "  "],
    "signature_surrounded": [
        *(f"{SIGNATURE}\n", f'"{SIGNATURE}"', f"x-dub-signature:{SIGNATURE}"),
        *(f"sha256={SIGNATURE.upper()}", f"t=1,v1={SIGNATURE}", f"0x{SIGNATURE}"),
        *(f"{SIGNATURE}, {SIGNATURE}", f"{'0' * 64},{SIGNATURE}"),
    ],
    "signature_base64": [BASE_64, BASE_64.rstrip("="), BASE_64.replace("/", "_")],
    "signature_truncated": [SIGNATURE[:63], SIGNATURE[:32], SIGNATURE[:8]],
}


@pytest.mark.parametrize(("code", "signature"), cases(SIGNATURES))
def test_a_changed_signature(code: str, signature: str | None) -> None:
    """What was done to the signature is found by undoing it."""
    found = explain(BODY, signature, SECRET)
    assert (found.valid, found.proven, codes(found)) == (False, True, [code])


BODIES = {
    "body_newline": [(BODY, BODY + b"\n"), (BODY, BODY + b"\r\n"), (BODY + b"\n", BODY)],
    "body_bom": [(BODY, b"\xef\xbb\xbf" + BODY), (b"\xef\xbb\xbf" + BODY, BODY)],
    "body_charset": [
        (BODY, BODY.decode().encode("utf-16")),
        (BODY, BODY.decode("latin-1").encode()),
    ],
    "body_base64": [(BODY, base64.b64encode(BODY))],
    "body_reserialized": [
        (BODY, json.dumps(DOCUMENT).encode()),
        (BODY, json.dumps(DOCUMENT, ensure_ascii=False).encode()),
        (BODY, json.dumps(DOCUMENT, indent=2).encode() + b"\n"),
        (BODY, BODY.replace(b"https://", b"https:\\/\\/")),
        (json.dumps(DOCUMENT).encode(), BODY),
        (json.dumps(DOCUMENT, sort_keys=True).encode(), BODY),
        # JSON.stringify(body, null, 2) in Node
        (b'{"a":[],"b":{},"c":[1e+21]}', b'{\n  "a": [],\n  "b": {},\n  "c": [\n    1e+21\n  ]\n}'),
    ],
}


@pytest.mark.parametrize(("code", "bodies"), cases(BODIES))
def test_a_changed_body(code: str, bodies: tuple[bytes, bytes]) -> None:
    """What was done to the body between signing and verifying is found by undoing it."""
    signed, arrived = bodies
    found = explain(arrived, sign(signed, SECRET), SECRET)
    assert (found.valid, found.proven, codes(found)) == (False, True, [code])


SUSPICIONS = {
    "api_key": [(BODY, SIGNATURE, "dub_a1b2c3d4e5f6")],
    "wrong_family": [(BODY, SIGNATURE, OTHER)],
    "secret_masked": [
        (BODY, SIGNATURE, "whsec_\u2022\u2022\u2022\u2022\u2022\u2022"),
        (BODY, SIGNATURE, "whsec_..."),
    ],
    "secret_ignored": [
        (BODY, SIGNATURE, "a_secret_of_my_own"),
        (BODY, SIGNATURE, "whsec_of_my_own"),
        (BODY, SIGNATURE, SECRET[:-1]),
    ],
    "signature_malformed": [
        (BODY, signature, SECRET) for signature in ("nonsense", "\u00e9" * 64, "0123abc")
    ],
    "body_empty": [(b"", SIGNATURE, SECRET)],
    "body_not_json": [
        (body, SIGNATURE, SECRET) for body in (BODY[:-20], str(DOCUMENT).encode(), b"\x1f\x8b")
    ],
    "body_not_event": [
        (json.dumps(DOCUMENT["data"]).encode(), SIGNATURE, SECRET),
        (json.dumps(BODY.decode()).encode(), SIGNATURE, SECRET),
        (b"[1]", SIGNATURE, SECRET),
    ],
    "body_reserialized": [
        (json.dumps(DOCUMENT, indent=2).encode(), SIGNATURE, ANOTHER),
        (json.dumps(DOCUMENT, sort_keys=True).encode(), SIGNATURE, ANOTHER),
    ],
    "unknown": [(BODY, SIGNATURE, ANOTHER), (BODY, "0" * 64, SECRET)],
}


@pytest.mark.parametrize(("code", "given"), cases(SUSPICIONS))
def test_a_suspicion_is_not_called_proven(code: str, given: tuple[bytes, str, str]) -> None:
    """What only looks wrong is named without a proof; where nothing does, the cause is unknown."""
    found = explain(*given, family="webhook")
    assert (found.valid, found.proven, codes(found)) == (False, False, [code])
    is_unknown = code == "unknown"
    assert str(found).startswith("the cause is unknown" if is_unknown else "not proven")


def test_a_chosen_secret_that_was_not_ignored() -> None:
    """Older webhooks have a secret of any form: it is right, or something else is the cause."""
    secret = "a_secret_of_my_own"
    assert explain(BODY, sign(BODY, secret), secret).valid
    assert codes(explain(BODY + b"\n", sign(BODY, secret), secret)) == ["body_newline"]
    assert codes(explain(BODY, SIGNATURE, f"{OTHER}0", family="postback")) == ["unknown"]


def test_the_secret_of_the_other_family_is_proven_when_it_is_known() -> None:
    """A postback sent to the endpoint of webhooks is found with the postback secret."""
    body = make_event(postbacks.SaleCreated).to_json()
    found = explain(body, sign(body, OTHER), SECRET, other_secrets=[OTHER])
    assert (found.proven, codes(found)) == (True, ["wrong_family"])


def test_mistakes_are_found_together() -> None:
    """A quoted secret, a prefixed signature and a rewritten body are all named."""
    found = explain(json.dumps(DOCUMENT).encode(), f"sha256={SIGNATURE}", f"'{SECRET}'")
    assert found.proven
    assert codes(found) == ["secret_quotes", "signature_surrounded", "body_reserialized"]
    layers = ["secret_whitespace", "secret_quotes", "secret_prefix_missing"]
    assert codes(explain(BODY, SIGNATURE, f'"{SECRET[6:]}"\n')) == layers


@pytest.mark.parametrize("secret", [None, "", b"", [], [""], lambda: None, lambda: ""])
def test_a_secret_that_is_not_set(secret: Any) -> None:
    """An unset or empty variable is the cause, whichever way the secret was given."""
    found = explain(BODY, SIGNATURE, secret)
    assert (found.valid, found.proven, codes(found)) == (False, True, ["secret_missing"])
    assert "set DUB_WEBHOOK_SECRET" in str(found)
    assert codes(explain(BODY, SIGNATURE, '"" ')) == ["secret_missing"]


@pytest.mark.parametrize(
    "secret",
    [lambda: [OTHER, SECRET.encode()], (OTHER, SECRET), SECRET.encode(), [b"\xff \x80", SECRET]],
)
def test_what_a_receiver_takes_is_explained(secret: Any) -> None:
    """A secret in every form that a receiver takes, and a signature as a server's bytes."""
    for signature in (SIGNATURE, SIGNATURE.encode()):
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
    """A receiver refuses both, so the unusable one is named."""
    found = explain(BODY, SIGNATURE, [beside, SECRET])
    assert (found.valid, found.proven, codes(found)[0]) == (False, False, code)


def test_wrong_types_are_refused() -> None:
    """Text for a body or a number for a secret is the caller's mistake."""
    with pytest.raises(ConfigurationError, match="raw request bytes"):
        explain(BODY.decode(), SIGNATURE, SECRET)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"not NoneType; is DUB_WEBHOOK_SECRET"):
        explain(BODY, SIGNATURE, [None, SECRET])  # type: ignore[list-item]
    with pytest.raises(ConfigurationError, match="a secret must be str or bytes, not int"):
        explain(BODY, SIGNATURE, 5)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="the signature must be str or bytes, not int"):
        explain(BODY, 5, SECRET)  # type: ignore[arg-type]
