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
from dubhooks.signature import sign, verify

VECTORS = Path(__file__).parents[1] / "vectors"


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


@pytest.mark.parametrize("vector", NODE, ids=_name)
def test_node_vector(vector: NodeVector) -> None:
    """What Node signed verifies, is signed alike here and by ``hmac``, and keeps every byte."""
    verify(vector.body, vector.signature, vector.secret)
    assert sign(vector.body, vector.secret) == vector.signature
    by_hmac = hmac.new(vector.secret.encode(), vector.body, hashlib.sha256).hexdigest()
    assert by_hmac == vector.signature
    event = (postbacks if vector.name == "postback" else webhooks).parse(vector.body)
    assert event.to_json() == vector.body


def test_node_vectors_are_what_the_script_makes() -> None:
    """Running the script again, where there is a Node, gives the committed file."""
    script = VECTORS / "make_vectors.mjs"
    named = re.findall(r'(?:lead\(|name: )"(\w+)"', script.read_text("utf-8"))
    assert named == [vector.name for vector in NODE]
    node = shutil.which("node")
    if node is not None:
        made = subprocess.run([node, str(script)], capture_output=True, check=True)
        assert made.stdout == (VECTORS / "node_vectors.json").read_bytes()
