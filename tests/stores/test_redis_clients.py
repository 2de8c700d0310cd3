"""The clients of the stores in Redis: from URLs, brought by the user, wrong ones; lost servers."""

import asyncio
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import redis
import redis.asyncio
import valkey
import valkey.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError

from dubhooks import ConfigurationError
from dubhooks.idempotency import is_async_store
from dubhooks.stores.redis import AsyncRedisStore, RedisStore
from tests.support.on_loop import OnLoop
from tests.support.processes import free_port
from tests.support.servers import RedisServer
from tests.support.stores.redis_cases import OPEN, URLS, open_redis
from tests.support.stores.store_cases import claim


@pytest.mark.parametrize("kind", URLS)
def test_server_killed_and_started_again(kind: str) -> None:
    """Connections that died with the server are replaced, however many a pool has of them."""
    with RedisServer() as server, closing(open_redis(kind, server.url)) as store:
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


@pytest.mark.parametrize("kind", URLS)
def test_completion_waits_for_a_server_that_restarts(kind: str) -> None:
    """A claim whose server dies while its handler runs is completed when the server is back."""
    with RedisServer() as server, closing(open_redis(kind, server.url)) as store:
        claim(store)
        server.kill()
        restart = threading.Timer(0.5, server.start)
        restart.start()
        assert store.complete("k", "one", retention=60.0)
        restart.join()
        assert claim(store, token="two").state == "done"


@pytest.mark.parametrize("store", [RedisStore, AsyncRedisStore])
def test_completion_does_not_wait_for_ever(store: Callable[..., Any]) -> None:
    """A server that does not come back is an error in time."""
    started = time.monotonic()
    never = store(f"redis://127.0.0.1:{free_port()}", timeout=1.0)
    completing = OnLoop(never) if is_async_store(never) else never
    with closing(completing), pytest.raises(RedisConnectionError):
        completing.complete("k", "one", retention=60.0)
    assert 0.1 <= time.monotonic() - started < 5


def test_timeout_of_the_url_wins(redis_server: RedisServer) -> None:
    """What the URL sets is left alone; without it, four waits end within the store's timeout."""
    for kind in (RedisStore, AsyncRedisStore):
        for url, timeout in ((f"{redis_server.url}?socket_timeout=7", 7), (redis_server.url, 1)):
            store = kind(url, timeout=timedelta(seconds=4))
            assert store._client.connection_pool.connection_kwargs["socket_timeout"] == timeout


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


@pytest.mark.parametrize(
    "kinds", [(redis.Redis, redis.asyncio.Redis), (valkey.Valkey, valkey.asyncio.Valkey)]
)
def test_wrong_client(kinds: tuple[Any, Any]) -> None:
    """Anything but a client of the right kind is refused at once."""
    plain, asynchronous = (kind() for kind in kinds)
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
        ("", "cannot be read"),
        ("localhost:6379", "cannot be read"),
        ("http://:swordfish@localhost", "cannot be read"),
        ("redis://:swordfish@localhost:x/0", "it looks like redis://user:password@host"),
        ("redis://user:sword#fish@localhost:6379", "special characters of the password percent"),
        ("valkey://localhost?db=x&password=swordfish", "cannot be read"),
        ("redis://:swordfish@localhost?sockettimeout=5", "options that redis-py knows"),
    ],
)
def test_wrong_url(store: Callable[[str], Any], url: str, advice: str) -> None:
    """A URL that cannot be read is refused at once, and the message does not quote it."""
    with pytest.raises(ConfigurationError, match=advice) as refused:
        store(url)
    assert "swordfish" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("missing", "code", "said"),
    [
        ("redis valkey", "", "install dubhooks[redis] or dubhooks[valkey]"),
        ("redis", "RedisStore('redis://localhost'); AsyncRedisStore('valkey://localhost')", ""),
        ("valkey", "RedisStore('redis://localhost'); AsyncRedisStore('redis://localhost')", ""),
        ("valkey", "RedisStore('valkey://localhost')", "ModuleNotFoundError"),
    ],
)
def test_missing_libraries(missing: str, code: str, said: str) -> None:
    """Either library is enough; without both, the import says what to install."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({missing.split()!r}))"
    code = f"{hide}; from dubhooks.stores.redis import *; {code}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said in run.stderr
    assert bool(run.stderr) is bool(said)
