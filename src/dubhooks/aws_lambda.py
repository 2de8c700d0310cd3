"""A receiver as an AWS Lambda function behind a gateway, a load balancer or VPC Lattice.

The shape of an event tells where it comes from (AWS docs: "Lambda proxy integrations in API
Gateway", "Invoking Lambda function URLs", "Lambda functions as targets" of Elastic Load
Balancing and of VPC Lattice): REST APIs and HTTP APIs with format 1.0, HTTP APIs and function
URLs with format 2.0, Application Load Balancers with single or multiple headers, and both
versions of VPC Lattice.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from ._body import Request
from .errors import ConfigurationError, MethodNotAllowed
from .receiver import pipeline_of
from .wsgi import handle_logging, headers_to_send, refuse_async_store, status_line

if TYPE_CHECKING:
    from .receiver import Receiver
    from .reply import Reply

__all__ = ["handler"]

_Members: TypeAlias = Mapping[str, Any]
_Sender: TypeAlias = Literal["gateway", "load balancer", "load balancer with multiple headers"]
"""Who gets the answer; a gateway, a function URL and VPC Lattice take the same."""


def handler(hooks: Receiver[Any]) -> Callable[[Mapping[str, Any], object], dict[str, Any]]:
    """Return a function for Lambda that gives every POST to ``hooks``.

    Functions share no disk and no memory, so use a store that they all reach.  The parser is
    built here, while Lambda starts the function.

    The returned function raises ``ConfigurationError`` when it is invoked with anything but an
    HTTP request.

    Args:
        hooks: the receiver.

    Raises:
        ConfigurationError: there is no receiver, or its store needs an event loop.
    """
    pipeline = pipeline_of(hooks)
    refuse_async_store(pipeline, "Lambda")
    hooks.warm_up()

    def lambda_handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
        del context
        read = _read_event(event)
        del event  # error trackers send the variables of a frame that a handler is called from
        if isinstance(read, ConfigurationError):
            raise read
        sender, method, request = read
        if method == "POST":
            reply = handle_logging(pipeline, request)
        else:
            reply = pipeline.refuse(MethodNotAllowed("a delivery is a POST"))
        return _build_answer(reply, sender)

    return lambda_handler


def _build_answer(reply: Reply, sender: _Sender) -> dict[str, Any]:
    headers = headers_to_send(reply)
    answer: dict[str, Any] = {
        "statusCode": reply.status,
        "headers": headers,
        "body": reply.body.decode(),
        "isBase64Encoded": False,
    }
    if sender != "gateway":
        answer["statusDescription"] = status_line(reply.status)
    if sender == "load balancer with multiple headers":
        # A target group with multiple headers takes no others.
        del answer["headers"]
        answer["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
    return answer


def _read_event(event: Any) -> tuple[_Sender, str, Request] | ConfigurationError:
    """Return who sent an event, its method and its request; or the error, to be raised.

    An error that leaves here would show the event in the variables of its frames.
    """
    try:
        context: _Members = event.get("requestContext") or {}
        # In this order: REST API or load balancer, VPC Lattice, HTTP API or function URL.
        method: str = event.get("httpMethod") or event.get("method") or context["http"]["method"]
        request = Request(_read_body(event), _read_headers(event))
        return _find_sender(event, context), method, request
    except (AttributeError, KeyError, TypeError, ValueError):
        return ConfigurationError(
            "this is not an HTTP request as Lambda gets it: invoke the function through API "
            "Gateway, a function URL, an Application Load Balancer or VPC Lattice, and pass the "
            "event on as it came"
        )


def _find_sender(event: _Members, context: _Members) -> _Sender:
    if "elb" not in context:
        return "gateway"
    if event.get("multiValueHeaders") is None:
        return "load balancer"
    return "load balancer with multiple headers"


def _read_headers(event: _Members) -> list[tuple[str, str]]:
    # Both are there behind a REST API, and only the multiple ones show a header sent twice.
    headers: _Members = event.get("multiValueHeaders") or event.get("headers") or {}
    pairs: list[tuple[str, str]] = []
    for name, value in headers.items():
        values = cast("list[str]", value) if isinstance(value, list) else [value]
        pairs += [(name, one) for one in values]
    return pairs


def _read_body(event: _Members) -> bytes:
    body: str | None = event.get("body")
    if body is None:
        return b""
    # Anything that JSON can hold; what is not Unicode cannot have the right signature.
    raw = body.encode("utf-8", "surrogatepass")
    if event.get("isBase64Encoded") or event.get("is_base64_encoded"):
        return base64.b64decode(raw, validate=True)
    return raw
