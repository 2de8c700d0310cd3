"""What fuzzing found."""

import pytest

import dubhooks
from tests.fuzz.targets import SECRET

HEAD = b'{"id":"e","event":"sale.created","createdAt":"2026-08-20T10:11:12.926Z","data":'


@pytest.mark.parametrize(
    "data",
    [b"1e999", b"NaN", b"[" * 900 + b"]" * 900, b'{"a":' * 600 + b"1" + b"}" * 600, b"{[]: 1}"],
    ids=["overflow", "NaN", "900 lists", "600 objects", "a list as a key"],
)
def test_explain_takes_what_no_receiver_takes(data: bytes) -> None:
    """A body that cannot be written again, or is nested deep, is explained as any other."""
    found = dubhooks.explain(HEAD + data + b"}", "ab" * 32, SECRET)
    assert not found.valid
    assert found.causes
