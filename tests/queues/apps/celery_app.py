"""A Celery application with the shop of the contract."""

import os

from celery import Celery

from dubhooks.queues.celery import CeleryQueue
from dubhooks.testing import QueueShop


def make_app(url: str) -> Celery:
    """Return an application as the page tells to set it up."""
    app = Celery("shop", broker=url)
    app.conf.broker_transport_options = {
        "confirm_publish": True,
        "confirm_timeout": 5,
        "connect_timeout": 5,
        "read_timeout": 5,
        "write_timeout": 5,
        "max_retries": 1,
    }
    app.conf.broker_connection_timeout = 5
    app.conf.broker_connection_retry_on_startup = True
    app.conf.worker_prefetch_multiplier = 1
    return app


if "DUBHOOKS_QUEUE_SHOP" in os.environ and "AMQP_URL" in os.environ:
    app = make_app(os.environ["AMQP_URL"])
    later = CeleryQueue(app, queue=os.environ["AMQP_QUEUE"])
    shop = QueueShop(later)
