"""The shared behaviour of ``dubhooks.flask``."""

from typing import Any

from flask import Blueprint, Flask
from flask.typing import ResponseReturnValue

import dubhooks.flask
from tests.support.adapters.behaviour import AdapterBehaviour, Setup
from tests.support.adapters.clients import Client, WsgiClient
from tests.support.adapters.handlers import of_kind
from tests.support.adapters.situations import OWN_BODY

PATH = "/webhooks/dub"


def own(status: int | None) -> ResponseReturnValue | None:
    """Return what a view returns to answer ``status``."""
    if status is None:
        return None
    return OWN_BODY, status, {"Location": "/elsewhere"} if 300 <= status < 400 else {}


class FlaskBehaviour(AdapterBehaviour):
    """What every way of mounting shares."""

    # Only a server can bound how long a body may take.
    cannot = frozenset({"stall"})


class TestView(FlaskBehaviour):
    """The registry as a view."""

    def mount(self, setup: Setup) -> Client:
        """Add a rule."""
        app = Flask(__name__)
        view = dubhooks.flask.view(setup.registry())
        app.add_url_rule(PATH, view_func=view)
        return WsgiClient(app)


class TestViewAsyncHandler(FlaskBehaviour):
    """The registry as a view of a blueprint, with an async handler."""

    def mount(self, setup: Setup) -> Client:
        """Add a rule."""
        hooks = setup.registry(is_async=True)
        blueprint = Blueprint("dub", __name__)
        view = dubhooks.flask.view(hooks)
        blueprint.add_url_rule("/dub", view_func=view, methods=["POST"])
        app = Flask(__name__)
        app.register_blueprint(blueprint, url_prefix="/webhooks")
        return WsgiClient(app)


class TestWebhook(FlaskBehaviour):
    """The decorator on a view."""

    is_route = True
    is_async = False

    def mount(self, setup: Setup) -> Client:
        """Decorate a view; without methods, a rule of Flask's takes those of the view."""
        app = Flask(__name__)

        def take(event: Any, tenant: str) -> ResponseReturnValue | None:
            assert tenant == "dub"
            return own(setup.run(event))

        decorate: Any = dubhooks.flask.webhook(setup.hooks, *setup.events, dedupe=setup.dedupe)
        rule = app.route if self.is_async else app.post
        rule("/webhooks/<tenant>")(decorate(of_kind(take, is_async=self.is_async)))
        return WsgiClient(app)


class TestWebhookAsync(TestWebhook):
    """The decorator on an async view."""

    is_async = True
