"""What the tests of the stores in Redis share."""

from collections.abc import Callable
from typing import Any

import redis
import redis.asyncio
import valkey
import valkey.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from dubhooks.idempotency import is_async_store
from dubhooks.stores.redis import AsyncRedisStore, RedisStore
from tests.support.on_loop import OnLoop

BOUNDED: dict[str, Any] = {"socket_timeout": 5, "retry": Retry(NoBackoff(), 1)}

OPEN: dict[str, Callable[[str], Any]] = {
    "url": RedisStore,
    "url, async": AsyncRedisStore,
    "valkey url": lambda url: RedisStore(url.replace("redis:", "valkey:")),
    "valkey url, async": lambda url: AsyncRedisStore(url.replace("redis:", "valkey:")),
    "client": lambda url: RedisStore(
        redis.Redis.from_url(url, decode_responses=True, protocol=3, **BOUNDED)
    ),
    "client, async": lambda url: AsyncRedisStore(redis.asyncio.Redis.from_url(url)),
    "valkey client": lambda url: RedisStore(valkey.Valkey.from_url(url, socket_timeout=5)),
    "valkey client, async": lambda url: AsyncRedisStore(valkey.asyncio.Valkey.from_url(url)),
}
"""Every way to a store."""
URLS = [kind for kind in OPEN if "url" in kind]


def open_redis(kind: str, url: str) -> Any:
    """Open a store in one of these ways; an async one is on a loop of its own."""
    store = OPEN[kind](url)
    return OnLoop(store) if is_async_store(store) else store
