"""A receiver as an AWS Lambda function behind API Gateway, a function URL or a load balancer.

Told apart by their shape (AWS docs: "Lambda proxy integrations in API Gateway",
"Invoking Lambda function URLs", "Lambda functions as targets" of Elastic Load
Balancing): REST APIs and HTTP APIs with format 1.0, HTTP APIs and function URLs
with format 2.0, and Application Load Balancers with single or multiple headers.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from .errors import ConfigurationError, MethodNotAllowed
from .reply import reply_to
from .wsgi import headers_to, refuse_async_store, status_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from .receiver import Receiver
    from .reply import Reply

__all__ = ["handler"]

logger = logging.getLogger("dubhooks")


class _Request(NamedTuple):
    method: str
    headers: list[tuple[str, str]]
    body: bytes


def handler(hooks: Receiver[Any]) -> Callable[[Mapping[str, Any], object], dict[str, Any]]:
    """Return a function for Lambda that gives every POST to ``hooks``.

    Functions share no disk and no memory: use a store that they all reach, and
    a lease longer than the function's timeout.  The parser is built here,
    while Lambda starts the function.

    The returned function raises ``ConfigurationError`` when it is invoked with
    anything but an HTTP request.

    Raises:
        ConfigurationError: the store needs an event loop.
    """
    refuse_async_store(hooks, "Lambda")
    hooks.warm_up()

    def lambda_handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
        del context
        reply = _reply(hooks, _request_in(event))
        response: dict[str, Any] = {
            "statusCode": reply.status,
            "headers": headers_to(reply),
            "body": reply.body.decode(),
            "isBase64Encoded": False,
        }
        return _for_load_balancer(event, response) if _is_of_load_balancer(event) else response

    return lambda_handler


def _reply(hooks: Receiver[Any], request: _Request) -> Reply:
    if request.method != "POST":
        return hooks.refuse(MethodNotAllowed("a delivery is a POST"))
    try:
        return hooks.handle(request.body, request.headers)
    except Exception:
        logger.exception("the handler of a delivery failed")
        return reply_to("failed")


def _request_in(event: object) -> _Request:
    if not isinstance(event, Mapping):
        raise _not_http("it is no object")
    members = cast("Mapping[str, Any]", event)
    return _Request(_method_in(members), _headers_in(members), _body_in(members))


def _method_in(event: Mapping[str, Any]) -> str:
    method = event.get("httpMethod")
    if method is None:
        method = _member(_member(event, "requestContext"), "http").get("method")
    if not isinstance(method, str):
        raise _not_http("it has neither httpMethod nor requestContext.http.method")
    return method


def _headers_in(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    # Both are there behind a REST API, and only the multiple ones show a header sent twice.
    multiple = _member(event, "multiValueHeaders")
    if not all(isinstance(values, list) for values in multiple.values()):
        raise _not_http("its multiValueHeaders are not lists")
    pairs = [(name, value) for name, values in multiple.items() for value in values]
    pairs = pairs or list(_member(event, "headers").items())
    if not all(isinstance(value, str) for _, value in pairs):
        raise _not_http("its headers are not strings")
    return pairs


def _body_in(event: Mapping[str, Any]) -> bytes:
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise _not_http("its body is not a string: pass the event on as Lambda gave it")
    # Anything that JSON can hold; what is not Unicode cannot have the right signature.
    raw = body.encode("utf-8", "surrogatepass")
    if not event.get("isBase64Encoded"):
        return raw
    try:
        return base64.b64decode(raw, validate=True)
    except binascii.Error:
        raise _not_http("its body is not the base64 that isBase64Encoded promises") from None


def _member(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = event.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _not_http(f"its {name} is no object")
    return cast("Mapping[str, Any]", value)


def _is_of_load_balancer(event: Mapping[str, Any]) -> bool:
    return "elb" in _member(event, "requestContext")


def _for_load_balancer(event: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    response["statusDescription"] = status_line(response["statusCode"])
    if event.get("multiValueHeaders") is not None:
        # A target group with multiple headers takes no others.
        headers = response.pop("headers")
        response["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
    return response


def _not_http(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"this is not an HTTP request as Lambda gets it ({why}): invoke the function through API "
        "Gateway, a function URL or an Application Load Balancer"
    )
