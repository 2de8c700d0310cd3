"""Signing and verifying: what is accepted, every refusal, and that nothing secret is shown."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dubhooks.errors import (
    ConfigurationError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    VerificationError,
)
from dubhooks.signature import Keyring, sign, verify

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
    "two values": f"{VALID}, {VALID}",
    "prefix": f"sha256={VALID}",
    "quoted": f'"{VALID}"',
    "63 characters": VALID[:-1],
    "not hex": "g" + VALID[1:],
    "space inside": VALID[:31] + " " + VALID[32:],
    "newline after": VALID + "\n",
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


MISMATCHES: dict[str, tuple[bytes, str, str]] = {
    "other body": (BODY + b" ", VALID, SECRET),
    "re-serialised": (json.dumps(json.loads(BODY)).encode(), VALID, SECRET),
    "other secret": (BODY, VALID, OTHER),
    "prefix cut off": (BODY, VALID, SECRET.removeprefix("whsec_")),
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
    "callable": lambda: SECRET,
    "callable of a list": lambda: [OTHER, SECRET],
    "many": [*(f"secret-{number}" for number in range(300)), SECRET],
}


@pytest.mark.parametrize("secret", ROTATIONS.values(), ids=ROTATIONS.keys())
def test_rotation_accepts_any_of_the_secrets(secret: Any) -> None:
    """Each of several secrets verifies, however they are given, and nothing else does."""
    verify(BODY, VALID, secret)
    with pytest.raises(SignatureMismatch):
        verify(BODY, sign(BODY, "another secret"), secret)
    with pytest.raises(SignatureMissing):
        verify(BODY, None, secret)
    # A sender has one secret: the first.
    assert sign(BODY, [OTHER, SECRET]) == sign(BODY, OTHER)


UNUSABLE: dict[str, Any] = {
    "none": None,
    "empty": "",
    "blank": "   ",
    "space before": f" {SECRET}",
    "newline after": f"{SECRET}\n",
    "no-break space": f"{SECRET}\u00a0",
    "double quotes": f'"{SECRET}"',
    "single quotes": f"'{SECRET}'",
    "opening quote": f"'{SECRET}",
    "not encodable": f"{SECRET}\ud83d",
    "empty list": [],
    "list with none": [SECRET, None],
    "list with an empty one": [SECRET, ""],
    "number": 5,
    "bytearray": bytearray(SECRET.encode()),
    "set": {SECRET},
    "callable of none": lambda: None,
    "callable of a callable": lambda: lambda: SECRET,
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
