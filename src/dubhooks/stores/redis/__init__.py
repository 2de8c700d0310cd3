"""Claims in Redis or Valkey: for all workers of all machines that share the server.

Needs Redis 5 or later.  Every method is one script, which the server runs as a
whole, on one key; so a cluster works, too.
"""

from __future__ import annotations

import os
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, cast

try:
    import redis
    import redis.asyncio
    from redis.exceptions import RedisError
except ImportError as error:  # pragma: no cover - tested in a process without redis
    raise ImportError("the Redis stores need redis-py: install dubhooks[redis]") from error

from ...errors import ConfigurationError
from ._scripts import (
    CLAIM,
    COMPLETE,
    FORGET,
    RELEASE,
    advise,
    claim_arguments,
    claim_in,
    complete_arguments,
    explained,
    warn_without_timeout,
)

if TYPE_CHECKING:
    from ...idempotency import Claim

__all__ = ["AsyncRedisStore", "RedisStore"]

_SYNC = (redis.Redis, redis.RedisCluster)
_ASYNC = (redis.asyncio.Redis, redis.asyncio.RedisCluster)

# Connections of a parent process: kept, or the garbage collector would close the parent's.
_forgotten: list[object] = []


class RedisStore:
    """Claims in Redis, through a client of redis-py that stays yours to close.

    It may be made before a server forks.  The first claim logs a warning when
    the server's settings let it forget claims.
    """

    def __init__(
        self, client: redis.Redis | redis.RedisCluster, *, prefix: str = "dubhooks:"
    ) -> None:
        """``prefix``: begins every key, to keep claims apart from other data.

        Raises:
            ConfigurationError: ``client`` is no sync Redis client.
        """
        _check(client, _SYNC, _ASYNC, "redis.Redis.from_url(url)", "AsyncRedisStore")
        self._client: Any = client
        self._prefix = prefix
        self._claim = self._client.register_script(CLAIM)
        self._complete = self._client.register_script(COMPLETE)
        self._release = self._client.register_script(RELEASE)
        self._forget = self._client.register_script(FORGET)
        self._has_advised = False

    def __repr__(self) -> str:
        return f"RedisStore(prefix={self._prefix!r})"

    def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`dubhooks.idempotency.Store.claim`.

        Raises:
            ConfigurationError: the server cannot take claims.
            redis.exceptions.RedisError: it did not answer.
        """
        arguments = claim_arguments(token, fingerprint, lease, retention)
        claim = claim_in(self._run(self._claim, key, arguments))
        if not self._has_advised:
            self._advise()
        return claim

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        return bool(self._run(self._complete, key, complete_arguments(token, retention)))

    def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        return bool(self._run(self._release, key, [token]))

    def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        return bool(self._run(self._forget, key, []))

    def _run(self, script: Any, key: str, arguments: list[str | int]) -> Any:
        try:
            return script(keys=(self._prefix + key,), args=arguments)
        except RedisError as error:
            better = explained(error)
            if better is None:
                raise
            raise better from error

    def _advise(self) -> None:
        self._has_advised = True
        try:
            advise(self._client.info())
        except (RedisError, AttributeError):
            return  # this user may not ask, or each node of a cluster answers for itself


class AsyncRedisStore:
    """Claims in Redis, through an asyncio client of redis-py that stays yours to close.

    As with every asyncio client, use it on one event loop.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis | redis.asyncio.RedisCluster,
        *,
        prefix: str = "dubhooks:",
    ) -> None:
        """``prefix``: begins every key, to keep claims apart from other data.

        Raises:
            ConfigurationError: ``client`` is no asyncio Redis client.
        """
        _check(client, _ASYNC, _SYNC, "redis.asyncio.Redis.from_url(url)", "RedisStore")
        self._client: Any = client
        _renew_after_fork(client)
        self._prefix = prefix
        self._claim = self._client.register_script(CLAIM)
        self._complete = self._client.register_script(COMPLETE)
        self._release = self._client.register_script(RELEASE)
        self._forget = self._client.register_script(FORGET)
        self._has_advised = False

    def __repr__(self) -> str:
        return f"AsyncRedisStore(prefix={self._prefix!r})"

    async def claim(
        self, key: str, token: str, *, fingerprint: str, lease: float, retention: float
    ) -> Claim:
        """Claim ``key``; see :meth:`RedisStore.claim`."""
        arguments = claim_arguments(token, fingerprint, lease, retention)
        claim = claim_in(await self._run(self._claim, key, arguments))
        if not self._has_advised:
            await self._advise()
        return claim

    async def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`."""
        return bool(await self._run(self._complete, key, complete_arguments(token, retention)))

    async def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        return bool(await self._run(self._release, key, [token]))

    async def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        return bool(await self._run(self._forget, key, []))

    async def _run(self, script: Any, key: str, arguments: list[str | int]) -> Any:
        try:
            return await script(keys=(self._prefix + key,), args=arguments)
        except RedisError as error:
            better = explained(error)
            if better is None:
                raise
            raise better from error

    async def _advise(self) -> None:
        self._has_advised = True
        try:
            advise(await self._client.info())
        except (RedisError, AttributeError):
            return


def _check(
    client: object, right: tuple[type, ...], other: tuple[type, ...], example: str, store: str
) -> None:
    if isinstance(client, other):
        raise ConfigurationError(f"this is a client of the other kind: pass it to {store}")
    # A pipeline is a client by its class, and answers nothing until it is executed.
    if not isinstance(client, right) or hasattr(client, "command_stack"):
        raise ConfigurationError(
            f"a client of redis-py is needed, such as {example}, and not "
            f"{type(client).__qualname__!r}"
        )
    warn_without_timeout(client)


def _renew_after_fork(client: redis.asyncio.Redis | redis.asyncio.RedisCluster) -> None:
    # Sync clients see to it themselves.  Python calls it in the child before anything else there.
    if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
        os.register_at_fork(after_in_child=partial(_renew, weakref.ref(client)))


def _renew(reference: weakref.ref[object]) -> None:  # pragma: no cover - in a forked child
    client = reference()
    if isinstance(client, redis.asyncio.Redis):
        pool: Any = client.connection_pool
        _forgotten.append(cast("dict[str, object]", vars(pool)).copy())
        pool.reset()
