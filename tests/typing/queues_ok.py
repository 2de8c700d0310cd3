"""What type checkers must accept and infer of queued handlers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from celery import Celery
from dramatiq import Broker
from procrastinate import App, SyncPsycopgConnector
from redis import Redis
from typing_extensions import assert_type, override

import dubhooks
from dubhooks.django import DjangoQueue
from dubhooks.queues import Queue
from dubhooks.queues.celery import CeleryQueue
from dubhooks.queues.dramatiq import DramatiqQueue
from dubhooks.queues.procrastinate import ProcrastinateQueue
from dubhooks.queues.rq import RQQueue
from dubhooks.testing import HeldQueue, QueueContract, QueueShop
from dubhooks.webhooks import LeadCreated, PayoutConfirmed, SaleCreated, UnknownEvent

app = Celery("shop")
later = CeleryQueue(app, name="dub", queue="dub", retry_for=timedelta(days=2))
jobs = ProcrastinateQueue(
    App(connector=SyncPsycopgConnector()), name="dub", retry_for=timedelta(days=2)
)
rows = DjangoQueue(backend="default", queue_name="dub", may_lose_events=False)
unsafe = CeleryQueue(app, may_lose_events=True)
redis = Redis(socket_timeout=5)
of_rq = RQQueue("shop.hooks.of_rq", redis, name="dub", timeout=60, may_lose_events=True)
of_dramatiq = DramatiqQueue(Broker(), name="dub", timeout=timedelta(minutes=5))
held = HeldQueue(retry_for=timedelta(hours=1), may_lose_events=False)
hooks = dubhooks.Webhooks(
    "whsec_x",
    store=dubhooks.SQLiteStore("claims.db"),
    dead_letters=dubhooks.DeadLetterDirectory("letters"),
)
partner_hooks = dubhooks.Postbacks("pbsec_x")


@hooks.on(SaleCreated, queue=later)
def record_sale(event: SaleCreated) -> None:
    assert_type(event.data.sale.amount, int)


assert_type(record_sale, Callable[[SaleCreated], None])


@hooks.on(LeadCreated, dedupe="natural", queue=held)
async def record_lead(event: LeadCreated) -> None: ...


@hooks.on(PayoutConfirmed, queue=later, paid_when_queued=True)
def pay(event: PayoutConfirmed) -> None: ...


@hooks.on("invoice.refunded", queue=None)
def refund(event: UnknownEvent) -> None: ...


hooks.on(SaleCreated, LeadCreated, queue=later)(lambda event: print(event.data.customer.id))
partner_hooks.on(dubhooks.postbacks.SaleCreated, queue=later)(lambda event: print(event.id))


class OwnQueue(Queue):
    """What an engine's author writes."""

    @override
    def put(self, message: str, after: float = 0.0) -> None:
        print(message, after)


own = OwnQueue(retry_for=timedelta(days=1))
assert_type(own.work("message"), None)
assert_type(held.run(), int)
shop = QueueShop(own)


class TestOwn(QueueContract):
    """And how it is tested."""

    @override
    def make_queue(self) -> OwnQueue:
        return own
