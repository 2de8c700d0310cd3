"""What comes of a Flask handler that fails, whatever the application makes of errors."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, abort
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, NotFound

import dubhooks.flask
from dubhooks import MemoryStore, Webhooks
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.behaviour import BODY, OWN_BODY, SECRET, signed
from tests.support.adapters.clients import WsgiClient
from tests.support.adapters.flask_apps import PATH, answering, app_with, deliver


def failing(runs: list[str] | None = None) -> Flask:
    """Return an application whose handler raises."""

    def handler(event: SaleCreated) -> None:
        if runs is not None:
            runs.append(event.id)
        raise LookupError("no such customer")

    return app_with(handler)


def test_the_exception_reaches_flask() -> None:
    """Debug pages and error reporting see what the handler raised, with its traceback."""
    app = failing()
    app.testing = True
    for _ in range(2):
        with pytest.raises(LookupError, match="no such customer"):
            app.test_client().post(PATH, data=BODY, headers=signed(BODY))


def test_the_application_s_own_error_page() -> None:
    """An error handler that answers 500 is the one who answers."""
    app = failing()

    @app.errorhandler(LookupError)
    def page(error: LookupError) -> ResponseReturnValue:
        return f"sorry, {error}", 500

    response = deliver(app)
    assert (response.status, response.body) == (500, b"sorry, no such customer")


@pytest.mark.parametrize("kind", [LookupError, Exception, 500], ids=["its own", "any", "500"])
@pytest.mark.parametrize("answer", [200, 302], ids=str)
@pytest.mark.parametrize("mount", ["view", "webhook"])
def test_an_error_handler_cannot_make_it_a_success(
    kind: Any, answer: int, mount: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An error handler that answers 200 or redirects loses no event: Dub is told 500."""
    runs: list[str] = []
    app = failing(runs)
    if mount == "view":
        hooks = Webhooks(SECRET, store=MemoryStore())

        @hooks.on(SaleCreated)
        def fail(event: SaleCreated) -> None:
            runs.append(event.id)
            raise LookupError

        app = Flask(__name__)
        app.add_url_rule(PATH, view_func=dubhooks.flask.view(hooks))

    @app.errorhandler(kind)
    def page(error: Exception) -> ResponseReturnValue:
        return "sorry", answer, {"Location": "/"}

    for _ in range(2):
        response = deliver(app)
        assert (response.status, response.body) == (500, b'{"outcome":"failed"}')
    assert len(runs) == 2
    assert f"answered {answer} for a handler that failed" in caplog.text


def test_an_error_handler_for_http_errors() -> None:
    """``abort(404)`` in a handler goes through the application's own page, and cannot succeed."""
    app = answering(lambda: abort(404))
    app.errorhandler(NotFound)(lambda error: (OWN_BODY, 404))
    assert deliver(app).body.decode() == OWN_BODY
    app = answering(lambda: abort(404))
    app.errorhandler(HTTPException)(lambda error: (OWN_BODY, 200))
    assert deliver(app).status == 500


def test_error_handlers_of_other_requests_are_left_alone() -> None:
    """Only a delivery's failure is kept from becoming a success."""
    app = failing()
    app.errorhandler(Exception)(lambda error: ("sorry", 200))

    @app.get("/page")
    def page() -> str:
        raise LookupError

    assert deliver(app).status == 500
    assert WsgiClient(app, "/page").post(b"", [], method="GET").status == 200
