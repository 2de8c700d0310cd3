"""Properties of signatures: nothing but the exact bytes and the exact secret verifies."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubhooks.errors import ConfigurationError, SignatureMismatch, VerificationError
from dubhooks.signature import Key, sign, verify

SECRET = "whsec_0123456789abcdef0123456789abcdef"
BODY = '{"id":"evt_1","event":"lead.created","data":{"eventName":"Grüße 🚀"}}'.encode()
VALID = sign(BODY, SECRET)


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
