"""The shared behaviour of ``dubhooks.fastapi``, and of plain Starlette."""

from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from starlette.applications import Starlette
from starlette.routing import Route

import dubhooks.fastapi
from dubhooks import asgi
from tests.support.adapters.behaviour import OWN_BODY, AdapterBehaviour, Setup
from tests.support.adapters.clients import AsgiClient, Client


def routed(setup: Setup, handler: Any) -> Client:
    """Serve ``setup`` through the decorator."""
    app = FastAPI()
    decorator: Any = dubhooks.fastapi.webhook(
        setup.hooks, *setup.events, read_timeout=setup.read_timeout
    )
    app.post("/webhooks/dub")(decorator(handler))
    return AsgiClient(app)


def response(status: int | None) -> PlainTextResponse | None:
    """Return what the table's handler answers."""
    return None if status is None else PlainTextResponse(OWN_BODY, status)


class TestRouter(AdapterBehaviour):
    """A router, with async handlers."""

    def mount(self, setup: Setup) -> Client:
        """Include the router in an application."""
        app = FastAPI()
        hooks = setup.registry(is_async=True)
        app.include_router(dubhooks.fastapi.router(hooks, read_timeout=setup.read_timeout))
        return AsgiClient(app)


class TestRouterSyncHandler(AdapterBehaviour):
    """A router, with sync handlers."""

    def mount(self, setup: Setup) -> Client:
        """Include the router in an application."""
        app = FastAPI()
        hooks = setup.registry()
        app.include_router(dubhooks.fastapi.router(hooks, read_timeout=setup.read_timeout))
        return AsgiClient(app)


class TestWebhook(AdapterBehaviour):
    """A route with an async handler."""

    is_route = True

    def mount(self, setup: Setup) -> Client:
        """Decorate a coroutine function."""

        async def handler(event: Any) -> PlainTextResponse | None:
            return response(setup.run(event))

        return routed(setup, handler)


class TestWebhookSyncHandler(AdapterBehaviour):
    """A route with a sync handler."""

    is_route = True

    def mount(self, setup: Setup) -> Client:
        """Decorate a function."""

        def handler(event: Any) -> PlainTextResponse | None:
            return response(setup.run(event))

        return routed(setup, handler)


class TestStarlette(AdapterBehaviour):
    """A route of Starlette without FastAPI."""

    def mount(self, setup: Setup) -> Client:
        """Give the ASGI application to a route."""
        endpoint = asgi.app(setup.registry(is_async=True), read_timeout=setup.read_timeout)
        return AsgiClient(Starlette(routes=[Route("/webhooks/dub", endpoint)]))
