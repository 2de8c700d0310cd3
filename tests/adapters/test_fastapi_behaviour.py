"""The shared behaviour of ``dubhooks.fastapi``, and of plain Starlette."""

from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from starlette.applications import Starlette
from starlette.routing import Route

import dubhooks.fastapi
from dubhooks import asgi
from tests.support.adapters.behaviour import AdapterBehaviour, Setup
from tests.support.adapters.clients import AsgiClient, Client
from tests.support.adapters.situations import OWN_BODY, Step


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


RAISED = {
    "unauthorized": None,
    "too_large": None,
    "too_slow": None,
    "compressed": None,
    "retry": "retry_later",
    "rejected": "rejected",
}
"""Outcomes that leave a route as an ``HTTPException``, and their code when a step names none."""


class RouteBehaviour(AdapterBehaviour):
    """What a decorated route raises is written by FastAPI, with the code as its detail."""

    is_route = True

    def expect_reply(self, step: Step) -> dict[str, str | None]:
        """Return the JSON of our own reply to a step."""
        if step.outcome in RAISED or step.code == "body_empty":
            return {"detail": step.code or RAISED[str(step.outcome)]}
        return super().expect_reply(step)


class TestWebhook(RouteBehaviour):
    """A route with an async handler."""

    def mount(self, setup: Setup) -> Client:
        """Decorate a coroutine function."""

        async def handler(event: Any) -> PlainTextResponse | None:
            return response(setup.run(event))

        return routed(setup, handler)


class TestWebhookSyncHandler(RouteBehaviour):
    """A route with a sync handler."""

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
