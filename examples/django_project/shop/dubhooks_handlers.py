"""Handlers, which dubhooks finds by the name of this module."""

from django.db import transaction

from dubhooks.django import DjangoInbox, hooks
from dubhooks.webhooks import SaleCreated
from shop.models import Sale

inbox = DjangoInbox()


@hooks.on(SaleCreated)
def record_sale(event: SaleCreated) -> None:
    """Write a sale down.

    The inbox notes the event in the same transaction: even when a server dies
    between the commit and the answer, the next delivery writes nothing.
    """
    with transaction.atomic():
        if inbox.first(event):
            customer = event.data.customer.external_id or event.data.customer.id
            cents = event.data.sale.amount
            Sale.objects.create(event_id=event.id, customer=customer, cents=cents)
