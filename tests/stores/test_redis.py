"""The stores in Redis, on a real server."""

import asyncio
import contextlib
import logging
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
import redis
import redis.asyncio
import valkey
import valkey.asyncio
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ResponseError
from redis.retry import Retry

from dubhooks import ConfigurationError
from dubhooks.idempotency import is_async_store
from dubhooks.stores.redis import AsyncRedisStore, RedisStore
from dubhooks.testing import StoreContract
from tests.support.fake_clock import FakeClock
from tests.support.on_loop import OnLoop
from tests.support.proxy import Proxy
from tests.support.servers import RedisServer, free_port
from tests.support.stores.backends import Backend, Receiver, close
from tests.support.stores.store_cases import (
    FINGERPRINT,
    check_clock_set_back_and_forth,
    check_fork_after_use,
    claim,
)

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


def opened(kind: str, port: int) -> contextlib.closing[Any]:
    """Open a store, and close it at the end; an async one on a loop of its own."""
    store = OPEN[kind](f"redis://127.0.0.1:{port}/0")
    return contextlib.closing(OnLoop(store) if is_async_store(store) else store)


@pytest.mark.parametrize("kind", URLS)
@pytest.mark.parametrize("is_fresh", [True, False], ids=["fresh", "pooled"])
@pytest.mark.slow
def test_frozen_server(redis_server: RedisServer, kind: str, is_fresh: bool) -> None:
    """A server that stops answering costs a 503 in time; later the event is handled, once."""
    Backend("redis", redis_server).empty()
    receiver = Receiver(OPEN[kind](redis_server.url), lease=1.0)
    if not is_fresh:
        assert receiver.deliver("evt_1").outcome == "handled"
    redis_server.freeze()
    try:
        started = time.monotonic()
        reply = receiver.deliver("evt_2")
        seconds = time.monotonic() - started
    finally:
        redis_server.thaw()
    assert (reply.status, receiver.effects.count("evt_2")) == (503, 0)
    assert seconds < 10
    deadline = time.monotonic() + 20
    while receiver.deliver("evt_2").outcome != "handled":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert receiver.deliver("evt_2").outcome == "duplicate"
    assert receiver.effects.count("evt_2") == 1
    receiver.close()


@pytest.mark.parametrize("kind", URLS)
def test_server_killed_and_started_again(kind: str) -> None:
    """Connections that died with the server are replaced, however many a pool has of them."""
    with RedisServer() as server, opened(kind, server.port) as store:
        with ThreadPoolExecutor(8) as pool:
            keys = [f"k{number}" for number in range(200)]
            list(pool.map(lambda key: claim(store, key), keys))
        server.kill()
        with pytest.raises((RedisConnectionError, valkey.ConnectionError)):
            claim(store)
        server.start()
        for key in keys[:20]:
            assert store.complete(key, "one", retention=60.0)
        assert claim(store).state == "acquired"


def test_timeout_of_the_url_wins(redis_server: RedisServer) -> None:
    """What the URL sets is left alone, and the async store has no other deadline then."""
    with contextlib.closing(RedisStore(f"{redis_server.url}?socket_timeout=7")) as store:
        assert store._client.connection_pool.connection_kwargs["socket_timeout"] == 7
    assert AsyncRedisStore(f"{redis_server.url}?socket_timeout=7")._timeout is None
    seconds = timedelta(seconds=4)
    assert AsyncRedisStore(redis_server.url, timeout=seconds)._timeout == 4


@pytest.mark.parametrize("kind", ["url", "url, async", "client", "client, async"])
def test_closing_a_store(redis_server: RedisServer, kind: str) -> None:
    """A store closes connections of its own, and no client that somebody else made."""

    async def work(store: Any) -> bool:
        await store.claim("k", "t", fingerprint="f", lease=60.0, retention=60.0)
        pool = store._client.connection_pool
        await store.aclose()
        [connection] = pool._available_connections
        is_open: bool = connection.is_connected
        await store._client.aclose()
        return is_open

    def work_sync(store: Any) -> bool:
        claim(store)
        [connection] = store._client.connection_pool._available_connections
        store.close()
        is_open = connection._sock is not None
        store._client.close()
        return is_open

    store = OPEN[kind](redis_server.url)
    is_open = asyncio.run(work(store)) if is_async_store(store) else work_sync(store)
    assert is_open is ("client" in kind)


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


def until_refused(store: RedisStore) -> ConfigurationError:
    """Claim new keys until one is refused: a few bytes may still be free."""
    for number in range(100_000):
        try:
            claim(store, f"last-{number}")
        except ConfigurationError as error:
            return error
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


@pytest.mark.parametrize("kind", URLS)
def test_lost_replies_that_are_asked_for_again(redis_server: RedisServer, kind: str) -> None:
    """A command whose reply was lost is sent once more: that says the same, not busy or refused."""
    Backend("redis", redis_server).empty()
    with Proxy(redis_server.port) as proxy, opened(kind, proxy.port) as store:
        store.forget("k")
        proxy.drop_reply()
        assert claim(store)[:2] == ("acquired", 1)
        proxy.drop_reply()
        assert store.complete("k", "one", retention=60.0)
        assert not store.complete("k", "one", retention=60.0)
        proxy.drop_reply()
        store.forget("k")
        assert claim(store, token="two")[:2] == ("acquired", 1)
        assert proxy.dropped == 3


def test_full_memory_refuses_claims_and_takes_completions() -> None:
    """At maxmemory a new claim says what to do; what runs can be completed, released, forgotten."""
    with (
        RedisServer("--maxmemory", "3mb") as server,
        redis.Redis.from_url(server.url, **BOUNDED) as client,
    ):
        store = RedisStore(client)
        for key in ("done", "free", "over"):
            claim(store, key)
        store.complete("over", "one", retention=60.0)
        fill(client)
        error = until_refused(store)
        assert "maxmemory" in str(error)
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


def test_good_settings_are_silent(client: redis.Redis, caplog: pytest.LogCaptureFixture) -> None:
    """There is nothing to warn about with noeviction and an append-only file."""
    claim(RedisStore(client))
    assert not caplog.records


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


@pytest.mark.parametrize(
    ("options", "how_long"),
    [
        ({"socket_timeout": None}, "for ever"),
        ({"socket_timeout": 5}, "for 55 s"),  # redis-py 6 and later try again ten times
        ({"socket_timeout": 5, "retry": Retry(NoBackoff(), 3)}, "for 20 s"),
        ({"socket_timeout": 5, "retry": Retry(NoBackoff(), -1)}, "for ever"),
        ({"socket_timeout": 2.5, "retry": Retry(NoBackoff(), 3)}, None),
        (BOUNDED, None),
    ],
)
def test_client_that_waits_long_is_warned_about(
    options: dict[str, Any], how_long: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that would hold a delivery longer than the timeout is pointed out at once."""
    if options["socket_timeout"] and not hasattr(Retry, "get_retries"):
        how_long = None  # older clients retry when they are asked to, and do not tell how often
    RedisStore(redis.Redis(**options))
    AsyncRedisStore(redis.asyncio.Redis(socket_timeout=None))  # the store itself has a deadline
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (how_long is not None)
    if how_long:
        assert f"holds each delivery {how_long}" in said[0]
        assert "socket_timeout=2.5, socket_connect_timeout=2.5 and retry=" in said[0]
        caplog.clear()
        RedisStore(redis.Redis(**options), timeout=timedelta(hours=1))
        assert bool(caplog.records) is (how_long == "for ever")


@pytest.mark.parametrize("library", [redis, valkey])
def test_wrong_client(library: Any) -> None:
    """Anything but a client of the right kind is refused at once."""
    name = library.__name__.title()
    plain, asynchronous = getattr(library, name)(), getattr(library.asyncio, name)()
    with pytest.raises(ConfigurationError, match="pass it to AsyncRedisStore"):
        RedisStore(asynchronous)
    with pytest.raises(ConfigurationError, match="pass it to RedisStore"):
        AsyncRedisStore(plain)
    wrongs: list[Any] = [None, 5, plain.pipeline(), asynchronous.pipeline(), type(plain)]
    for wrong in wrongs:
        for store in (RedisStore, AsyncRedisStore):
            with pytest.raises(ConfigurationError, match="needs a URL, or a client of redis-py or"):
                store(wrong)


@pytest.mark.parametrize("store", [RedisStore, AsyncRedisStore])
@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("", "begins with redis://, rediss://"),
        ("localhost:6379", "begins with redis://, rediss://"),
        ("http://:swordfish@localhost", "begins with redis://, rediss://"),
        ("redis://:swordfish@localhost:x/0", "it looks like redis://user:password@host"),
        ("redis://user:sword#fish@localhost:6379", "special characters of the password percent"),
        ("valkey://localhost?db=x&password=swordfish", "cannot be read"),
        ("redis://:swordfish@localhost?sockettimeout=5", "options that the library knows"),
    ],
)
def test_wrong_url(store: Callable[[str], Any], url: str, advice: str) -> None:
    """A URL that cannot be read is refused at once, and the message does not quote it."""
    with pytest.raises(ConfigurationError, match=advice) as refused:
        store(url)
    assert "swordfish" not in "".join(traceback.format_exception(refused.value))


def test_unreachable_server() -> None:
    """The driver's error comes through when there is no server."""
    client = redis.Redis(port=free_port(), retry=Retry(NoBackoff(), 0))
    with pytest.raises(RedisConnectionError):
        claim(RedisStore(client))


def test_other_errors_come_through(client: redis.Redis) -> None:
    """An error that dubhooks knows nothing about stays the driver's own."""
    client.set("dubhooks:k", "a string is in the way")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        claim(RedisStore(client))
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        asyncio.run(_claim_async(f"redis://127.0.0.1:{_port_of(client)}/0"))


@pytest.mark.slow
def test_clock_set_back_and_forth() -> None:
    """A clock set back delays a takeover by one lease at most; set forward it ends leases early."""
    clock = FakeClock()
    try:
        with (
            RedisServer(clock=clock) as server,
            redis.Redis.from_url(server.url, **BOUNDED) as client,
        ):
            check_clock_set_back_and_forth(RedisStore(client), clock)
    finally:
        clock.close()


@pytest.mark.slow
def test_fork_after_use(client: redis.Redis) -> None:
    """A child of a process that has claimed uses connections of its own, and so does the parent."""
    check_fork_after_use(RedisStore(client))


def test_kinds_and_names(client: redis.Redis) -> None:
    """The pipeline tells the kinds apart, and neither shows the server's address."""
    store, other = RedisStore(client), AsyncRedisStore(redis.asyncio.Redis(password="secret"))
    assert (is_async_store(store), is_async_store(other)) == (False, True)
    assert (repr(store), repr(other)) == (
        "RedisStore(prefix='dubhooks:')",
        "AsyncRedisStore(prefix='dubhooks:')",
    )


@pytest.mark.parametrize(
    ("missing", "code", "said"),
    [
        ("redis valkey", "", "install dubhooks[redis] or dubhooks[valkey]"),
        ("redis", "RedisStore('redis://localhost'); AsyncRedisStore('valkey://localhost')", ""),
        ("valkey", "RedisStore('redis://localhost'); AsyncRedisStore('redis://localhost')", ""),
        ("valkey", "RedisStore('valkey://localhost')", "needs valkey-py: install valkey"),
    ],
)
def test_missing_libraries(missing: str, code: str, said: str) -> None:
    """Either library is enough; without both, the import says what to install."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({missing.split()!r}))"
    code = f"{hide}; from dubhooks.stores.redis import *; {code}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said in run.stderr
    assert bool(run.stderr) is bool(said)


def test_core_does_without() -> None:
    """The core imports neither library."""
    code = "import sys, dubhooks; dubhooks.SQLiteStore; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def _claim_async(url: str) -> None:
    async with redis.asyncio.Redis.from_url(url, **BOUNDED) as client:
        store = AsyncRedisStore(client)
        for key in ("k", "k"):
            await store.claim(key, "one", fingerprint=FINGERPRINT, lease=60.0, retention=60.0)


def _port_of(client: redis.Redis) -> int:
    port: int = client.connection_pool.connection_kwargs["port"]
    return port
