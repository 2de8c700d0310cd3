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
from tests.support.adapters.handlers import of_kind
from tests.support.adapters.situations import OWN_BODY, Step


class TestRouter(AdapterBehaviour):
    """A router, with async handlers."""

    is_async = True

    def mount(self, setup: Setup) -> Client:
        """Include the router in an application."""
        app = FastAPI()
        hooks = setup.registry(is_async=self.is_async)
        app.include_router(dubhooks.fastapi.router(hooks, read_timeout=setup.read_timeout))
        return AsgiClient(app)


class TestRouterSyncHandler(TestRouter):
    """A router, with sync handlers."""

    is_async = False


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

    is_async = True

    def mount(self, setup: Setup) -> Client:
        """Decorate a handler."""

        def handler(event: Any) -> PlainTextResponse | None:
            status = setup.run(event)
            return None if status is None else PlainTextResponse(OWN_BODY, status)

        decorate: Any = dubhooks.fastapi.webhook(
            setup.hooks, *setup.events, dedupe=setup.dedupe, read_timeout=setup.read_timeout
        )
        app = FastAPI()
        app.post("/webhooks/dub")(decorate(of_kind(handler, is_async=self.is_async)))
        return AsgiClient(app)


class TestWebhookSyncHandler(TestWebhook):
    """A route with a sync handler."""

    is_async = False


class TestStarlette(AdapterBehaviour):
    """A route of Starlette without FastAPI."""

    def mount(self, setup: Setup) -> Client:
        """Give the ASGI application to a route."""
        endpoint = asgi.app(setup.registry(is_async=True), read_timeout=setup.read_timeout)
        return AsgiClient(Starlette(routes=[Route("/webhooks/dub", endpoint)]))
