"""Claims in Redis or Valkey: for all workers of all machines that share the server.

Needs Redis 5 or later.  Every method is one script, which the server runs as a
whole, on one key; so a cluster works, too.
"""

from __future__ import annotations

import asyncio
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from ...errors import to_seconds
from .._advice import explain_redis_error, is_lost_redis
from .._fork import renew_after_fork
from .._time import wait_at_most
from ._clients import check_client, copy_client, has_library, open_client, sets_timeout
from ._scripts import (
    CLAIM,
    COMPLETE,
    FORGET,
    RELEASE,
    advise,
    claim_arguments,
    claim_in,
    complete_arguments,
)

if not has_library():
    raise ImportError(
        "the Redis stores need redis-py or valkey-py: install dubhooks[redis] or dubhooks[valkey]"
    )

if TYPE_CHECKING:
    from datetime import timedelta
    from typing import TypeAlias

    import redis
    import redis.asyncio
    import valkey
    import valkey.asyncio

    from ...idempotency import Claim

    SyncClient: TypeAlias = redis.Redis | redis.RedisCluster | valkey.Valkey | valkey.ValkeyCluster
    AsyncClient: TypeAlias = (
        redis.asyncio.Redis
        | redis.asyncio.RedisCluster
        | valkey.asyncio.Valkey
        | valkey.asyncio.ValkeyCluster
    )

__all__ = ["AsyncRedisStore", "RedisStore"]

_PAUSE = 0.1
"""Seconds between two tries to complete a claim."""


class _AnyRedisStore:
    """What the stores of both kinds have: a client, its scripts, and where their keys are."""

    def __init__(self, client: Any, prefix: str, seconds: float) -> None:
        self._client = client
        self._prefix = prefix
        # A try lasts for half of the time, and begins before the other half is over.
        self._patience = 0.4 * seconds
        self._claim = client.register_script(CLAIM)
        self._complete = client.register_script(COMPLETE)
        self._release = client.register_script(RELEASE)
        self._forget = client.register_script(FORGET)
        self._has_advised = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(prefix={self._prefix!r})"

    def _call(self, script: Any, key: str, arguments: list[str | int]) -> Any:
        return script(keys=(self._prefix + key,), args=arguments, client=self._client)


class RedisStore(_AnyRedisStore):
    """Claims in Redis, through redis-py or valkey-py.

    It may be made before a server forks.  The first claim logs a warning when
    the server's settings let it forget claims.
    """

    def __init__(
        self,
        url_or_client: str | SyncClient,
        *,
        prefix: str = "dubhooks:",
        timeout: float | timedelta = 10.0,
    ) -> None:
        """Connect with the first claim.

        Args:
            url_or_client: where the server is (``redis://``, ``rediss://``, ``unix://``,
                ``valkey://`` or ``valkeys://``), for connections of the store's own; or a client,
                which stays yours to close.
            prefix: begins every key, to keep claims apart from other data.
            timeout: seconds after which a method gives up on a server that does not answer.
                Timeouts that the URL sets win over it, and so do those of your own client: then
                it only says when to warn about them.

        Raises:
            ConfigurationError: the URL cannot be read, or it is no sync client.
        """
        seconds = to_seconds("RedisStore(timeout=...)", timeout)
        self._is_own = isinstance(url_or_client, str)
        client: Any = url_or_client
        if isinstance(url_or_client, str):
            client = open_client(url_or_client, seconds, is_async=False)
        else:
            check_client(client, seconds, is_async=False)
        super().__init__(client, prefix, seconds)

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
        """Mark ``key`` as done; see :meth:`dubhooks.idempotency.Store.complete`.

        Without it the event runs again, so it waits for a server that restarts.
        """
        arguments, latest = complete_arguments(token, retention), monotonic() + self._patience
        while True:
            try:
                return bool(self._run(self._complete, key, arguments))
            except Exception as error:
                if not is_lost_redis(error) or monotonic() > latest:
                    raise
            sleep(_PAUSE)

    def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        return bool(self._run(self._release, key, [token]))

    def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        return bool(self._run(self._forget, key, []))

    def close(self) -> None:
        """Close the store's own connections; a client that you brought stays open."""
        if self._is_own:
            self._client.close()

    def _run(self, script: Any, key: str, arguments: list[str | int]) -> Any:
        try:
            return self._call(script, key, arguments)
        except Exception as error:
            better = explain_redis_error(error)
            if better is None:
                raise
            raise better from error

    def _advise(self) -> None:
        self._has_advised = True
        try:
            advise(self._client.info())
        except Exception:  # noqa: BLE001 - this user may not ask, or each node answers for itself
            return


class AsyncRedisStore(_AnyRedisStore):
    """Claims in Redis, through the asyncio clients of redis-py or valkey-py.

    As with every asyncio client, use it on one event loop.
    """

    def __init__(
        self,
        url_or_client: str | AsyncClient,
        *,
        prefix: str = "dubhooks:",
        timeout: float | timedelta = 10.0,
    ) -> None:
        """Connect with the first claim.

        Args:
            url_or_client: where the server is, for connections of the store's own; or an asyncio
                client, which stays yours to close.  See :class:`RedisStore`.
            prefix: begins every key, to keep claims apart from other data.
            timeout: seconds after which a method gives up, whatever it waits for.  Timeouts that
                the URL sets win over it.

        Raises:
            ConfigurationError: the URL cannot be read, or it is no asyncio client.
        """
        seconds = to_seconds("AsyncRedisStore(timeout=...)", timeout)
        self._timeout: float | None = seconds
        self._is_own = isinstance(url_or_client, str)
        client: Any = url_or_client
        if isinstance(url_or_client, str):
            client = open_client(url_or_client, seconds, is_async=True)
            if sets_timeout(url_or_client):
                self._timeout = None
        else:
            check_client(client, seconds, is_async=True)
        super().__init__(client, prefix, seconds)
        # Sync clients see to it themselves.
        renew_after_fork(self, AsyncRedisStore._renew_client)

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
        """Mark ``key`` as done; see :meth:`RedisStore.complete`."""
        arguments = complete_arguments(token, retention)
        return await wait_at_most(self._timeout, self._complete_when_back(key, arguments))

    async def release(self, key: str, token: str) -> bool:
        """Free ``key``; see :meth:`dubhooks.idempotency.Store.release`."""
        return bool(await self._run(self._release, key, [token]))

    async def forget(self, key: str) -> bool:
        """Delete the row of ``key``; see :meth:`dubhooks.idempotency.Store.forget`."""
        return bool(await self._run(self._forget, key, []))

    async def aclose(self) -> None:
        """Close the store's own connections; a client that you brought stays open."""
        if self._is_own:
            await self._client.aclose()

    def _renew_client(self) -> object:  # pragma: no cover - in a forked child
        inherited, self._client = self._client, copy_client(self._client)
        return inherited

    async def _complete_when_back(self, key: str, arguments: list[str | int]) -> bool:
        latest = monotonic() + self._patience
        while True:
            try:
                return bool(await self._run(self._complete, key, arguments))
            except Exception as error:
                if not is_lost_redis(error) or monotonic() > latest:
                    raise
            await asyncio.sleep(_PAUSE)

    async def _run(self, script: Any, key: str, arguments: list[str | int]) -> Any:
        try:
            return await wait_at_most(self._timeout, self._call(script, key, arguments))
        except Exception as error:
            better = explain_redis_error(error)
            if better is None:
                raise
            raise better from error

    async def _advise(self) -> None:
        self._has_advised = True
        try:
            advise(await wait_at_most(self._timeout, self._client.info()))
        except Exception:  # noqa: BLE001 - as in RedisStore
            return
