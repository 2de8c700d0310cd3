"""The stores in Redis, on a real server."""

import asyncio
import logging
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.exceptions import OutOfMemoryError

from dubhooks import ConfigurationError
from dubhooks.stores.redis import AsyncRedisStore, RedisStore
from dubhooks.testing import StoreContract
from tests.support.processes import free_port
from tests.support.servers import RedisServer
from tests.support.stores.backends import close
from tests.support.stores.redis_cases import BOUNDED, OPEN
from tests.support.stores.store_cases import FINGERPRINT, claim


class TestContract(StoreContract):
    """A store keeps the contract, through every client."""

    @pytest.fixture(autouse=True, params=OPEN)
    def _server(self, redis_server: RedisServer, request: pytest.FixtureRequest) -> None:
        self.url, self.open = redis_server.url, OPEN[request.param]

    def make_store(self) -> Any:
        """Return another handle with a client of its own."""
        return self.open(self.url)

    def close_store(self, store: Any) -> object:
        """Close the client, which may be the test's."""
        return close(store)


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A client of the session's server, which is empty."""
    with redis.Redis.from_url(redis_server.url, **BOUNDED) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisServer]:
    """A cluster of one node that has all slots."""
    with RedisServer("--cluster-enabled", "yes", "--cluster-port", str(free_port())) as server:
        node = redis.Redis.from_url(server.url)
        node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        info: Any = b""
        while b"cluster_state:ok" not in info:
            info = node.execute_command("CLUSTER", "INFO")
        node.close()
        yield server


def fill(client: redis.Redis) -> None:
    """Set keys until the server refuses."""
    for number in count():
        try:
            client.set(f"other-{number}", "x" * 1000)
        except OutOfMemoryError:
            return


def until_refused(store: RedisStore) -> None:
    """Claim new keys until one is refused: a few bytes may still be free."""
    for number in range(100_000):
        try:
            claim(store, f"last-{number}")
        except OutOfMemoryError:
            return
    raise AssertionError("every claim was taken")


def test_cluster(cluster: RedisServer) -> None:
    """The stores work through cluster clients, because a method touches one key."""
    with redis.RedisCluster(host=cluster.host, port=cluster.port) as client:
        store = RedisStore(client)
        for number in range(50):
            assert claim(store, f"sync-{number}").state == "acquired"
            assert store.complete(f"sync-{number}", "one", retention=60.0)
            assert store.forget(f"sync-{number}")

    async def work() -> None:
        async with redis.asyncio.RedisCluster(host=cluster.host, port=cluster.port) as client:
            store = AsyncRedisStore(client)
            claimed = await store.claim("a", "t", fingerprint="f", lease=60.0, retention=600.0)
            assert claimed.state == "acquired"
            assert await store.release("a", "t")
            assert await store.forget("a")

    asyncio.run(work())


def test_keys_begin_with_the_prefix(client: redis.Redis) -> None:
    """Claims are kept apart from other data, and stores with other prefixes from each other."""
    assert claim(RedisStore(client)).state == "acquired"
    assert claim(RedisStore(client, prefix="shop:"), token="two").state == "acquired"
    assert sorted(client.keys()) == [b"dubhooks:k", b"shop:k"]


def test_retention_is_the_expiry(client: redis.Redis) -> None:
    """Redis forgets a key by itself when its retention is over, and a release keeps the date."""
    store = RedisStore(client)
    claim(store, retention=100.0)
    assert 90_000 < client.pttl("dubhooks:k") <= 100_000
    store.release("k", "one")
    assert 90_000 < client.pttl("dubhooks:k") <= 100_000
    claim(store, retention=200.0)
    store.complete("k", "one", retention=1000.0)
    assert 990_000 < client.pttl("dubhooks:k") <= 1_000_000


def test_scripts_are_loaded_again(client: redis.Redis) -> None:
    """A server that lost its scripts, as after a restart or failover, gets them again."""
    store = RedisStore(client)
    claim(store)
    client.script_flush()
    assert store.complete("k", "one", retention=60.0)
    client.script_flush()
    assert claim(store, token="two").state == "done"
    client.script_flush()
    assert store.forget("k")


def test_full_memory_refuses_claims_and_takes_completions() -> None:
    """At maxmemory a new claim is refused; what runs can be completed, released, forgotten."""
    with (
        RedisServer("--maxmemory", "3mb") as server,
        redis.Redis.from_url(server.url, **BOUNDED) as client,
    ):
        store = RedisStore(client)
        for key in ("done", "free", "over"):
            claim(store, key)
        store.complete("over", "one", retention=60.0)
        fill(client)
        until_refused(store)
        assert store.complete("done", "one", retention=60.0)
        assert store.release("free", "one")
        assert store.forget("over")
        client.config_set("maxmemory", 0)
        assert claim(store, "done", "two").state == "done"
        assert claim(store, "free", "two")[:2] == ("acquired", 2)
        assert claim(store, "new")[:2] == ("acquired", 1)


def test_read_only_replica(redis_server: RedisServer) -> None:
    """A replica refuses claims, and the error says to use the primary."""
    with RedisServer() as server, redis.Redis.from_url(server.url, **BOUNDED) as client:
        client.replicaof(redis_server.host, str(redis_server.port))
        with pytest.raises(ConfigurationError, match="connect the client to the primary"):
            claim(RedisStore(client))
        with pytest.raises(ConfigurationError, match="connect the client to the primary"):
            asyncio.run(_claim_async(server.url))


@pytest.mark.parametrize(
    ("setting", "value", "advice"),
    [
        ("maxmemory-policy", "allkeys-lru", "set maxmemory-policy noeviction"),
        ("maxmemory-policy", "volatile-ttl", "set maxmemory-policy noeviction"),
        ("appendonly", "no", "set appendonly yes"),
    ],
)
def test_forgetful_settings_are_warned_about(
    setting: str, value: str, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The first claim warns about eviction and about a missing append-only file, once."""
    with RedisServer() as server, redis.Redis.from_url(server.url, **BOUNDED) as client:
        client.config_set(setting, value)
        store = RedisStore(client)
        claim(store, "a")
        claim(store, "b")
        asyncio.run(_claim_async(server.url))
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert all(advice in record.getMessage() for record in caplog.records)


def test_forbidden_info_is_silent(
    client: redis.Redis, caplog: pytest.LogCaptureFixture, redis_server: RedisServer
) -> None:
    """A user who may not ask for the settings is not warned and can claim."""
    client.execute_command("ACL SETUSER poor on nopass ~* +evalsha +script +@read +@write +time")
    try:
        poor = redis.Redis(port=redis_server.port, username="poor", password="x", **BOUNDED)
        with poor:
            assert claim(RedisStore(poor)).state == "acquired"
        asyncio.run(_claim_async(f"redis://poor:x@127.0.0.1:{redis_server.port}/0"))
    finally:
        client.execute_command("ACL DELUSER poor")
    assert not caplog.records


async def _claim_async(url: str) -> None:
    async with redis.asyncio.Redis.from_url(url, **BOUNDED) as client:
        store = AsyncRedisStore(client)
        for key in ("k", "k"):
            await store.claim(key, "one", fingerprint=FINGERPRINT, lease=60.0, retention=60.0)
