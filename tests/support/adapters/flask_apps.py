"""Small Flask applications for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

import dubhooks.flask
from dubhooks import MemoryStore, Webhooks
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.clients import Response, WsgiClient
from tests.support.adapters.situations import BODY, SECRET, signed

PATH = "/webhooks/dub"


def deliver(app: Any, path: str = PATH, *, body: bytes = BODY, **options: Any) -> Response:
    """Deliver a sale."""
    return WsgiClient(app, path).post(body, signed(body), **options)


def app_with(handler: Callable[..., Any], hooks: Webhooks | None = None) -> Flask:
    """Return an application with a decorated view."""
    app = Flask(__name__)
    hooks = hooks or Webhooks(SECRET, store=MemoryStore())
    app.post(PATH)(dubhooks.flask.webhook(hooks, SaleCreated)(handler))
    return app


def answering(result: Any) -> Flask:
    """Return an application whose view returns ``result``, or what it makes when called."""

    def handler(event: SaleCreated) -> Any:
        return result() if callable(result) else result

    return app_with(handler)
