"""Signing and verifying: public vectors, vectors signed by Node, and every refusal."""

import hashlib
import hmac
import json
import re
import shutil
import subprocess
from collections import UserList
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dubhooks import postbacks, signature, webhooks
from dubhooks.errors import (
    BodyEmpty,
    ConfigurationError,
    DubhooksError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    VerificationError,
)
from dubhooks.signature import Key, keys_of, not_empty, raw_body, sign, verify, verify_with

VECTORS = Path(__file__).parents[1] / "vectors"

SECRET = "whsec_0123456789abcdef0123456789abcdef"
OTHER = "whsec_ffffffffffffffffffffffffffffffff"
BODY = '{"id":"evt_1","event":"lead.created","data":{"eventName":"Grüße 🚀"}}'.encode()
VALID = sign(BODY, SECRET)


class Vector(NamedTuple):
    """A key, a message and the signature that others computed."""

    name: str
    key: bytes
    message: bytes
    expected: str


PUBLIC = [
    # RFC 4231, sections 4.2 to 4.8.
    Vector(
        "rfc4231-1",
        b"\x0b" * 20,
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ),
    Vector(
        "rfc4231-2",
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    Vector(
        "rfc4231-3",
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ),
    Vector(
        "rfc4231-4",
        bytes(range(1, 26)),
        b"\xcd" * 50,
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    ),
    Vector(
        "rfc4231-5, truncated to 128 bits",
        b"\x0c" * 20,
        b"Test With Truncation",
        "a3b6167473100ee06e0c796c2955552b",
    ),
    Vector(
        "rfc4231-6",
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    Vector(
        "rfc4231-7",
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
    Vector(
        "wikipedia",
        b"key",
        b"The quick brown fox jumps over the lazy dog",
        "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8",
    ),
    Vector(
        "wikipedia, empty",
        b"",
        b"",
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
    ),
    Vector(
        "github docs",
        b"It's a Secret to Everybody",
        b"Hello, World!",
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    ),
]


class NodeVector(NamedTuple):
    """A body and its signature as Node wrote them."""

    name: str
    secret: str
    body: bytes
    signature: str


NODE = [
    NodeVector(one["name"], one["secret"], one["body"].encode(), one["signature"])
    for one in json.loads((VECTORS / "node_vectors.json").read_bytes())
]


def _name(vector: NamedTuple) -> str:
    return str(vector[0])


def _chain(error: BaseException) -> Iterator[str]:
    # Whatever a log, a traceback or an error tracker can show of an error.
    linked: list[BaseException | None] = [error]
    for one in linked:
        if one is not None:
            yield from (str(one), repr(one), repr(one.args), repr(vars(one)))
            yield from (repr(getattr(one, name, "")) for name in ("object", "doc"))
            linked += [one.__cause__, one.__context__]


@pytest.mark.parametrize("vector", PUBLIC, ids=_name)
def test_public_vector(vector: Vector) -> None:
    """The digest of every public HMAC-SHA256 vector is the published one."""
    assert Key(vector.key).digest(vector.message).hex().startswith(vector.expected)


@pytest.mark.parametrize(
    "vector",
    [vector for vector in PUBLIC if vector.key and len(vector.expected) == 64],
    ids=_name,
)
def test_public_vector_through_sign_and_verify(vector: Vector) -> None:
    """Keys that a secret can be give the published signature through the public functions."""
    if vector.key.strip() != vector.key:
        with pytest.raises(ConfigurationError):
            sign(vector.message, vector.key)
    else:
        assert sign(vector.message, vector.key) == vector.expected
        verify(vector.message, vector.expected, vector.key)


@pytest.mark.parametrize("length", [*range(130), 1000])
def test_every_key_length_agrees_with_the_standard_library(length: int) -> None:
    """Keys shorter than, as long as and longer than a hash block give what ``hmac`` gives."""
    secret = bytes((7 * position + length) % 256 for position in range(length))
    key = Key(secret)
    for body in (b"", BODY, b"\x00" * 200):
        assert key.digest(body) == hmac.new(secret, body, hashlib.sha256).digest()


def test_a_key_can_be_used_again() -> None:
    """Digesting a body leaves the key as it was."""
    key = Key(b"key")
    assert [key.digest(b"a"), key.digest(b"b"), key.digest(b"a")] == [
        hmac.new(b"key", body, hashlib.sha256).digest() for body in (b"a", b"b", b"a")
    ]


@pytest.mark.parametrize("vector", NODE, ids=_name)
def test_node_vector(vector: NodeVector) -> None:
    """What Node signed verifies, is signed alike here, and by the standard library."""
    verify(vector.body, vector.signature, vector.secret)
    assert sign(vector.body, vector.secret) == vector.signature
    by_hmac = hmac.new(vector.secret.encode(), vector.body, hashlib.sha256).hexdigest()
    assert by_hmac == vector.signature


@pytest.mark.parametrize("vector", NODE, ids=_name)
def test_node_vector_is_an_event(vector: NodeVector) -> None:
    """What Node wrote parses and keeps every byte."""
    family = postbacks if vector.name == "postback" else webhooks
    event = family.parse(vector.body)
    assert event.to_json() == vector.body
    assert event.event == json.loads(vector.body)["event"]
    assert family.parse(event.to_json()) == event


def test_node_vectors_cover_what_json_stringify_does() -> None:
    """The committed bodies hold the oddities that they are there for."""
    bodies = {vector.name: vector.body.decode() for vector in NODE}
    assert "\u2028" in bodies["line_separators"]
    assert "\\ud83d" in bodies["lone_surrogates"]
    assert '"sum":0.30000000000000004,"big":1e+21' in bodies["floats"]
    assert '"negativeZero":0,"whole":1' in bodies["floats"]
    assert '{"2":4,"10":2,"b":1' in bodies["integer_like_keys"]
    assert '"click":{"id":"click_A1","qr":false}' in bodies["ascii"]


def test_node_vectors_are_what_the_script_makes() -> None:
    """Running the script again, where there is a Node, gives the committed file."""
    script = VECTORS / "make_vectors.mjs"
    named = re.findall(r'(?:lead\(|name: )"(\w+)"', script.read_text("utf-8"))
    assert named == [vector.name for vector in NODE]
    node = shutil.which("node")
    if node is not None:
        made = subprocess.run([node, str(script)], capture_output=True, check=True)
        assert made.stdout == (VECTORS / "node_vectors.json").read_bytes()


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
    "two values without blank": f"{VALID},{VALID}",
    "twice": VALID + VALID,
    "prefix": f"sha256={VALID}",
    "version prefix": f"v1,{VALID}",
    "quoted": f'"{VALID}"',
    "63 characters": VALID[:-1],
    "65 characters": VALID + "0",
    "not hex": "g" + VALID[1:],
    "hex prefix": "0x" + VALID[2:],
    "space inside": VALID[:31] + " " + VALID[32:],
    "space between": VALID[:32] + " " + VALID[32:],
    "underscore": VALID[:31] + "_" + VALID[32:],
    "sign": "+" + VALID[1:],
    "newline after": VALID + "\n",
    "carriage return": VALID + "\r\n",
    "newline before": "\n" + VALID,
    "newline instead of the last": VALID[:-1] + "\n",
    "no-break space": VALID + "\u00a0",
    "NUL": VALID + "\0",
    "non-ASCII": "é" * 64,
    "full-width digits": "\uff11" * 64,
    "Arabic digits": "\u0663" * 64,
    "lone surrogate": "\udcff" * 64,
    "base64": "sV5yVh4jH0+0vq2KX9pHwYvVxYv1hG4V0zv3v3N2k1Q=",
    "huge": "a" * 1_000_000,
    "bytes": VALID.encode(),
    "number": 5,
    "list": [VALID],
    "false": False,
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


def test_an_error_of_the_callable_reaches_the_caller() -> None:
    """A secret store that is down is not a wrong signature."""

    def unreachable() -> str:
        raise OSError("no route")

    with pytest.raises(OSError, match="no route"):
        verify(BODY, VALID, unreachable)


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
@pytest.mark.parametrize("call", [lambda s: sign(BODY, s), lambda s: verify(BODY, VALID, s)])
def test_unusable_secret(call: Callable[[Any], object], secret: Any) -> None:
    """A secret that cannot be right is the developer's error, and is not shown."""
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


def test_other_bytes_like_bodies() -> None:
    """Whatever holds bytes is taken as them."""

    class MyBytes(bytes):
        pass

    for body in (bytearray(BODY), memoryview(BODY), MyBytes(BODY)):
        assert type(raw_body(body)) is bytes  # type: ignore[arg-type]
        verify(body, VALID, SECRET)  # type: ignore[arg-type]


def test_the_same_bytes_object_is_not_copied() -> None:
    """A large body is not held twice."""
    assert raw_body(BODY) is BODY


def test_empty_body() -> None:
    """An empty body has an error that says where it may have gone."""
    assert not_empty(BODY) is BODY
    with pytest.raises(BodyEmpty, match="read before") as raised:
        not_empty(b"")
    assert raised.value.code == "body_empty"


def test_verify_returns_none() -> None:
    """There is no boolean to forget."""
    assert verify_with(keys_of(SECRET), BODY, VALID) is None  # type: ignore[func-returns-value]
    assert verify(BODY, VALID, SECRET) is None  # type: ignore[func-returns-value]


def test_nothing_secret_in_errors() -> None:
    """No message, argument or chained error holds the secret, the signature or the body."""
    for value in (None, "x", VALID[:-1], VALID[::-1], "é" * 64):
        with pytest.raises(DubhooksError) as raised:
            verify(BODY, value, [OTHER, SECRET])
        shown = "\n".join(_chain(raised.value))
        for hidden in (SECRET, OTHER, VALID, VALID[::-1], VALID[:-1], "evt_1", "Grüße"):
            assert hidden not in shown


def test_nothing_secret_in_the_repr_of_a_key() -> None:
    """A key does not show the secret that it was made of."""
    key = Key(SECRET.encode())
    assert SECRET not in repr(key)
    assert not hasattr(key, "__dict__")


def test_public_names() -> None:
    """Every exported name exists."""
    assert all(hasattr(signature, name) for name in signature.__all__)
