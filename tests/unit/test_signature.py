"""Signing and verifying: what is accepted, every refusal, and that nothing secret is shown."""

import hashlib
import json
from collections import UserList
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dubhooks.errors import (
    ConfigurationError,
    DubhooksError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    VerificationError,
)
from dubhooks.signature import Keyring, raw_body, sign, verify

SECRET = "whsec_0123456789abcdef0123456789abcdef"
OTHER = "whsec_ffffffffffffffffffffffffffffffff"
BODY = '{"id":"evt_1","event":"lead.created","data":{"eventName":"Grüße 🚀"}}'.encode()
VALID = sign(BODY, SECRET)


def _chain(error: BaseException) -> Iterator[str]:
    # Whatever a log, a traceback or an error tracker can show of an error.
    linked: list[BaseException | None] = [error]
    for one in linked:
        if one is not None:
            yield from (str(one), repr(one), repr(one.args), repr(vars(one)))
            yield from (repr(getattr(one, name, "")) for name in ("object", "doc"))
            linked += [one.__cause__, one.__context__]


def test_sign_gives_64_lower_case_hex_characters() -> None:
    """A signature looks as Dub sends it."""
    assert len(VALID) == 64
    assert set(VALID) <= set("0123456789abcdef")


def test_secrets_as_text_and_as_bytes_are_the_same() -> None:
    """A secret's text stands for its UTF-8 bytes."""
    secret = "schlüssel"
    assert sign(BODY, secret) == sign(BODY, secret.encode())


@pytest.mark.parametrize(
    "accepted",
    [VALID, VALID.upper(), VALID.title(), f" {VALID}", f"{VALID}\t", f" \t {VALID} \t "],
    ids=["lower", "upper", "mixed", "space before", "tab after", "around"],
)
def test_accepted_spelling_of_a_signature(accepted: str) -> None:
    """Case and the blanks that a header may have around its value make no difference."""
    verify(BODY, accepted, SECRET)


MALFORMED: dict[str, Any] = {
    "empty": "",
    "blank": "  \t",
    "two values": f"{VALID}, {VALID}",
    "twice": VALID + VALID,
    "prefix": f"sha256={VALID}",
    "quoted": f'"{VALID}"',
    "63 characters": VALID[:-1],
    "not hex": "g" + VALID[1:],
    "space inside": VALID[:31] + " " + VALID[32:],
    "sign": "+" + VALID[1:],
    "newline after": VALID + "\n",
    "newline before": "\n" + VALID,
    "no-break space": VALID + "\u00a0",
    "NUL": VALID + "\0",
    "non-ASCII": "é" * 64,
    "Arabic digits": "\u0663" * 64,
    "lone surrogate": "\udcff" * 64,
    "base64": "sV5yVh4jH0+0vq2KX9pHwYvVxYv1hG4V0zv3v3N2k1Q=",
    "huge": "a" * 1_000_000,
    "bytes": VALID.encode(),
}


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_signature(value: Any) -> None:
    """Anything but 64 hex characters is malformed, even if the right ones are in it."""
    with pytest.raises(SignatureMalformed) as raised:
        verify(BODY, value, SECRET)
    assert raised.value.code == "signature_malformed"
    assert not any(VALID[:16] in shown.lower() for shown in _chain(raised.value))


def test_missing_signature() -> None:
    """No header at all has an error of its own."""
    with pytest.raises(SignatureMissing) as raised:
        verify(BODY, None, SECRET)
    assert raised.value.code == "signature_missing"


MISMATCHES: dict[str, tuple[bytes, str, str]] = {
    "other body": (BODY + b" ", VALID, SECRET),
    "newline added": (BODY + b"\n", VALID, SECRET),
    "BOM added": (b"\xef\xbb\xbf" + BODY, VALID, SECRET),
    "re-serialised": (json.dumps(json.loads(BODY)).encode(), VALID, SECRET),
    "empty body": (b"", VALID, SECRET),
    "other secret": (BODY, VALID, OTHER),
    "prefix cut off": (BODY, VALID, SECRET.removeprefix("whsec_")),
    "reversed": (BODY, VALID[::-1], SECRET),
    "zeros": (BODY, "0" * 64, SECRET),
    "plain hash": (BODY, hashlib.sha256(BODY).hexdigest(), SECRET),
}


@pytest.mark.parametrize(("body", "value", "secret"), MISMATCHES.values(), ids=MISMATCHES.keys())
def test_mismatch(body: bytes, value: str, secret: str) -> None:
    """A well-formed signature of anything else does not verify."""
    with pytest.raises(SignatureMismatch) as raised:
        verify(body, value, secret)
    assert isinstance(raised.value, VerificationError)
    assert raised.value.code == "signature_mismatch"


ROTATIONS: dict[str, Any] = {
    "list": [OTHER, SECRET],
    "tuple": (SECRET, OTHER),
    "another sequence": UserList([OTHER, SECRET]),
    "mixed": [OTHER.encode(), SECRET],
    "callable": lambda: SECRET,
    "callable of a list": lambda: [OTHER, SECRET],
    "callable of bytes": lambda: SECRET.encode(),
    "many": [*(f"secret-{number}" for number in range(300)), SECRET],
}


@pytest.mark.parametrize("secret", ROTATIONS.values(), ids=ROTATIONS.keys())
def test_rotation_accepts_any_of_the_secrets(secret: Any) -> None:
    """Each of several secrets verifies, however they are given, and nothing else does."""
    verify(BODY, VALID, secret)
    with pytest.raises(SignatureMismatch):
        verify(BODY, sign(BODY, "another secret"), secret)


def test_the_first_secret_signs() -> None:
    """A sender has one secret: the first."""
    assert sign(BODY, [OTHER, SECRET]) == sign(BODY, OTHER)


def test_a_callable_is_asked_every_time() -> None:
    """A secret can change while the program runs."""
    secrets = iter([SECRET, OTHER])
    verify(BODY, VALID, lambda: next(secrets))
    with pytest.raises(SignatureMismatch):
        verify(BODY, VALID, lambda: next(secrets))


UNUSABLE: dict[str, Any] = {
    "none": None,
    "empty": "",
    "empty bytes": b"",
    "blank": "   ",
    "space before": f" {SECRET}",
    "newline after": f"{SECRET}\n",
    "carriage return after": f"{SECRET}\r",
    "tab in bytes": b"\t" + SECRET.encode(),
    "no-break space": f"{SECRET}\u00a0",
    "double quotes": f'"{SECRET}"',
    "single quotes": f"'{SECRET}'",
    "opening quote": f"'{SECRET}",
    "closing quote": f'{SECRET}"',
    "quote in bytes": b"'" + SECRET.encode(),
    "only a quote": '"',
    "not encodable": f"{SECRET}\ud83d",
    "empty list": [],
    "empty tuple": (),
    "list with none": [SECRET, None],
    "list with an empty one": [SECRET, ""],
    "list in a list": [[SECRET]],
    "number": 5,
    "zero": 0,
    "list of numbers": [5],
    "bytearray": bytearray(SECRET.encode()),
    "list of a bytearray": [bytearray(SECRET.encode())],
    "dict": {"secret": SECRET},
    "set": {SECRET},
    "generator": (one for one in [SECRET]),
    "callable of none": lambda: None,
    "callable of an empty list": list,
    "callable of a callable": lambda: lambda: SECRET,
    "callable of an empty secret": lambda: "",
}


@pytest.mark.parametrize("secret", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_unusable_secret(secret: Any) -> None:
    """A secret that cannot be right is the developer's error, and is not shown."""
    calls: list[Callable[[Any], object]] = [
        lambda it: sign(BODY, it),
        lambda it: verify(BODY, VALID, it),
        lambda it: Keyring(it).keys(),
    ]
    for call in calls:
        with pytest.raises(ConfigurationError) as raised:
            call(secret)
        assert raised.value.code == "configuration"
        assert not any("0123456789abcdef" in shown for shown in _chain(raised.value))


def test_a_keyring_keeps_no_secret() -> None:
    """It has keys, or the callable that is asked each time; a plain secret is checked at once."""
    assert [key.digest(BODY).hex() for key in Keyring(SECRET).keys()] == [VALID]  # noqa: SIM118
    with pytest.raises(ConfigurationError, match="empty"):
        Keyring("").check()
    Keyring(lambda: "").check()
    for secret in (SECRET, [SECRET], lambda: SECRET):
        keyring = Keyring(secret)
        held = [getattr(keyring, name) for name in Keyring.__slots__]
        assert SECRET not in f"{keyring!r} {held!r}"


@pytest.mark.parametrize(
    "body",
    [BODY.decode(), json.loads(BODY), None, 5, [BODY], iter([BODY])],
    ids=lambda body: type(body).__name__,
)
def test_body_that_is_not_bytes(body: Any) -> None:
    """Text or parsed JSON cannot be verified; the error says what it got and not what is in it."""
    with pytest.raises(ConfigurationError, match=type(body).__name__) as raised:
        verify(body, VALID, SECRET)
    assert not any("evt_1" in shown for shown in _chain(raised.value))
    with pytest.raises(ConfigurationError, match="raw request bytes"):
        sign(body, SECRET)


def test_other_bytes_like_bodies() -> None:
    """Whatever holds bytes is taken as them."""

    class MyBytes(bytes):
        pass

    for body in (bytearray(BODY), memoryview(BODY), MyBytes(BODY)):
        assert type(raw_body(body)) is bytes  # type: ignore[arg-type]
        verify(body, VALID, SECRET)  # type: ignore[arg-type]


def test_verify_returns_none() -> None:
    """There is no boolean to forget."""
    assert verify(BODY, VALID, SECRET) is None  # type: ignore[func-returns-value]


def test_nothing_secret_in_errors() -> None:
    """No message, argument or chained error holds the secret, the signature or the body."""
    for value in (None, "x", VALID[:-1], VALID[::-1], "é" * 64):
        with pytest.raises(DubhooksError) as raised:
            verify(BODY, value, [OTHER, SECRET])
        shown = "\n".join(_chain(raised.value))
        for hidden in (SECRET, OTHER, VALID, VALID[::-1], VALID[:-1], "evt_1", "Grüße"):
            assert hidden not in shown
