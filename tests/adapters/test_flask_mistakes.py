"""What ``dubhooks.flask`` says about mistakes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask

import dubhooks.flask
from dubhooks import ConfigurationError, Webhooks
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.behaviour import BODY, SALE, SECRET, signed
from tests.support.adapters.flask_apps import PATH, deliver


@pytest.mark.parametrize("on", [Flask, Blueprint])
def test_the_decorators_in_the_wrong_order(on: type[Flask | Blueprint]) -> None:
    """``@webhook`` above ``@app.post`` is skipped by Flask, and fails closed: no event, 500."""
    app = Flask(__name__)
    routes = app if on is Flask else Blueprint("dub", __name__)
    runs: list[str] = []

    @dubhooks.flask.webhook(Webhooks(SECRET), SaleCreated)
    @routes.post(PATH)
    def take(event: SaleCreated) -> str:
        runs.append(event.id)
        return "never verified"

    if isinstance(routes, Blueprint):
        app.register_blueprint(routes)
    assert deliver(app).status == 500
    app.testing = True
    with pytest.raises(TypeError, match=r"take\(\) missing 1 required .* argument: 'event'"):
        app.test_client().post(PATH, data=BODY, headers=signed(BODY))
    assert runs == []


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
