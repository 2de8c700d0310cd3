"""Reading the signature out of whatever holds request headers, a WSGI environ among it."""

from collections.abc import Callable, Mapping
from functools import partial
from http.client import HTTPMessage
from types import MappingProxyType
from typing import Any

import pytest

from dubhooks import Webhooks
from dubhooks._headers import find_signature, headers_in_environ, list_pairs
from dubhooks.errors import BodyCompressed, ConfigurationError, SignatureMalformed
from tests.support.receiving import SECRET, sale, signed

VALUE = "ab" * 32


def _message(*pairs: tuple[str, str]) -> HTTPMessage:
    message = HTTPMessage()
    for name, value in pairs:
        message[name] = value
    return message


CONTAINERS: dict[str, Callable[[], Any]] = {
    "dict": lambda: {"Dub-Signature": VALUE},
    "dict of bytes": lambda: {b"Dub-Signature": VALUE.encode()},
    "bytes name, text value": lambda: {b"dub-signature": VALUE},
    "mapping": lambda: MappingProxyType({"DUB-SIGNATURE": VALUE}),
    "http.client message": lambda: _message(("dub-Signature", VALUE)),
    "list of pairs": lambda: [("Dub-Signature", VALUE)],
    "list of lists": lambda: [["Dub-Signature", VALUE]],
    "tuple of pairs of bytes": lambda: ((b"dub-signature", VALUE.encode()),),
    "generator of pairs": lambda: (pair for pair in [("Dub-Signature", VALUE)]),
    "items": lambda: {"Dub-Signature": VALUE}.items(),
    "among others": lambda: {"Host": "x", "dub-signature": VALUE, "Content-Type": "a/b"},
}


@pytest.mark.parametrize("make", CONTAINERS.values(), ids=CONTAINERS.keys())
def test_container(make: Callable[[], Any]) -> None:
    """Every mapping and every iterable of pairs is read, in text or bytes, in any case."""
    assert find_signature(make()) == VALUE


@pytest.mark.parametrize(
    "name",
    ["Signature", "Dub_Signature", "HTTP_DUB_SIGNATURE", "Dub-Signature-256", "Dub-Signature "],
)
def test_other_name(name: str) -> None:
    """A header of another name is not the signature."""
    assert find_signature({name: VALUE}) is None


def test_none_is_no_value() -> None:
    """What ``headers.get()`` returns for a missing header is no header, and nobody's mistake."""
    assert list_pairs({"Dub-Signature": None, "A": "b"}) == [("a", "b")]
    assert find_signature({"Dub-Signature": None}) is None


def test_an_empty_value_is_a_value() -> None:
    """An empty header is malformed and not missing, which is for the caller to say."""
    assert find_signature({"Dub-Signature": ""}) == ""


DOUBLES: dict[str, Any] = {
    "same name": [("Dub-Signature", VALUE), ("Dub-Signature", VALUE)],
    "other case": [("Dub-Signature", VALUE), ("dub-signature", VALUE[::-1])],
    "both names": {"Dub-Signature": VALUE, "X-Dub-Signature": VALUE},
    "empty first": [("Dub-Signature", ""), ("Dub-Signature", VALUE)],
    "three": [("Dub-Signature", VALUE)] * 3,
    "text and bytes": [("Dub-Signature", VALUE), (b"dub-signature", VALUE.encode())],
    "http.client message": _message(("Dub-Signature", VALUE), ("Dub-Signature", VALUE)),
}


@pytest.mark.parametrize("headers", DOUBLES.values(), ids=DOUBLES.keys())
def test_two_signatures(headers: Any) -> None:
    """Two values are refused even if they are equal, and none of them is shown."""
    error = find_signature(headers)
    assert isinstance(error, SignatureMalformed)
    assert "two signature headers" in str(error)
    assert VALUE not in str(error)


def test_doubles_are_kept_in_order() -> None:
    """Pairs come out as they went in, names in lower case."""
    pairs = [("A", "1"), ("b", "2"), ("a", "3")]
    assert list_pairs(pairs) == [("a", "1"), ("b", "2"), ("a", "3")]


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, gzip", "x"])
@pytest.mark.parametrize("first", [True, False])
def test_compressed_body(encoding: str, first: bool) -> None:
    """A compressed body has an error of its own, because its signature cannot match."""
    pairs = [("Content-Encoding", encoding), ("Dub-Signature", VALUE)]
    assert isinstance(find_signature(pairs if first else pairs[::-1]), BodyCompressed)


@pytest.mark.parametrize("encoding", ["identity", "Identity", " identity ", "", " "])
def test_body_sent_as_it_is(encoding: str) -> None:
    """The encoding that changes nothing is fine."""
    headers = {"Content-Encoding": encoding, "Dub-Signature": VALUE}
    assert find_signature(headers) == VALUE


BAD: dict[str, Any] = {
    "none": None,
    "number": 5,
    "text": "Dub-Signature: " + VALUE,
    "bytes": b"Dub-Signature: x",
    "list of text": ["Dub-Signature", VALUE],
    "singles": [(VALUE,)],
    "triples": [("Dub-Signature", VALUE, "")],
    "value list": {"Dub-Signature": [VALUE]},
    "value number": [("Dub-Signature", 5)],
    "name number": {5: VALUE},
    "list of none": [None],
}


@pytest.mark.parametrize("headers", BAD.values(), ids=BAD.keys())
def test_bad_shape(headers: Any) -> None:
    """Anything else is the developer's error, and no value is shown."""
    hooks = Webhooks(SECRET)
    for use in (list_pairs, partial(hooks.unwrap, b"{}"), partial(hooks.handle, b"{}")):
        with pytest.raises(ConfigurationError, match="mapping or an iterable") as raised:
            use(headers)
        assert VALUE not in f"{raised.value} {raised.value.__context__}"


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
