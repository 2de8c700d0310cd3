"""Django's decorator: what a handler must take, what it shows, and where events go."""

from __future__ import annotations

import inspect
from enum import Enum
from typing import Any

import pytest
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

import dubhooks.django
from dubhooks import ConfigurationError, Webhooks
from dubhooks.webhooks import SaleCreated, WebhookEvent
from tests.support.adapters.django_setup import PATH, WITHOUT_LOGIN, DjangoClient
from tests.support.adapters.handlers import of_kind
from tests.support.adapters.situations import SALE, SALE_REQUEST, SECRET

BOTH = pytest.mark.parametrize("asgi", [False, True], ids=["wsgi", "asgi"])
ASYNC = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


def decorate(handler: Any) -> Any:
    """Decorate a handler of sales."""
    return dubhooks.django.webhook(Webhooks(SECRET), SaleCreated)(handler)


class Method:
    """A class with a handler."""

    def post(self, request: HttpRequest, event: SaleCreated) -> None:
        """Take a sale."""


def test_a_handler_without_the_request() -> None:
    """A handler that takes the event alone is refused where it is decorated."""
    with pytest.raises(ConfigurationError, match="has no event parameter: the second one is the"):
        decorate(lambda event: None)


def unknown_names(request: Nobody, event: Knows | None) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Have annotations that only a type checker can resolve."""


def wider(request: HttpRequest, event: WebhookEvent) -> None:
    """Take every event."""


def anything(*args: Any, **names: Any) -> None:
    """Take everything."""


@pytest.mark.parametrize(
    "handler", [unknown_names, wider, anything, Method().post, lambda request, event: None]
)
def test_handlers_that_work(handler: Any) -> None:
    """What may take the event is accepted."""
    client = DjangoClient(path(PATH, decorate(handler)))
    assert SALE_REQUEST.send(client).status == 200


def test_a_method_decorator() -> None:
    """Django's own way to decorate a method works, because it decorates the bound one."""
    events: list[str] = []

    class Hook(View):
        @method_decorator(decorate)
        def post(self, request: HttpRequest, event: SaleCreated) -> HttpResponse:
            events.append(event.id)
            return HttpResponse("own")

    client = DjangoClient(path(PATH, csrf_exempt(Hook.as_view())), MIDDLEWARE=WITHOUT_LOGIN)
    response = SALE_REQUEST.send(client)
    assert (response.status, response.body) == (200, b"own")
    assert len(events) == 1


# -- what the view shows ---------------------------------------------------------------------------


def named(request: HttpRequest, event: SaleCreated, tenant: Tenant, *, page: int = 1) -> None:
    """Take a sale of a tenant."""


class Tenant(Enum):
    """What only this module can resolve."""

    ACME = "acme"


@ASYNC
def test_the_event_is_hidden(is_async: bool) -> None:
    """Who inspects the view sees what a caller passes, with annotations that are resolved."""
    view = decorate(of_kind(named, is_async=is_async))
    parameters = inspect.signature(view).parameters
    assert list(parameters) == ["request", "tenant", "page"]
    assert parameters["tenant"].annotation is Tenant
    assert view.__doc__ == "Take a sale of a tenant."
    assert inspect.iscoroutinefunction(view) is is_async


@BOTH
@ASYNC
def test_a_route_of_django_ninja(
    is_async: bool, asgi: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decorated handler is an operation of django-ninja, with what that fills in."""
    from ninja import NinjaAPI

    seen: list[object] = []

    def sale(request: HttpRequest, event: SaleCreated, tenant: Tenant, page: int = 1) -> None:
        seen.extend([event.id, tenant, page])

    api = NinjaAPI(urls_namespace=f"{is_async} {asgi}")
    api.post("/dub/{tenant}")(decorate(of_kind(sale, is_async=is_async)))
    for alias in connections:  # django-ninja's own views are not exempt
        monkeypatch.setitem(connections.settings[alias], "ATOMIC_REQUESTS", False)
    urls = path("", api.urls)
    client = DjangoClient(urls, asgi=asgi, path="dub/acme", MIDDLEWARE=WITHOUT_LOGIN)
    assert SALE_REQUEST.send(client).status == 200
    assert seen == [SALE.id, Tenant.ACME, 1]
