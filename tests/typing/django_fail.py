"""What type checkers must refuse of ``dubhooks.django``: an error on every marked line."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest, HttpResponse

import dubhooks
from dubhooks import postbacks
from dubhooks.django import DjangoInbox, DjangoStore
from dubhooks.webhooks import LeadCreated, SaleCreated

hooks = dubhooks.Webhooks("whsec_x")
partner_hooks = dubhooks.Postbacks("pbsec_x")


@dubhooks.django.webhook(hooks, SaleCreated)  # expect-error
def wrong_event(request: HttpRequest, event: LeadCreated) -> None: ...


@dubhooks.django.webhook(hooks, SaleCreated)  # expect-error
def no_request(event: SaleCreated) -> None: ...


@dubhooks.django.webhook(hooks, SaleCreated)  # expect-error
def no_event(request: HttpRequest) -> None: ...


@dubhooks.django.webhook(hooks, SaleCreated)  # expect-error
def swapped(event: SaleCreated, request: HttpRequest) -> None: ...


@dubhooks.django.webhook(hooks, SaleCreated)  # expect-error
def no_response(request: HttpRequest, event: SaleCreated) -> dict[str, str]:
    return {}


@dubhooks.django.webhook(partner_hooks, postbacks.SaleCreated)  # expect-error
def wrong_family(request: HttpRequest, event: SaleCreated) -> None: ...


@dubhooks.django.webhook(hooks, SaleCreated)
def right(request: HttpRequest, event: SaleCreated, tenant: str) -> HttpResponse:
    return HttpResponse()


right(HttpRequest(), 1)  # expect-error
right(HttpRequest())  # expect-error
dubhooks.django.webhook(SaleCreated)  # expect-error
dubhooks.django.webhook(hooks, postbacks.SaleCreated)  # expect-error
dubhooks.django.webhook(partner_hooks, SaleCreated)  # expect-error
dubhooks.django.webhook(hooks, SaleCreated, "invoice.refunded")  # expect-error
dubhooks.django.webhook(hooks, SaleCreated, read_timeout=5.0)  # expect-error
dubhooks.django.view(hooks, read_timeout=5.0)  # expect-error
dubhooks.django.webhook(hooks, SaleCreated, dedupe="naturally")  # expect-error
dubhooks.django.view("whsec_x")  # expect-error
dubhooks.django.veiw(hooks)  # expect-error
dubhooks.django.hooks.on(SaleCreated, "invoice.refunded")  # expect-error
dubhooks.django.postback_hooks.on(SaleCreated)  # expect-error
DjangoStore("default")  # expect-error
DjangoInbox(database="default")  # expect-error
DjangoInbox().first("evt_1")  # expect-error
DjangoInbox().purge("30")  # expect-error
DjangoInbox().purge(timedelta(days=30))
DjangoInbox().forget(5)  # expect-error
