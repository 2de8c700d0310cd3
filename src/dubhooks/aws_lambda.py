"""A receiver as an AWS Lambda function behind a gateway, a load balancer or VPC Lattice.

The shape of an event tells where it comes from (AWS docs: "Lambda proxy integrations in API
Gateway", "Invoking Lambda function URLs", "Lambda functions as targets" of Elastic Load
Balancing and of VPC Lattice): REST APIs and HTTP APIs with format 1.0, HTTP APIs and function
URLs with format 2.0, Application Load Balancers with single or multiple headers, and both
versions of VPC Lattice.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from ._body import Request
from .errors import ConfigurationError, MethodNotAllowed
from .receiver import pipeline_of
from .wsgi import handle_logging, headers_to_send, refuse_async_store, status_line

if TYPE_CHECKING:
    from collections.abc import Callable

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


def _read_event(event: object) -> tuple[_Sender, str, Request] | ConfigurationError:
    """Return who sent an event, its method and its request; or the error, to be raised.

    An error that leaves here would show the event in the variables of its frames.
    """
    if not isinstance(event, Mapping):
        return _not_http_error("it is no object")
    members = cast("_Members", event)
    try:
        request = Request(_read_body(members), _read_headers(members))
        return _find_sender(members), _read_method(members), request
    except ConfigurationError as error:
        return error.with_traceback(None)


def _find_sender(event: _Members) -> _Sender:
    if "elb" not in _get_object(event, "requestContext"):
        return "gateway"
    if event.get("multiValueHeaders") is None:
        return "load balancer"
    return "load balancer with multiple headers"


def _read_method(event: _Members) -> str:
    http = _get_object(_get_object(event, "requestContext"), "http")
    # In this order: REST API or load balancer, VPC Lattice, HTTP API or function URL.
    for method in (event.get("httpMethod"), event.get("method"), http.get("method")):
        if isinstance(method, str):
            return method
    raise _not_http_error("it has neither httpMethod nor method nor requestContext.http.method")


def _read_headers(event: _Members) -> list[tuple[str, str]]:
    # Both are there behind a REST API, and only the multiple ones show a header sent twice.
    headers = _get_object(event, "multiValueHeaders") or _get_object(event, "headers")
    pairs: list[tuple[str, str]] = []
    for name, value in headers.items():
        values = cast("list[str]", value) if isinstance(value, list) else [value]
        if not all(isinstance(one, str) for one in values):
            raise _not_http_error("its headers are not strings")
        pairs += [(name, one) for one in values]
    return pairs


def _read_body(event: _Members) -> bytes:
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise _not_http_error("its body is not a string: pass the event on as Lambda gave it")
    # Anything that JSON can hold; what is not Unicode cannot have the right signature.
    raw = body.encode("utf-8", "surrogatepass")
    if not (event.get("isBase64Encoded") or event.get("is_base64_encoded")):
        return raw
    with suppress(binascii.Error):
        return base64.b64decode(raw, validate=True)
    raise _not_http_error("its body is not the base64 that it is said to be")


def _get_object(event: _Members, name: str) -> _Members:
    value = event.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _not_http_error(f"its {name} is no object")
    return cast("_Members", value)


def _not_http_error(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"this is not an HTTP request as Lambda gets it ({why}): invoke the function through API "
        "Gateway, a function URL, an Application Load Balancer or VPC Lattice"
    )
