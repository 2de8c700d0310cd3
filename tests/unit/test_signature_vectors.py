"""Signatures that others computed: public HMAC vectors, and bodies signed by Node as Dub does."""

import hashlib
import hmac
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from dubhooks import postbacks, webhooks
from dubhooks.signature import Key, sign, verify

VECTORS = Path(__file__).parents[1] / "vectors"


class Vector(NamedTuple):
    """A key, a message and the signature that others computed."""

    name: str
    key: bytes
    message: bytes
    expected: str


PUBLIC = [
    # RFC 4231, sections 4.3 and 4.7.
    Vector(
        "rfc4231-2",
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    Vector(
        "rfc4231-6",
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
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


@pytest.mark.parametrize("vector", PUBLIC, ids=_name)
def test_public_vector(vector: Vector) -> None:
    """The digest of every public HMAC-SHA256 vector is the published one."""
    assert Key(vector.key).digest(vector.message).hex().startswith(vector.expected)


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
