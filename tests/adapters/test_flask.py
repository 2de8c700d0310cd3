"""How ``dubhooks.flask`` fits into Flask: contexts, factories, blueprints, responses, errors."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import pytest
from flask import Blueprint, Flask, abort, current_app, g, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, NotFound

import dubhooks.flask
from dubhooks import Webhooks
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.clients import WsgiClient
from tests.support.adapters.flask_apps import PATH, answering, app_with, deliver
from tests.support.adapters.handlers import of_kind
from tests.support.adapters.situations import BODY, OWN_BODY, SALE, SECRET, signed


@pytest.mark.parametrize(
    ("result", "status", "body"),
    [
        pytest.param("text", 200, b"text", id="str"),
        pytest.param({"a": 1}, 200, b'{"a":1}\n', id="dict"),
        pytest.param(("", 204), 204, b"", id="tuple"),
        pytest.param(("text", 201, {"X-A": "1"}), 201, b"text", id="triple"),
        pytest.param(("text", "202 ACCEPTED"), 202, b"text", id="status line"),
        pytest.param(lambda: jsonify(a=1), 200, b'{"a":1}\n', id="response"),
        pytest.param(lambda: iter(["a", "b"]), 200, b"ab", id="generator"),
        pytest.param(
            lambda: abort(current_app.response_class("done", 200)), 200, b"done", id="raised"
        ),
        pytest.param(None, 200, b'{"outcome":"handled"}', id="nothing"),
    ],
)
def test_every_kind_of_success(result: Any, status: int, body: bytes) -> None:
    """Whatever a view may return is the answer, and the event is done."""
    app = answering(result)
    response = deliver(app)
    assert (response.status, response.body) == (status, body)
    assert deliver(app).body == b'{"outcome":"duplicate"}'


@pytest.mark.parametrize(
    ("result", "status"),
    [
        pytest.param(("no", 500), 500, id="tuple"),
        pytest.param(({"a": 1}, 422), 422, id="dict"),
        pytest.param(("no", "503 NOT NOW"), 503, id="status line"),
        pytest.param(lambda: current_app.response_class("no", 400), 400, id="response"),
        pytest.param(lambda: redirect("/elsewhere"), 500, id="redirect"),
        pytest.param(lambda: abort(404), 404, id="abort"),
        pytest.param(lambda: abort(302), 500, id="abort with a redirect"),
        pytest.param(lambda: abort(redirect("/elsewhere")), 500, id="abort with a response"),
    ],
)
def test_every_kind_of_failure(result: Any, status: int) -> None:
    """A status that is no success releases the claim, however it was made; never a redirect."""
    runs: list[str] = []

    def handler(event: SaleCreated) -> Any:
        runs.append(event.id)
        return result() if callable(result) else result

    app = app_with(handler)
    assert deliver(app).status == status
    assert deliver(app).status == status
    assert len(runs) == 2


@pytest.mark.filterwarnings("error")
def test_what_no_view_may_return() -> None:
    """A result that Flask refuses is a failed handler, and Flask says what is wrong."""
    app = answering(object())
    app.testing = True
    for _ in range(2):
        with pytest.raises(TypeError, match="did not return a valid response"):
            app.test_client().post(PATH, data=BODY, headers=signed(BODY))


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_the_handler_has_flask_s_contexts(is_async: bool) -> None:
    """``request``, ``g``, ``current_app`` and the body are there in a handler as in any view."""
    app = Flask(__name__)
    hooks = Webhooks(SECRET)
    variable: ContextVar[str] = ContextVar("variable")
    seen: list[object] = []

    def handle(event: SaleCreated, tenant: str, number: int) -> ResponseReturnValue:
        seen.extend([event.id, tenant, number, g.user, current_app.name, variable.get()])
        seen.extend([request.get_data() == BODY, request.json["id"], request.path])
        return url_for("take", tenant=tenant, number=number)

    route: Any = dubhooks.flask.webhook(hooks, SaleCreated)
    view = route(of_kind(handle, is_async=is_async))
    app.post("/<tenant>/<int:number>", endpoint="take")(view)

    @app.before_request
    def set_user() -> None:
        g.user = "ada"
        variable.set("there")

    assert deliver(app, "/acme/7").body == b"/acme/7"
    assert seen == [SALE.id, "acme", 7, "ada", app.name, "there", True, SALE.id, "/acme/7"]


def test_application_factories_with_secrets_of_their_own() -> None:
    """One receiver at module level serves every application with that application's secret."""

    def secret() -> str:
        value: str = current_app.config["DUB_WEBHOOK_SECRET"]
        return value

    hooks = Webhooks(secret)
    blueprint = Blueprint("dub", __name__, url_prefix="/webhooks")
    seen: list[str] = []

    @blueprint.post("/dub")
    @dubhooks.flask.webhook(hooks, SaleCreated)
    def take(event: SaleCreated) -> None:
        seen.append(current_app.config["DUB_WEBHOOK_SECRET"])

    def create_app(value: str) -> Flask:
        app = Flask(__name__)
        app.config["DUB_WEBHOOK_SECRET"] = value
        app.register_blueprint(blueprint)
        return app

    ours, other = create_app(SECRET), create_app("whsec_other")
    assert deliver(ours).status == 200
    assert deliver(other).status == 401
    other.config["DUB_WEBHOOK_SECRET"] = ["whsec_other", SECRET]
    assert deliver(other).status == 200
    assert len(seen) == 2


def test_a_route_for_more_methods_takes_only_post() -> None:
    """A GET that Flask lets through is answered with 405, and the handler does not run."""
    app = Flask(__name__)
    runs: list[str] = []

    @app.route(PATH, methods=["GET", "POST"])
    @dubhooks.flask.webhook(Webhooks(SECRET), SaleCreated)
    def take(event: SaleCreated) -> None:
        runs.append(event.id)

    response = deliver(app, method="GET")
    assert (response.status, response.headers["allow"], runs) == (405, "POST", [])


def failing() -> tuple[Flask, list[str]]:
    """Return an application whose handler raises, and what that was called with."""
    runs: list[str] = []

    def handler(event: SaleCreated) -> None:
        runs.append(event.id)
        raise LookupError("no such customer")

    return app_with(handler), runs


def test_the_exception_reaches_flask() -> None:
    """Debug pages and error reporting see what the handler raised, with its traceback."""
    app, _ = failing()
    app.testing = True
    for _ in range(2):
        with pytest.raises(LookupError, match="no such customer"):
            app.test_client().post(PATH, data=BODY, headers=signed(BODY))


def test_the_application_s_own_error_page() -> None:
    """An error handler that answers 500 is the one who answers."""
    app, _ = failing()

    @app.errorhandler(LookupError)
    def page(error: LookupError) -> ResponseReturnValue:
        return f"sorry, {error}", 500

    response = deliver(app)
    assert (response.status, response.body) == (500, b"sorry, no such customer")


@pytest.mark.parametrize("kind", [LookupError, Exception, 500], ids=["its own", "any", "500"])
@pytest.mark.parametrize("answer", [200, 302], ids=str)
def test_an_error_handler_cannot_make_it_a_success(
    kind: Any, answer: int, caplog: pytest.LogCaptureFixture
) -> None:
    """An error handler that answers 200 or redirects loses no event: Dub is told 500."""
    app, runs = failing()

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
    app, _ = failing()
    app.errorhandler(Exception)(lambda error: ("sorry", 200))

    @app.get("/page")
    def page() -> str:
        raise LookupError

    assert deliver(app).status == 500
    assert WsgiClient(app, "/page").post(b"", [], method="GET").status == 200
