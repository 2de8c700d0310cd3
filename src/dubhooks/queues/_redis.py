"""What every queue on Redis asks of its server, before the first message."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from redis.exceptions import ResponseError

from ..errors import ConfigurationError
from ._bounded import call_bounded

logger = logging.getLogger("dubhooks")


def check_redis(client: Any, *, may_lose_events: bool, least: tuple[int, int] = (0, 0)) -> None:
    """Refuse a server that forgets what it acknowledged.

    Args:
        client: of the server.
        may_lose_events: accept any server that answers.
        least: the oldest version that loses nothing.

    Raises:
        ConfigurationError: with the setting that has to be another.
        Exception: the server does not answer.
    """
    info: dict[str, Any] = {}
    with suppress(ResponseError):  # an unknown command, or one that this user may not use
        info = call_bounded(client.info)
    problem = None
    if info.get("aof_enabled") == 0:
        problem = "keeps no append-only file and forgets events on a restart: set appendonly yes"
    elif str(info.get("maxmemory_policy")).startswith("allkeys"):
        problem = "throws events away when it is full: set maxmemory-policy noeviction"
    elif tuple(map(int, str(info.get("redis_version", "9")).split(".")[:2])) < least:
        problem = "is too old for this engine, which loses jobs of killed workers: use a newer one"
    if problem and not may_lose_events:
        raise ConfigurationError(
            f"Redis {problem}, or, where that is acceptable, give the queue may_lose_events=True"
        )
    if "aof_enabled" not in info:
        logger.warning("Redis does not say whether it forgets events: see to appendonly yes")
