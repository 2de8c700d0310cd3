"""A queue of RQ with the shop of the contract."""

import os

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from dubhooks.queues.rq import RQQueue
from dubhooks.testing import QueueShop


def make_client(url: str) -> Redis:
    """Return a client as the page tells to make it."""
    return Redis.from_url(
        url, socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), 1)
    )


def make_queue(url: str, name: str) -> RQQueue:
    """Return the queue, whose jobs look for it in this module."""
    return RQQueue("tests.queues.apps.rq_app.later", make_client(url), name=name)


if "DUBHOOKS_QUEUE_SHOP" in os.environ and "RQ_REDIS_URL" in os.environ:
    later = make_queue(os.environ["RQ_REDIS_URL"], os.environ["RQ_QUEUE"])
    shop = QueueShop(later)
