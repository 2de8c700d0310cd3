"""What every queue on Redis asks of its client and of its server, before the first message."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_redis"]

_LONGEST_WAIT: Final = 15.0
_EXAMPLE: Final = (
    "redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5, "
    "retry=Retry(NoBackoff(), 1))"
)

logger = logging.getLogger("dubhooks")


def check_redis(client: Any, *, may_lose_events: bool) -> Mapping[str, Any]:
    """Refuse a client that may hang, and a server that forgets what it acknowledged.

    Args:
        client: of redis-py, not asynchronous.
        may_lose_events: accept such a server.

    Returns:
        What the server says about itself (INFO); nothing when it may not be asked.

    Raises:
        ConfigurationError: with the setting that has to be another.
        Exception: the server does not answer.
    """
    from redis.exceptions import ResponseError

    if not _is_short(client):
        raise ConfigurationError(
            f"putting a message could take longer than {_LONGEST_WAIT:.0f} s when Redis stops "
            f"answering: give the queue a client with timeouts and few retries, {_EXAMPLE}"
        )
    info: Mapping[str, Any] = {}
    with suppress(ResponseError):  # an unknown command, or one that this user may not use
        info = client.info()
    if not may_lose_events:
        _check_server(info)
    return info


def _check_server(info: Mapping[str, Any]) -> None:
    if info.get("aof_enabled") is None:
        logger.warning(
            "Redis does not say whether it keeps an append-only file: without one it forgets "
            "queued events when it restarts; see that it has appendonly yes"
        )
    elif not info["aof_enabled"]:
        raise ConfigurationError(
            "Redis keeps no append-only file and forgets queued events when it restarts: set "
            "appendonly yes, or, where that is acceptable, give the queue may_lose_events=True"
        )
    if str(info.get("maxmemory_policy")).startswith("allkeys"):
        raise ConfigurationError(
            "Redis throws queued events away when its memory is full: set maxmemory-policy "
            "noeviction, or, where that is acceptable, give the queue may_lose_events=True"
        )


def _is_short(client: Any) -> bool:
    pool = client.connection_pool
    # It is not opened: it tells what the pool's connections are like.
    connection = pool.connection_class(**pool.connection_kwargs)
    waits = [connection.socket_timeout, getattr(connection, "socket_connect_timeout", 1.0)]
    # Redis-py before 6 does not tell it, and does not retry unless it is asked to.
    retries = getattr(connection.retry, "get_retries", lambda: 0)()
    return retries >= 0 and all(
        wait is not None and 0 < (1 + retries) * wait <= _LONGEST_WAIT for wait in waits
    )
