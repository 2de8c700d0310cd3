"""What ``dubhooks.flask`` says about bodies that others read, and about mistakes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

import dubhooks.flask
from dubhooks import ConfigurationError, MemoryStore, Webhooks
from dubhooks.testing import make_event
from dubhooks.webhooks import LeadCreated, SaleCreated
from tests.support.adapters.behaviour import BODY, PAYOUT_REQUEST, SALE, SECRET
from tests.support.adapters.clients import WsgiClient
from tests.support.adapters.flask_apps import PATH, answering, deliver


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
    assert "the body of a delivery was read before dubhooks saw it" in caplog.text


def test_chunks_without_an_end_are_named(caplog: pytest.LogCaptureFixture) -> None:
    """On a server that does not mark the end of chunked bodies, the log says so."""
    app = answering(None)

    def server(environ: Any, start_response: Any) -> Any:
        del environ["wsgi.input_terminated"]
        return app(environ, start_response)

    assert deliver(server, chunked=True).status == 400
    assert "wsgi.input_terminated" in caplog.text


def test_the_application_s_own_limit_does_not_cut() -> None:
    """``max_body`` is the limit here, whatever the application sets for its forms."""
    app = answering(None)
    app.config["MAX_CONTENT_LENGTH"] = 10
    assert deliver(app).status == 200


def test_the_application_s_own_limit_when_it_read_first() -> None:
    """A body that the application refuses before us is its 413, not an exception."""
    app = answering(None)
    app.config["MAX_CONTENT_LENGTH"] = 10
    app.before_request(lambda: request.stream and None)
    assert deliver(app).status == 413


def test_behind_a_proxy() -> None:
    """Middleware that leaves the body alone does no harm."""
    app = answering(None)
    assert deliver(ProxyFix(app)).status == 200


def test_the_decorators_in_the_wrong_order() -> None:
    """``@webhook`` above ``@app.post`` would be skipped by Flask: refused when it is written."""
    app = Flask(__name__)
    with pytest.raises(ConfigurationError, match=r"put @webhook\(\.\.\.\) below @app\.post"):

        @dubhooks.flask.webhook(Webhooks(SECRET), SaleCreated)
        @app.post(PATH)
        def take(event: SaleCreated) -> str: ...  # type: ignore[empty-body]


def test_the_decorators_in_the_wrong_order_on_a_blueprint() -> None:
    """The same mistake on a blueprint, which registers its views later."""
    blueprint = Blueprint("dub", __name__)
    with pytest.raises(ConfigurationError, match=r"put @webhook\(\.\.\.\) below @app\.post"):

        @dubhooks.flask.webhook(Webhooks(SECRET), SaleCreated)
        @blueprint.post(PATH)
        def take(event: SaleCreated) -> str: ...  # type: ignore[empty-body]


def test_other_registries_are_no_wrong_order() -> None:
    """A decorator that keeps the function somewhere else is left alone."""
    kept: dict[str, Any] = {}

    def keep(function: Any) -> Any:
        def use() -> Any:
            return function

        kept["use"] = use
        kept["function"] = function
        return function

    @dubhooks.flask.webhook(Webhooks(SECRET), SaleCreated)
    @keep
    def take(event: SaleCreated) -> None: ...

    assert take.__name__ == "take"
    assert kept["use"]() is kept["function"]


def no_parameters() -> None:
    """Take nothing."""


def only_by_name(*, event: SaleCreated) -> None:
    """Take the event by name."""


def generator(event: SaleCreated) -> Iterator[str]:
    """Yield."""
    yield event.id


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        pytest.param(no_parameters, "no_parameters has no event parameter", id="no parameters"),
        pytest.param(only_by_name, "only_by_name has no event parameter", id="by name"),
        pytest.param(generator, "generator yields", id="generator"),
        pytest.param("text", "must be callable", id="no function"),
    ],
)
def test_handlers_that_cannot_work(handler: Any, why: str) -> None:
    """A handler that could not be called is refused when the application starts."""
    with pytest.raises(ConfigurationError, match=why):
        dubhooks.flask.webhook(Webhooks(SECRET), SaleCreated)(handler)


def test_the_receiver_is_missing() -> None:
    """``@webhook`` without its arguments says how to use it."""
    with pytest.raises(ConfigurationError, match=r"@webhook\(hooks, SaleCreated\)"):
        dubhooks.flask.webhook(no_parameters)  # type: ignore[call-overload]
    with pytest.raises(ConfigurationError, match="the receiver comes first"):
        dubhooks.flask.view(SECRET)  # type: ignore[arg-type]


def test_an_event_of_the_other_family() -> None:
    """Events of postbacks are refused by a receiver of webhooks when the application starts."""
    with pytest.raises(ConfigurationError, match="postbacks"):
        dubhooks.flask.webhook(Webhooks(SECRET), dubhooks.postbacks.SaleCreated)  # type: ignore[type-var]


def test_two_routes_share_a_receiver() -> None:
    """Each takes its own event, and a payout that neither names is not taken."""
    app = Flask(__name__)
    hooks = Webhooks(SECRET, store=MemoryStore())
    seen: list[str] = []

    @app.post("/sales")
    @dubhooks.flask.webhook(hooks, SaleCreated)
    def sale(event: SaleCreated) -> None:
        seen.append(event.event)

    @app.post("/leads")
    @dubhooks.flask.webhook(hooks, LeadCreated)
    def lead(event: LeadCreated) -> None:
        seen.append(event.event)

    other = make_event(LeadCreated).to_json()
    assert deliver(app, "/leads").body == b'{"outcome":"ignored"}'
    assert deliver(app, "/sales").body == b'{"outcome":"handled"}'
    assert deliver(app, "/leads", body=other).body == b'{"outcome":"handled"}'
    assert PAYOUT_REQUEST.send(WsgiClient(app, "/leads")).status == 501
    assert seen == ["sale.created", "lead.created"]


def test_without_flask_the_message_says_what_to_install() -> None:
    """Importing the module without Flask names the extra."""
    program = (
        "import sys; sys.modules['flask'] = None\n"
        "try:\n    import dubhooks.flask\n"
        "except ImportError as error:\n    print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "dubhooks.flask needs Flask: install dubhooks[flask]"


def test_the_module_is_found_when_it_is_used() -> None:
    """``import dubhooks`` is enough to use ``dubhooks.flask``, and does not import Flask."""
    program = (
        "import sys, dubhooks\nprint('flask' in sys.modules)\n"
        "dubhooks.flask.view\ndubhooks.aws_lambda.handler\nprint('flask' in sys.modules)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["False", "True"]


def test_the_handler_can_be_tested_by_itself() -> None:
    """A decorated handler is still there, to be called with an event of the factory."""

    @dubhooks.flask.webhook(Webhooks(SECRET), SaleCreated)
    def take(event: SaleCreated) -> str:
        return event.id

    assert take.__wrapped__(SALE) == SALE.id  # type: ignore[attr-defined]
