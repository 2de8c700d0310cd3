"""The shared behaviour of ``dubhooks.django``, under WSGI and under ASGI."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

import dubhooks.django
from tests.support.adapters.behaviour import AdapterBehaviour, Setup
from tests.support.adapters.clients import Client
from tests.support.adapters.django_setup import PATH, DjangoClient
from tests.support.adapters.handlers import of_kind
from tests.support.adapters.situations import OWN_BODY

CANNOT = frozenset({"stall"})
"""Under WSGI only the server can bound a slow body; under ASGI Django has received it before."""
CANNOT_UNDER_ASGI = CANNOT | {"reads early"}
"""Django has received all chunks, however many, before it calls a view."""


class TestView(AdapterBehaviour):
    """The registry as a view, under WSGI."""

    is_async, asgi = False, False
    cannot = CANNOT

    def mount(self, setup: Setup) -> Client:
        """Add a URL."""
        view = dubhooks.django.view(setup.registry(is_async=self.is_async))
        return DjangoClient(path(PATH, view), asgi=self.asgi)


class TestViewAsyncHandler(TestView):
    """The registry as a view with an async handler, under WSGI."""

    is_async = True


class TestViewAsgi(TestView):
    """The registry as a view, under ASGI."""

    asgi = True
    cannot = CANNOT_UNDER_ASGI


class TestViewAsyncHandlerAsgi(TestViewAsgi):
    """The registry as a view with an async handler, under ASGI."""

    is_async = True


class TestWebhook(AdapterBehaviour):
    """The decorator, under WSGI."""

    is_route = True
    is_async, asgi = False, False
    cannot = CANNOT

    def mount(self, setup: Setup) -> Client:
        """Decorate a handler."""
        decorate: Any = dubhooks.django.webhook(setup.hooks, *setup.events, dedupe=setup.dedupe)

        def take(request: HttpRequest, event: Any, tenant: str) -> HttpResponse | None:
            assert tenant == "dub"
            # Django takes a body whose length is not announced for empty under WSGI.
            is_there = self.asgi or request.META.get("CONTENT_LENGTH")
            assert request.body == (event.to_json() if is_there else b"")
            status = setup.run(event)
            if status is None:
                return None
            headers = {"Location": "/elsewhere"} if 300 <= status < 400 else {}
            return HttpResponse(OWN_BODY, status=status, headers=headers)

        view = decorate(of_kind(take, is_async=self.is_async))
        return DjangoClient(path("webhooks/<tenant>", view), asgi=self.asgi)


class TestWebhookAsync(TestWebhook):
    """The decorator on an async handler, under WSGI."""

    is_async = True


class TestWebhookAsgi(TestWebhook):
    """The decorator, under ASGI."""

    asgi = True
    cannot = CANNOT_UNDER_ASGI


class TestWebhookAsyncAsgi(TestWebhookAsgi):
    """The decorator on an async handler, under ASGI."""

    is_async = True
