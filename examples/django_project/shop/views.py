"""A view for one kind of event, with a part of the URL beside it."""

from django.http import HttpRequest, HttpResponse

from dubhooks.django import hooks, webhook
from dubhooks.webhooks import LeadCreated
from shop.models import Lead


@webhook(hooks, LeadCreated)
async def record_lead(request: HttpRequest, event: LeadCreated, shop: str) -> HttpResponse:
    """Write a lead down; an async view, under WSGI and ASGI."""
    await Lead.objects.acreate(event_id=event.id, shop=shop)
    return HttpResponse(status=202)
