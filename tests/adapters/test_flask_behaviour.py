"""The shared behaviour of ``dubhooks.flask``."""

from typing import Any

from flask import Blueprint, Flask
from flask.typing import ResponseReturnValue

import dubhooks.flask
from tests.support.adapters.behaviour import OWN_BODY, AdapterBehaviour, Setup
from tests.support.adapters.clients import Client, WsgiClient

PATH = "/webhooks/dub"


def own(status: int | None) -> ResponseReturnValue | None:
    """Return what a view returns to answer ``status``."""
    if status is None:
        return None
    return OWN_BODY, status, {"Location": "/elsewhere"} if 300 <= status < 400 else {}


class TestView(AdapterBehaviour):
    """The registry as a view."""

    def mount(self, setup: Setup) -> Client:
        """Add a rule."""
        app = Flask(__name__)
        view = dubhooks.flask.view(setup.registry(), read_timeout=setup.read_timeout)
        app.add_url_rule(PATH, view_func=view)
        return WsgiClient(app)


class TestViewAsyncHandler(AdapterBehaviour):
    """The registry as a view of a blueprint, with an async handler."""

    def mount(self, setup: Setup) -> Client:
        """Add a rule."""
        hooks = setup.registry(is_async=True)
        blueprint = Blueprint("dub", __name__)
        view = dubhooks.flask.view(hooks, read_timeout=setup.read_timeout)
        blueprint.add_url_rule("/dub", view_func=view, methods=["POST"])
        app = Flask(__name__)
        app.register_blueprint(blueprint, url_prefix="/webhooks")
        return WsgiClient(app)


class TestWebhook(AdapterBehaviour):
    """The decorator on a view."""

    is_route = True

    def mount(self, setup: Setup) -> Client:
        """Decorate a view."""
        app = Flask(__name__)

        @app.post("/webhooks/<tenant>")
        @dubhooks.flask.webhook(setup.hooks, *setup.events, read_timeout=setup.read_timeout)
        def take(event: Any, tenant: str) -> ResponseReturnValue | None:
            assert tenant == "dub"
            return own(setup.run(event))

        return WsgiClient(app)


class TestWebhookAsync(AdapterBehaviour):
    """The decorator on an async view."""

    is_route = True

    def mount(self, setup: Setup) -> Client:
        """Decorate a view."""
        app = Flask(__name__)

        @app.route("/webhooks/<tenant>")
        @dubhooks.flask.webhook(setup.hooks, *setup.events, read_timeout=setup.read_timeout)
        async def take(event: Any, tenant: str) -> ResponseReturnValue | None:
            assert tenant == "dub"
            return own(setup.run(event))

        return WsgiClient(app)
