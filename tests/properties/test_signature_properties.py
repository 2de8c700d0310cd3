"""Properties of signatures: nothing but the exact bytes and the exact secret verifies."""

import hashlib
import hmac
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dubhooks.errors import (
    ConfigurationError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    VerificationError,
)
from dubhooks.signature import Key, sign, verify

SECRET = "whsec_0123456789abcdef0123456789abcdef"
BODY = '{"id":"evt_1","event":"lead.created","data":{"eventName":"Grüße 🚀"}}'.encode()
VALID = sign(BODY, SECRET)
HEX = re.compile("[0-9a-fA-F]{64}")


@given(st.binary(max_size=300), st.binary(max_size=200))
def test_agrees_with_the_standard_library(secret: bytes, body: bytes) -> None:
    """Every key and body give what ``hmac`` gives."""
    assert Key(secret).digest(body) == hmac.new(secret, body, hashlib.sha256).digest()


@given(st.text(min_size=1) | st.binary(min_size=1), st.binary(max_size=200))
def test_a_secret_signs_what_it_verifies_or_is_refused(secret: str | bytes, body: bytes) -> None:
    """A secret is either refused or works, text or bytes."""
    try:
        signature = sign(body, secret)
    except ConfigurationError:
        with pytest.raises(ConfigurationError):
            verify(body, "0" * 64, secret)
    else:
        verify(body, signature, secret)
        verify(body, signature.upper(), [b"another", secret])
        with pytest.raises(SignatureMismatch):
            verify(body + b"\0", signature, secret)


@given(st.integers(0, 8 * len(BODY) - 1))
def test_one_bit_of_the_body(bit: int) -> None:
    """A body with one bit flipped does not verify."""
    flipped = bytearray(BODY)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SignatureMismatch):
        verify(bytes(flipped), VALID, SECRET)


def test_every_bit_of_the_signature() -> None:
    """A signature with one bit flipped, of its digest or of its text, does not verify."""
    for bit in range(256):
        digest = bytearray.fromhex(VALID)
        digest[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SignatureMismatch):
            verify(BODY, digest.hex(), SECRET)
    for bit in range(512):
        text = bytearray(VALID.encode())
        text[bit // 8] ^= 1 << bit % 8
        flipped = text.decode("latin-1")
        if flipped.lower() == VALID:
            verify(BODY, flipped, SECRET)
        else:
            with pytest.raises(VerificationError):
                verify(BODY, flipped, SECRET)


@given(
    st.one_of(
        st.none(),
        st.text(),
        st.binary(),
        st.text("0123456789abcdefABCDEF", min_size=62, max_size=66),
        st.text(st.characters(), min_size=64, max_size=64),
        st.tuples(st.text(max_size=3), st.text(max_size=3)).map(VALID.join),
    )
)
@example(f" {VALID}")
@example(f"{VALID}\n")
@example(VALID.encode())
def test_any_signature(signature: str | None) -> None:
    """Any header value verifies if it is the signature, else it is one of three errors."""
    if signature is None:
        expected: type[VerificationError] | None = SignatureMissing
    elif not isinstance(signature, str) or not HEX.fullmatch(signature.strip(" \t")):
        expected = SignatureMalformed
    elif signature.strip(" \t").lower() != VALID:
        expected = SignatureMismatch
    else:
        expected = None
    got = None
    try:
        verify(BODY, signature, SECRET)
    except VerificationError as error:
        got = type(error)
    assert got is expected
