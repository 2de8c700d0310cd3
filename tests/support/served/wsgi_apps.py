"""The doors of WSGI without any other, for servers that each give a body in their own way."""

from typing import Any

from flask import Flask, request

import dubhooks.flask
from dubhooks.webhooks import LeadCreated, SaleCreated

SECRET = "whsec_0123456789abcdef0123456789abcdef"
MAX_BODY = 100_000

hooks = dubhooks.Webhooks(SECRET, max_body=MAX_BODY)


@hooks.on(SaleCreated)
def sale(event: SaleCreated) -> None:
    """Take a sale."""


flask_app = Flask(__name__)
flask_app.add_url_rule("/view", view_func=dubhooks.flask.view(hooks))


@flask_app.post("/route")
@dubhooks.flask.webhook(hooks, SaleCreated, LeadCreated)
def route(event: SaleCreated | LeadCreated) -> bytes:
    """Answer with the body as the handler sees it."""
    return request.get_data()


plain = dubhooks.wsgi.app(hooks)


def app(environ: Any, start_response: Any) -> Any:
    """Serve a request."""
    chosen = plain if environ["PATH_INFO"] == "/plain" else flask_app
    return chosen(environ, start_response)
