"""What type checkers must refuse of queued handlers: each marked line, and no other."""

from __future__ import annotations

import dubhooks
from dubhooks.django import DjangoQueue
from dubhooks.queues import Queue
from dubhooks.queues.celery import CeleryQueue
from dubhooks.queues.dramatiq import DramatiqQueue
from dubhooks.queues.procrastinate import ProcrastinateQueue
from dubhooks.queues.rq import RQQueue
from dubhooks.testing import HeldQueue
from dubhooks.webhooks import LeadCreated, SaleCreated

hooks = dubhooks.Webhooks("whsec_x")
later = HeldQueue()

hooks.on(SaleCreated, queue="celery")  # expect-error
hooks.on(SaleCreated, queue=HeldQueue)  # expect-error
hooks.on(SaleCreated, paid_when_queued="yes")  # expect-error
hooks.on(SaleCreated, que=later)  # expect-error
hooks.on(SaleCreated, queue=later)(lambda event: event.data.slae)  # expect-error
hooks.on_unhandled(queue=later)  # expect-error
HeldQueue(retry_for="3 days")  # expect-error
HeldQueue(retry=3)  # expect-error
CeleryQueue("amqp://broker")  # expect-error
CeleryQueue()  # expect-error
RQQueue("shop.hooks.later", "redis://127.0.0.1")  # expect-error
RQQueue("shop.hooks.later")  # expect-error
DramatiqQueue("redis://127.0.0.1")  # expect-error
ProcrastinateQueue("postgresql://db")  # expect-error
DjangoQueue("default")  # expect-error
DjangoQueue(queue="dub")  # expect-error
Queue()  # expect-error
later.put(b"message")  # expect-error


@hooks.on(SaleCreated, queue=later)  # expect-error
def wrong_event(event: LeadCreated) -> None: ...
