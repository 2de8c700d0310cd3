"""Flask: bodies that others have read, that are cut off, and what the handler sees of them."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from flask import Flask, request

import dubhooks.flask
from dubhooks import Webhooks
from tests.support.adapters.clients import WsgiClient
from tests.support.adapters.flask_apps import PATH, answering, deliver
from tests.support.adapters.situations import BODY, MAX_BODY, SALE, SECRET, signed


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda: request.get_data(), id="get_data"),
        pytest.param(lambda: request.get_json(), id="get_json"),
        pytest.param(lambda: request.form, id="form"),
        pytest.param(lambda: request.stream, id="stream, not read"),
        pytest.param(lambda: request.data, id="data"),
    ],
)
def test_a_body_that_flask_has_kept(read: Callable[[], Any], chunked: bool) -> None:
    """Reading the body in a ``before_request`` function, the way Flask keeps it, does no harm."""
    app = answering(None)

    @app.before_request
    def before() -> None:
        read()

    assert deliver(app, chunked=chunked).status == 200


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda: request.stream.read(), id="stream"),
        pytest.param(lambda: request.get_data(cache=False), id="no cache"),
        pytest.param(lambda: request.environ["wsgi.input"].read(len(BODY)), id="input"),
    ],
)
@pytest.mark.parametrize("mount", ["view", "webhook"])
def test_a_body_that_is_gone_is_named(
    read: Callable[[], Any], mount: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A body that somebody else consumed is called that, and not a wrong signature."""
    app = answering(None)
    if mount == "view":
        app = Flask(__name__)
        app.add_url_rule(PATH, view_func=dubhooks.flask.view(Webhooks(SECRET)))

    @app.before_request
    def before() -> None:
        read()

    response = deliver(app)
    assert (response.status, b"body_empty" in response.body) == (400, True)
    assert "request.get_data() keeps the body" in caplog.text


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_the_application_s_own_limit_does_not_cut(chunked: bool) -> None:
    """``max_body`` is the limit here, whatever the application sets for its forms."""
    app = answering(lambda: request.get_json()["id"])
    app.config["MAX_CONTENT_LENGTH"] = 10
    assert deliver(app, chunked=chunked).body == SALE.id.encode()


@pytest.mark.parametrize("server", ["marks the end", "has it in memory"])
@pytest.mark.parametrize("reads", [False, True], ids=["plain", "stream was touched"])
def test_a_body_without_a_length(server: str, reads: bool) -> None:
    """A chunked body is read when it has an end, and the handler can read it again."""
    app = answering(lambda: request.get_data() + request.get_json()["id"].encode())
    if reads and server == "marks the end":
        app.before_request(lambda: request.stream and None)

    def serve(environ: Any, start_response: Any) -> Any:
        if server == "has it in memory":
            del environ["wsgi.input_terminated"]
            environ["wsgi.input"] = BytesIO(BODY)
        return app(environ, start_response)

    assert deliver(serve, chunked=True).body == BODY + SALE.id.encode()


def test_too_much_is_not_read_from_a_stream_of_flask_s() -> None:
    """A chunked body is read no further than ``max_body``, when the application touched it."""
    app = Flask(__name__)
    app.add_url_rule(PATH, view_func=dubhooks.flask.view(Webhooks(SECRET, max_body=MAX_BODY)))
    app.before_request(lambda: request.stream and None)
    client = WsgiClient(app)
    assert client.post(b"x" * 64 * MAX_BODY, signed(b""), chunked=True).status == 413
    assert client.sent < 8 * MAX_BODY


@pytest.mark.parametrize("touched", [False, True], ids=["plain", "stream was touched"])
def test_a_body_that_is_cut_off(touched: bool) -> None:
    """A client that hangs up in the middle is answered 400 and not called a forger."""
    app = answering(None)
    if touched:
        app.before_request(lambda: request.stream and None)

    def serve(environ: Any, start_response: Any) -> Any:
        environ["CONTENT_LENGTH"] = str(len(BODY))
        return app(environ, start_response)

    response = WsgiClient(serve).post(BODY[:50], signed(BODY))
    assert (response.status, response.body) == (
        400,
        b'{"outcome":"malformed","code":"body_incomplete"}',
    )


def test_the_application_s_own_limit_when_it_touched_the_stream() -> None:
    """Its stream ends at that limit, so the answer is 413, which no error page makes a 200."""
    app = answering(None)
    app.config["MAX_CONTENT_LENGTH"] = 10
    app.before_request(lambda: request.stream and None)
    app.errorhandler(413)(lambda error: "sorry")
    response = deliver(app, chunked=True)
    assert (response.status, b"body_too_large" in response.body) == (413, True)
