"""Every adapter in one WSGI and one ASGI application, told apart by the path, with one receiver.

The project of ``django_project`` is one of them.
"""

from typing import Any

from fastapi import FastAPI
from flask import Flask

import dubhooks.fastapi
import dubhooks.flask
from dubhooks.webhooks import SaleCreated
from tests.support.served import note
from tests.support.served.django_project import asgi, wsgi
from tests.support.served.django_project import file_hooks as hooks

READ_TIMEOUT = 0.5
"""Seconds for a body to arrive."""


@hooks.on(SaleCreated)
def record_sale(event: SaleCreated) -> None:
    """Note a sale."""
    note(f"sale {event.id}")


flask_app = Flask(__name__)
flask_app.add_url_rule("/flask", view_func=dubhooks.flask.view(hooks), methods=["POST"])
fastapi_app = FastAPI()
fastapi_app.include_router(
    dubhooks.fastapi.router(hooks, path="/router", read_timeout=READ_TIMEOUT)
)
fastapi_app.post("/route")(
    dubhooks.fastapi.webhook(hooks, SaleCreated, read_timeout=READ_TIMEOUT)(record_sale)
)
plain = dubhooks.asgi.app(hooks, read_timeout=READ_TIMEOUT)

WSGI: dict[str, Any] = {"/plain": dubhooks.wsgi.app(hooks), "/flask": flask_app, "/in-file": wsgi()}
ASGI: dict[str, Any] = {
    "/plain": plain,
    "/router": fastapi_app,
    "/route": fastapi_app,
    "/in-file": asgi(),
}


def wsgi_app(environ: Any, start_response: Any) -> Any:
    """Serve a request of WSGI."""
    return WSGI[environ["PATH_INFO"]](environ, start_response)


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    """Serve a request of ASGI, and the lifespan."""
    app = plain if scope["type"] == "lifespan" else ASGI[scope["path"]]
    await app(scope, receive, send)
