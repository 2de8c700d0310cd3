"""Django's decorator: what a handler must take, what it shows, and where events go."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
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
from dubhooks import ConfigurationError, MemoryStore, Webhooks
from dubhooks.testing import make_event
from dubhooks.webhooks import LeadCreated, PayoutConfirmed, SaleCreated, WebhookEvent
from tests.support.adapters.django_setup import MIDDLEWARE, PATH, DjangoClient
from tests.support.adapters.situations import (
    LINK,
    PAYOUT,
    PAYOUT_REQUEST,
    SALE,
    SALE_REQUEST,
    SECRET,
    Request,
)

BOTH = pytest.mark.parametrize("asgi", [False, True], ids=["wsgi", "asgi"])
ASYNC = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
WITHOUT_LOGIN = [one for one in MIDDLEWARE if "Login" not in one]


def decorate(handler: Any, *events: Any) -> Any:
    """Decorate a handler of sales, or of these events."""
    return dubhooks.django.webhook(Webhooks(SECRET), *(events or (SaleCreated,)))(handler)


def swapped(e: SaleCreated, r: HttpRequest) -> None:
    """Take the event first."""


def other_event(request: HttpRequest, event: LeadCreated) -> None:
    """Take another event."""


def only_event(sale: SaleCreated) -> None:
    """Take no request."""


def by_name(request: HttpRequest, *, event: SaleCreated) -> None:
    """Take the event by name."""


def generator(request: HttpRequest, event: SaleCreated) -> Iterator[str]:
    """Yield."""
    yield event.id


class Method:
    """A class with a handler."""

    def post(self, request: HttpRequest, event: SaleCreated) -> None:
        """Take a sale."""


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (swapped, "second parameter of swapped is the event and takes SaleCreated"),
        (other_event, "second parameter of other_event is the event and takes SaleCreated"),
        (lambda event: None, "has no event parameter: the second one is the event"),
        (Method.post, r"Method\.post is a method, and nobody passes its self"),
        (1, "a handler must be callable"),
        (only_event, "only_event has no event parameter: the second one is the event"),
        (lambda: None, "has no event parameter"),
        (by_name, "by_name has no event parameter"),
        (generator, "generator yields"),
    ],
)
def test_handlers_that_cannot_work(handler: Any, words: str) -> None:
    """A handler that could not be called is refused where it is decorated."""
    with pytest.raises(ConfigurationError, match=words):
        decorate(handler)


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


# -- the same payout under another event id -------------------------------------------------------


@BOTH
@ASYNC
def test_a_payout_that_is_sent_under_two_ids(is_async: bool, asgi: bool) -> None:
    """``dedupe="natural"`` pays it once; the event's id alone does not tell."""
    paid: list[str] = []

    def pay(request: HttpRequest, event: PayoutConfirmed) -> None:
        paid.append(event.data.id)

    async def pay_async(request: HttpRequest, event: PayoutConfirmed) -> None:
        pay(request, event)

    again = Request(make_event(PayoutConfirmed, data__id=PAYOUT.data.id).to_json())
    assert again.body != PAYOUT_REQUEST.body
    for dedupe, times in (("natural", 1), ("id", 2)):
        hooks = Webhooks(SECRET, store=MemoryStore())
        route: Any = dubhooks.django.webhook(hooks, PayoutConfirmed, dedupe=dedupe)  # type: ignore[call-overload]
        client = DjangoClient(path(PATH, route(pay_async if is_async else pay)), asgi=asgi)
        assert [request.send(client).status for request in (PAYOUT_REQUEST, again)] == [200, 200]
        assert paid == [PAYOUT.data.id] * times
        paid.clear()


# -- what the view shows ---------------------------------------------------------------------------


def named(request: HttpRequest, event: SaleCreated, tenant: Tenant, *, page: int = 1) -> None:
    """Take a sale of a tenant."""


async def named_async(request: HttpRequest, event: SaleCreated, tenant: Tenant) -> None:
    """Take a sale of a tenant."""


class Tenant(Enum):
    """What only this module can resolve."""

    ACME = "acme"


@pytest.mark.parametrize("handler", [named, named_async])
def test_the_event_is_hidden(handler: Any) -> None:
    """Who inspects the view sees what a caller passes, with annotations that are resolved."""
    view = decorate(handler)
    parameters = inspect.signature(view).parameters
    assert list(parameters)[:2] == ["request", "tenant"]
    assert parameters["tenant"].annotation is Tenant
    assert ("page" in parameters) is (handler is named)
    assert view.__doc__ == "Take a sale of a tenant."
    assert inspect.iscoroutinefunction(view) is (handler is named_async)


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

    async def sale_async(
        request: HttpRequest, event: SaleCreated, tenant: Tenant, page: int = 1
    ) -> None:
        sale(request, event, tenant, page)

    api = NinjaAPI(urls_namespace=f"{is_async} {asgi}")
    api.post("/dub/{tenant}")(decorate(sale_async if is_async else sale))
    for alias in connections:  # django-ninja's own views are not exempt
        monkeypatch.setitem(connections.settings[alias], "ATOMIC_REQUESTS", False)
    urls = path("", api.urls)
    client = DjangoClient(urls, asgi=asgi, path="dub/acme", MIDDLEWARE=WITHOUT_LOGIN)
    assert SALE_REQUEST.send(client).status == 200
    assert seen == [SALE.id, Tenant.ACME, 1]


# -- where events go -------------------------------------------------------------------------------


@BOTH
@ASYNC
def test_a_route_falls_back_to_registered_handlers(is_async: bool, asgi: bool) -> None:
    """What a view does not take goes to ``on``, once; what nobody takes is ignored."""
    took: list[str] = []
    hooks = Webhooks(SECRET, store=MemoryStore())

    def route(request: HttpRequest, event: SaleCreated) -> HttpResponse:
        took.append("route")
        return HttpResponse("own")

    async def route_async(request: HttpRequest, event: SaleCreated) -> HttpResponse:
        return route(request, event)

    def registered(event: LeadCreated) -> Any:
        took.append("on")
        return HttpResponse("not sent")

    async def registered_async(event: LeadCreated) -> Any:
        return registered(event)

    # One of them is sync and one async.
    hooks.on(LeadCreated)(registered if is_async else registered_async)
    view: Any = dubhooks.django.webhook(hooks, SaleCreated)(route_async if is_async else route)
    client = DjangoClient(path(PATH, view), asgi=asgi)
    lead = Request(make_event(LeadCreated).to_json())
    bodies = [request.send(client).body for request in (SALE_REQUEST, lead, lead, LINK)]
    assert bodies == [
        b"own",
        b'{"outcome":"handled"}',
        b'{"outcome":"duplicate"}',
        b'{"outcome":"ignored"}',
    ]
    assert took == ["route", "on"]
