"""Claims in Redis or Valkey: for all workers of all machines that share the server.

Needs Redis 5 or later.  Every method is one script, which the server runs as a
whole, on one key; so a cluster works, too.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta
from importlib.util import find_spec
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from ...errors import to_seconds
from ...idempotency import Claim
from .._advice import explain_redis_error, explained
from .._time import to_milliseconds
from .._tries import Tries
from ._clients import check_client, copy_client, open_client
from ._scripts import CLAIM, COMPLETE, FORGET, RELEASE, advise, read_claim

if not find_spec("redis") and not find_spec("valkey"):
    raise ImportError(
        "the Redis stores need redis-py or valkey-py: install dubhooks[redis] or dubhooks[valkey]"
    )

if TYPE_CHECKING:
    import redis
    import redis.asyncio
    import valkey
    import valkey.asyncio

    SyncClient: TypeAlias = redis.Redis | redis.RedisCluster | valkey.Valkey | valkey.ValkeyCluster
    AsyncClient: TypeAlias = (
        redis.asyncio.Redis
        | redis.asyncio.RedisCluster
        | valkey.asyncio.Valkey
        | valkey.asyncio.ValkeyCluster
    )

__all__ = ["AsyncRedisStore", "RedisStore"]

ClientT = TypeVar("ClientT")


class _AnyRedisStore(Generic[ClientT]):
    """What the stores of both kinds have: a client, its scripts, and where their keys are."""

    _is_async = False

    def __init__(
        self,
        url_or_client: str | ClientT,
        *,
        prefix: str = "dubhooks:",
        timeout: float | timedelta = 10.0,
    ) -> None:
        """Connect with the first claim.

        Args:
            url_or_client: where the server is (``redis://``, ``rediss://``, ``unix://``,
                ``valkey://`` or ``valkeys://``), for connections of the store's own; or a client
                of redis-py or valkey-py, an asyncio one for the async store, which stays yours to
                close, and whose timeouts are yours to set.
            prefix: begins every key, to keep claims apart from other data.
            timeout: seconds after which a method gives up on a server that does not answer.
                Timeouts that the URL sets win over it.

        Raises:
            ConfigurationError: the URL cannot be read, or it is no client of the store's kind.
        """
        self._timeout = to_seconds(f"{type(self).__name__}(timeout=...)", timeout)
        self._is_own = isinstance(url_or_client, str)
        self._client: Any = url_or_client
        if isinstance(url_or_client, str):
            self._client = open_client(url_or_client, self._timeout, is_async=self._is_async)
        check_client(self._client, is_async=self._is_async)
        self._prefix = prefix
        self._claim = self._client.register_script(CLAIM)
        self._complete = self._client.register_script(COMPLETE)
        self._release = self._client.register_script(RELEASE)
        self._forget = self._client.register_script(FORGET)
        self._has_advised = False
        self._process, self._inherited = os.getpid(), None

    def _call(self, script: Any, key: str, *arguments: str | int) -> Any:
        """Run a script; an async client returns an awaitable."""
        if self._process != os.getpid():  # pragma: no cover - in a forked child
            self._process, self._inherited = os.getpid(), self._client
            self._client = copy_client(self._client)
        return script(keys=(self._prefix + key,), args=arguments, client=self._client)

    def _begin_to_complete(self) -> Tries:
        # Without it the event runs again, so it waits for a server that restarts.
        return Tries(self._timeout, longest=self._timeout / 2, is_patient=True)


class RedisStore(_AnyRedisStore["SyncClient"]):
    """Claims in Redis, through redis-py or valkey-py.

    It may be made before a server forks.  The first claim logs a warning when
    the server's settings let it forget claims.
    """

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`dubhooks.idempotency.Store.claim`.

        Raises:
            ConfigurationError: the server cannot take claims.
            redis.exceptions.RedisError: it did not answer.
        """
        durations = to_milliseconds(lease), to_milliseconds(retention)
        claim = read_claim(self._run(self._claim, key, token, fingerprint, *durations))
        if not self._has_advised:
            self._has_advised = True
            with suppress(Exception):  # this user may not ask, or each node answers for itself
                advise(self._client.info())
        return claim

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        arguments = (key, token, token_hex(8), to_milliseconds(retention))
        tries = self._begin_to_complete()
        return bool(tries.run(lambda: self._run(self._complete, *arguments)))

    def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        return bool(self._run(self._release, key, token))

    def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        return bool(self._run(self._forget, key))

    def close(self) -> None:
        """Close the store's own connections; a client that you brought stays open."""
        if self._is_own:
            self._client.close()

    def _run(self, script: Any, key: str, *arguments: str | int) -> Any:
        with explained(explain_redis_error):
            return self._call(script, key, *arguments)


class AsyncRedisStore(_AnyRedisStore["AsyncClient"]):
    """Claims in Redis, through the asyncio clients of redis-py or valkey-py.

    As with every asyncio client, use it on one event loop.
    """

    _is_async = True

    async def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`RedisStore.claim`."""
        durations = to_milliseconds(lease), to_milliseconds(retention)
        claim = read_claim(await self._run(self._claim, key, token, fingerprint, *durations))
        if not self._has_advised:
            self._has_advised = True
            with suppress(Exception):  # as in RedisStore
                advise(await self._client.info())
        return claim

    async def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`RedisStore.complete`."""
        arguments = (key, token, token_hex(8), to_milliseconds(retention))
        tries = self._begin_to_complete()
        return bool(await tries.arun(lambda: self._run(self._complete, *arguments)))

    async def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        return bool(await self._run(self._release, key, token))

    async def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        return bool(await self._run(self._forget, key))

    async def aclose(self) -> None:
        """Close the store's own connections; a client that you brought stays open."""
        if self._is_own:
            await self._client.aclose()

    async def _run(self, script: Any, key: str, *arguments: str | int) -> Any:
        with explained(explain_redis_error):
            return await self._call(script, key, *arguments)
