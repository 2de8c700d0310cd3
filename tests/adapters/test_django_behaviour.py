"""The shared behaviour of ``dubhooks.django``, under WSGI and under ASGI."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import path

import dubhooks.django
from tests.support.adapters.behaviour import AdapterBehaviour, Setup
from tests.support.adapters.clients import Client
from tests.support.adapters.django_setup import PATH, DjangoClient
from tests.support.adapters.handlers import of_kind
from tests.support.adapters.situations import BODY, HUGE, OWN_BODY, SITUATIONS, Request

CANNOT = frozenset({"stall"})
"""Under WSGI only the server can bound a slow body; under ASGI Django has received it before."""
CANNOT_UNDER_ASGI = CANNOT | {"chunked"}
"""Django has received all chunks, however many, before it calls a view."""


def own(status: int | None) -> HttpResponse | None:
    """Return what a handler returns to answer ``status``."""
    if status is None:
        return None
    headers = {"Location": "/elsewhere"} if 300 <= status < 400 else {}
    return HttpResponse(OWN_BODY, status=status, headers=headers)


def view(setup: Setup, *, is_async: bool = False, asgi: bool = False) -> Client:
    """Serve the registry as a view."""
    hooks = setup.registry(is_async=is_async)
    return DjangoClient(path(PATH, dubhooks.django.view(hooks)), asgi=asgi)


def webhook(setup: Setup, *, is_async: bool = False, asgi: bool = False) -> Client:
    """Serve a decorated handler."""
    decorate: Any = dubhooks.django.webhook(setup.hooks, *setup.events, dedupe=setup.dedupe)

    def take(request: HttpRequest, event: Any, tenant: str) -> HttpResponse | None:
        assert tenant == "dub"
        # Django takes a body whose length is not announced for empty under WSGI.
        expected = event.to_json() if asgi or request.META.get("CONTENT_LENGTH") else b""
        assert request.body == expected
        return own(setup.run(event))

    mounted: Any = decorate(of_kind(take, is_async=is_async))
    return DjangoClient(path("webhooks/<tenant>", mounted), asgi=asgi)


class TestView(AdapterBehaviour):
    """The registry as a view, under WSGI."""

    is_async, asgi = False, False
    cannot = CANNOT

    def mount(self, setup: Setup) -> Client:
        """Add a URL."""
        return view(setup, is_async=self.is_async, asgi=self.asgi)


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
        return webhook(setup, is_async=self.is_async, asgi=self.asgi)


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


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("mount", [view, webhook])
def test_chunks_under_asgi(mount: Callable[..., Client], is_async: bool, tmp_path: Any) -> None:
    """A body in chunks is handled, and one that is too large refused, as everywhere."""
    client = mount(Setup(SITUATIONS[0], tmp_path), is_async=is_async, asgi=True)
    assert Request(BODY, chunked=True).send(client).status == 200
    assert Request(HUGE, chunked=True).send(client).status == 413
