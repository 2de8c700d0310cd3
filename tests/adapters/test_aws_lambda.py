"""``dubhooks.aws_lambda``: the shared behaviour for every shape of event, and the shapes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from dubhooks import ConfigurationError, Webhooks, aws_lambda
from tests.support.adapters.behaviour import AdapterBehaviour, Setup
from tests.support.adapters.clients import Client, Headers, Response
from tests.support.adapters.situations import BODY, SECRET, signed

Event = dict[str, Any]


def joined(headers: Headers) -> dict[str, str]:
    """Return one value a header: values of the same one joined by commas."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def multiple(headers: Headers) -> dict[str, list[str]]:
    """Return a list of values a header."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    return found


def rest(method: str, headers: Headers) -> Event:
    """Return an event of a REST API (format 1.0)."""
    return {
        "resource": "/webhooks/dub",
        "path": "/webhooks/dub",
        "httpMethod": method,
        "headers": dict(headers),  # the last value of each
        "multiValueHeaders": multiple(headers),
        "queryStringParameters": None,
        "requestContext": {"resourcePath": "/webhooks/dub", "httpMethod": method, "stage": "prod"},
    }


def http_api(method: str, headers: Headers) -> Event:
    """Return an event of an HTTP API (format 2.0)."""
    return {
        "version": "2.0",
        "routeKey": "POST /webhooks/dub",
        "rawPath": "/webhooks/dub",
        "headers": {name.lower(): value for name, value in joined(headers).items()},
        "requestContext": {
            "http": {"method": method, "path": "/webhooks/dub"},
            "stage": "$default",
        },
    }


def function_url(method: str, headers: Headers) -> Event:
    """Return an event of a function URL: format 2.0, with a domain of its own."""
    event = http_api(method, headers)
    context = event["requestContext"] | {"domainName": "abc.lambda-url.us-east-1.on.aws"}
    return event | {"routeKey": "$default", "requestContext": context}


def load_balancer(method: str, headers: Headers) -> Event:
    """Return an event of a load balancer."""
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:x"}},
        "httpMethod": method,
        "path": "/webhooks/dub",
        "headers": {name.lower(): value for name, value in headers},  # the last value of each
    }


def load_balancer_multiple(method: str, headers: Headers) -> Event:
    """Return an event of a load balancer whose target group has multiple headers."""
    event = load_balancer(method, headers)
    del event["headers"]
    return event | {"multiValueHeaders": multiple(headers)}


def lattice_v1(method: str, headers: Headers) -> Event:
    """Return an event of VPC Lattice, version 1."""
    return {
        "raw_path": "/webhooks/dub",
        "method": method,
        "headers": {name.lower(): value for name, value in joined(headers).items()},
        "query_string_parameters": {},
    }


def lattice_v2(method: str, headers: Headers) -> Event:
    """Return an event of VPC Lattice, version 2."""
    return {
        "version": "2.0",
        "path": "/webhooks/dub",
        "method": method,
        "headers": multiple([(name.lower(), value) for name, value in headers]),
        "requestContext": {
            "serviceArn": "arn:aws:vpc-lattice:us-east-1:1:service/svc-1",
            "identity": {"sourceVpcArn": "arn:aws:ec2:us-east-1:1:vpc/vpc-1"},
        },
    }


class LambdaClient:
    """Invokes a function with events of one shape."""

    sent = 0

    def __init__(
        self, function: Callable[..., Event], shape: Callable[[str, Headers], Event], *, base: bool
    ) -> None:
        self._function = function
        self._shape = shape
        self._base = base

    def post(self, body: bytes, headers: Headers, *, method: str = "POST", **how: Any) -> Response:
        """Send one request; see :class:`tests.support.adapters.clients.Client`."""
        assert not any(how.values())
        headers = [*headers, ("Host", "testserver"), ("Content-Length", str(len(body)))]
        event = self._shape(method, headers)
        event["is_base64_encoded" if "raw_path" in event else "isBase64Encoded"] = self._base
        if self._base:
            event["body"] = base64.b64encode(body).decode()
        else:
            # What is not UTF-8 does not survive as text: gateways replace it.
            event["body"] = body.decode("utf-8", "replace") or None
        answer = self._function(event, object())
        assert answer.pop("isBase64Encoded") is False
        assert isinstance(answer["body"], str)
        is_elb = "elb" in event.get("requestContext", {})
        if is_elb:
            assert answer["statusDescription"].startswith(f"{answer['statusCode']} ")
        if is_elb and "multiValueHeaders" in event:
            assert "headers" not in answer
            pairs = [(name, value) for name, (value,) in answer["multiValueHeaders"].items()]
        else:
            pairs = list(answer["headers"].items())
        return Response(answer["statusCode"], pairs, answer["body"].encode())


SHAPES = {
    "rest": rest,
    "http_api": http_api,
    "function_url": function_url,
    "load_balancer": load_balancer,
    "load_balancer_multiple": load_balancer_multiple,
    "lattice_v1": lattice_v1,
    "lattice_v2": lattice_v2,
}


class LambdaBehaviour(AdapterBehaviour):
    """The registry as a Lambda function."""

    # The function is invoked when the whole body is there.
    cannot = frozenset({"chunked", "reads early", "stall"})
    shape: ClassVar[str]

    def mount(self, setup: Setup) -> Client:
        """Make a function."""
        function = aws_lambda.handler(setup.registry())
        return LambdaClient(function, SHAPES[self.shape], base=True)


class TestRest(LambdaBehaviour):
    """Behind a REST API."""

    shape = "rest"


class TestHttpApi(LambdaBehaviour):
    """Behind an HTTP API."""

    shape = "http_api"


class TestLoadBalancerMultiple(LambdaBehaviour):
    """Behind a load balancer with multiple headers."""

    shape = "load_balancer_multiple"


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_body_that_comes_as_text(shape: Callable[[str, Headers], Event]) -> None:
    """A body that is not in base64 is taken as UTF-8, and its signature matches."""
    client = LambdaClient(aws_lambda.handler(Webhooks(SECRET)), shape, base=False)
    assert "é".encode() in (body := BODY.replace(b'"id"', '"é":1,"id"'.encode(), 1))
    assert client.post(body, signed(body)).status == 200


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_no_headers_and_no_body(shape: Callable[[str, Headers], Event]) -> None:
    """Absent and null headers are no headers: the answer says that the signature is missing."""
    function = aws_lambda.handler(Webhooks(SECRET))
    event = shape("POST", [])
    assert function(event, None)["statusCode"] == 400
    event |= {"headers": None, "body": BODY.decode()}
    assert function(event, None)["statusCode"] == 401


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(None, id="nothing"),
        pytest.param({}, id="empty"),
        pytest.param({"Records": [{"body": "{}"}]}, id="queue"),
        pytest.param({"requestContext": "x"}, id="context"),
        pytest.param({"httpMethod": "POST", "headers": ["a"]}, id="headers"),
        pytest.param({"httpMethod": "POST", "body": {"id": 1}}, id="parsed"),
        pytest.param({"httpMethod": "POST", "body": "{}", "isBase64Encoded": True}, id="base64"),
    ],
)
def test_what_is_not_http(event: Any) -> None:
    """An invocation that is no HTTP request is the developer's mistake, and named."""
    with pytest.raises(ConfigurationError, match="not an HTTP request as Lambda gets it"):
        aws_lambda.handler(Webhooks(SECRET))(event, None)


def test_text_that_is_not_unicode() -> None:
    """A lone surrogate in the text of a body is a signature that does not match, not a crash."""
    event = http_api("POST", signed(BODY)) | {"body": "\ud83d"}
    assert aws_lambda.handler(Webhooks(SECRET))(event, None)["statusCode"] == 401
