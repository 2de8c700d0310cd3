"""A WSGI environ, or Django's ``request.META``, where headers are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from dubhooks import SignatureMalformed, SignatureMissing, Webhooks
from dubhooks._headers import headers_in_environ, list_pairs
from dubhooks.errors import BodyCompressed
from tests.support.receiving import SECRET, sale, signed

BODY, HEADERS = signed(sale())
ENVIRON: dict[str, Any] = {
    "REQUEST_METHOD": "POST",
    "PATH_INFO": "/webhooks/dub",
    "CONTENT_TYPE": "application/json",
    "CONTENT_LENGTH": str(len(BODY)),
    "HTTP_HOST": "example.com",
    "HTTP_DUB_SIGNATURE": HEADERS["Dub-Signature"],
    "SERVER_PORT": "80",
    "wsgi.input": object(),
    "wsgi.version": (1, 0),
}


@pytest.mark.parametrize("kind", [dict, MappingProxyType])
@pytest.mark.parametrize("name", ["HTTP_DUB_SIGNATURE", "HTTP_X_DUB_SIGNATURE"])
def test_it_is_taken_for_headers(name: str, kind: Callable[[Any], Mapping[str, Any]]) -> None:
    """Who passes it gets the event, whatever else stands in it."""
    environ = {key: value for key, value in ENVIRON.items() if key != "HTTP_DUB_SIGNATURE"}
    environ[name] = HEADERS["Dub-Signature"]
    hooks = Webhooks(SECRET)
    assert hooks.unwrap(BODY, kind(environ)).id in BODY.decode()
    assert hooks.handle(BODY, kind(environ)).status == 200


def test_what_is_wrong_with_it_is_told() -> None:
    """A missing, a double and a compressed one are the same errors as in other headers."""
    hooks = Webhooks(SECRET)
    other = {"HTTP_X_DUB_SIGNATURE": HEADERS["Dub-Signature"]}
    without = {key: value for key, value in ENVIRON.items() if key != "HTTP_DUB_SIGNATURE"}
    with pytest.raises(SignatureMissing):
        hooks.unwrap(BODY, without)
    with pytest.raises(SignatureMalformed, match="two signature headers"):
        hooks.unwrap(BODY, ENVIRON | other)
    with pytest.raises(BodyCompressed):
        hooks.unwrap(BODY, ENVIRON | {"HTTP_CONTENT_ENCODING": "gzip"})


def test_what_dead_letters_and_adapters_see() -> None:
    """Every header is there, also the two that CGI names without a prefix, and nothing else."""
    pairs = list_pairs(ENVIRON)
    assert dict(pairs) == {
        "host": "example.com",
        "dub-signature": HEADERS["Dub-Signature"],
        "content-type": "application/json",
        "content-length": str(len(BODY)),
    }
    assert len(pairs) == 4
    assert headers_in_environ({"CONTENT_TYPE": "", "CONTENT_LENGTH": ""}) == []


def test_a_header_that_is_called_like_a_variable() -> None:
    """Ordinary headers are not mistaken for an environ because of one odd name."""
    assert Webhooks(SECRET).unwrap(BODY, HEADERS | {"Request-Method": "POST"}).id
