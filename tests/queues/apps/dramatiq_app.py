"""A broker of Dramatiq with the shop of the contract."""

import os

from dramatiq.brokers.redis import RedisBroker
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from dubhooks.queues.dramatiq import DramatiqQueue
from dubhooks.testing import QueueShop


def make_broker(url: str) -> RedisBroker:
    """Return a broker as the page tells to make it."""
    client = Redis.from_url(
        url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(ConstantBackoff(1), 3)
    )
    return RedisBroker(client=client, maintenance_chance=100_000)


if "DUBHOOKS_QUEUE_SHOP" in os.environ and "DRAMATIQ_REDIS_URL" in os.environ:
    broker = make_broker(os.environ["DRAMATIQ_REDIS_URL"])
    later = DramatiqQueue(broker, name=os.environ["DRAMATIQ_QUEUE"])
    shop = QueueShop(later)
