"""Flask, WSGI and Lambda: no variable of ours shows a body, a signature or a secret."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, got_request_exception

import dubhooks.flask
from dubhooks import ConfigurationError, MemoryStore, Webhooks, aws_lambda, sign, wsgi
from dubhooks.testing import make_event
from dubhooks.webhooks import LinkCreated
from tests.support.adapters.clients import Headers, WsgiClient
from tests.support.adapters.situations import SECRET, signed
from tests.support.frames import variables_that_show

PASSWORD = "link-password-77"
BODY = make_event(LinkCreated, data__password=PASSWORD).to_json()
MARKS = (PASSWORD, base64.b64encode(BODY).decode()[:40], sign(BODY, SECRET), SECRET)


def failing_receiver(*, is_async: bool, store: Any = None) -> Webhooks:
    """Return a receiver whose handler raises."""
    hooks = Webhooks(SECRET, store=store)

    def fail(event: LinkCreated) -> None:
        raise LookupError("boom")

    async def fail_async(event: LinkCreated) -> None:
        fail(event)

    hooks.on(LinkCreated)(fail_async if is_async else fail)
    return hooks


def deliver_to_flask(hooks: Webhooks, *, is_async: bool, as_view: bool) -> BaseException:
    """Deliver a link; return what Flask tells error trackers about."""
    app = Flask(__name__)
    if as_view:
        app.add_url_rule("/webhooks/dub", view_func=dubhooks.flask.view(hooks))
    else:

        def fail(event: LinkCreated) -> None:
            raise LookupError("boom")

        async def fail_async(event: LinkCreated) -> None:
            fail(event)

        handler: Any = fail_async if is_async else fail
        route = dubhooks.flask.webhook(Webhooks(SECRET, store=hooks.store), LinkCreated)
        app.post("/webhooks/dub")(route(handler))
    told: list[BaseException] = []

    def tell(sender: Any, exception: BaseException, **_: Any) -> None:
        told.append(exception)

    with got_request_exception.connected_to(tell, app):
        assert WsgiClient(app).post(BODY, signed(BODY)).status == 500
    return told[0]


def logged_error(log: pytest.LogCaptureFixture) -> BaseException:
    """Return the error of the one line that has a traceback."""
    (record,) = [record for record in log.records if record.exc_info is not None]
    assert record.exc_info is not None
    assert record.exc_info[1] is not None
    return record.exc_info[1]


Door = Callable[[Webhooks, pytest.LogCaptureFixture, bool], BaseException]


def through_wsgi(hooks: Webhooks, log: pytest.LogCaptureFixture, _: bool) -> BaseException:
    """Deliver a link; return the error that is logged."""
    assert WsgiClient(wsgi.app(hooks)).post(BODY, signed(BODY)).status == 500
    return logged_error(log)


def through_lambda(hooks: Webhooks, log: pytest.LogCaptureFixture, _: bool) -> BaseException:
    """Deliver a link; return the error that is logged."""
    function = aws_lambda.handler(hooks)
    assert function(lambda_event(signed(BODY)), None)["statusCode"] == 500
    return logged_error(log)


def lambda_event(headers: Headers) -> dict[str, Any]:
    """Return an event of Lambda's with the link."""
    body = base64.b64encode(BODY).decode()
    return {"httpMethod": "POST", "headers": dict(headers), "body": body, "isBase64Encoded": True}


DOORS: dict[str, Door] = {
    "flask.view": lambda hooks, _, is_async: deliver_to_flask(
        hooks, is_async=is_async, as_view=True
    ),
    "flask.webhook": lambda hooks, _, is_async: deliver_to_flask(
        hooks, is_async=is_async, as_view=False
    ),
    "wsgi.app": through_wsgi,
    "aws_lambda.handler": through_lambda,
}


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("has_store", [False, True], ids=["no store", "store"])
@pytest.mark.parametrize("door", DOORS)
def test_a_handler_fails(
    door: str, has_store: bool, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """What the handler raised carries no frame of ours that shows the payload or the secret."""
    caplog.set_level(logging.ERROR, "dubhooks")
    hooks = failing_receiver(is_async=is_async, store=MemoryStore() if has_store else None)
    error = DOORS[door](hooks, caplog, is_async)
    assert isinstance(error, LookupError)
    assert variables_that_show(error, *MARKS) == []


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"httpMethod": None}, id="no method"),
        pytest.param({"headers": [sign(BODY, SECRET)], "multiValueHeaders": None}, id="headers"),
        pytest.param({"body": BODY.decode()}, id="no base64"),
        pytest.param({"body": {"password": PASSWORD}}, id="parsed"),
    ],
)
def test_an_invocation_that_is_no_request(members: dict[str, Any]) -> None:
    """The error that leaves the function of Lambda shows nothing of the event."""
    event = lambda_event(signed(BODY)) | members
    with pytest.raises(ConfigurationError) as raised:
        aws_lambda.handler(Webhooks(SECRET))(event, None)
    assert variables_that_show(raised.value, *MARKS) == []
