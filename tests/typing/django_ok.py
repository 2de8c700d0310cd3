"""What type checkers must accept and infer of ``dubhooks.django``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import include, path
from typing_extensions import assert_type

import dubhooks
from dubhooks import postbacks
from dubhooks.django import DjangoInbox, DjangoStore
from dubhooks.webhooks import LeadCreated, SaleCreated, UnknownEvent, WebhookEvent

hooks = dubhooks.Webhooks("whsec_x", store=DjangoStore(using="default"))
partner_hooks = dubhooks.Postbacks("pbsec_x", store=DjangoStore())
inbox = DjangoInbox(using="default", namespace="shop")


@dubhooks.django.webhook(hooks, SaleCreated)
def sale(request: HttpRequest, event: SaleCreated, tenant: str) -> HttpResponse | None:
    assert_type(event.data.sale.amount, int)
    with transaction.atomic():
        if inbox.first(event):
            return None
    return JsonResponse({"tenant": tenant})


sale_view: Callable[[HttpRequest, str], HttpResponseBase] = sale


@dubhooks.django.webhook(hooks, LeadCreated, SaleCreated)
async def either(request: HttpRequest, event: LeadCreated | SaleCreated) -> None:
    assert_type(event.data.customer.id, str)


assert_type(either, Callable[[HttpRequest], Coroutine[Any, Any, HttpResponseBase]])


@dubhooks.django.webhook(hooks)
def every(request: HttpRequest, event: WebhookEvent) -> HttpResponse:
    return HttpResponse(event.id)


@dubhooks.django.webhook(partner_hooks, postbacks.SaleCreated, dedupe="natural")
async def postback(request: HttpRequest, event: postbacks.SaleCreated, number: int) -> HttpResponse:
    return HttpResponse()


@dubhooks.django.webhook(hooks, "invoice.refunded")
def without_model(request: HttpRequest, event: UnknownEvent) -> None: ...


@dubhooks.django.hooks.on(SaleCreated)
def registered(event: SaleCreated) -> None: ...


urlpatterns = [
    path("webhooks/dub/", dubhooks.django.view(hooks)),
    path("webhooks/partner/", dubhooks.django.view(partner_hooks)),
    path("<tenant>/sale/", sale),
    path("either/", either),
    path("dub/", include("dubhooks.django.urls")),
]
